//! `serve`, and the threads of `connect`, when the system refuses: system calls that fail (injected by strace), files
//! that block, and limits of the shell.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write, pipe};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, mkfifoat};
use rustix::process::Signal;

use crate::support::chats::Chats;
use crate::support::client::Client;
use crate::support::custom_server::{custom_server, read_all};
use crate::support::programs::{capchat, capchat_after, capchat_traced};
use crate::support::run::Run;
use crate::support::server::TestServer;
use crate::support::terminal::Terminal;
use crate::support::wait::{DEADLINE, eventually, lines_of, wait_for_exit};

/// Waits until a process handles a signal, which ends it before that.
fn wait_until_caught(child: &Child, signal: Signal) {
    eventually("a handler", || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).unwrap();
        let caught = u64::from_str_radix(caught, 16).unwrap();
        (caught & 1 << (signal.as_raw() - 1) != 0).then_some(())
    });
}

const NO_THREADS: &str = "clone,clone3:error=EAGAIN";

// Threads.

#[test]
fn a_server_that_cannot_start_its_log_does_not_listen() {
    let Some(mut traced) = capchat_traced(NO_THREADS) else { return };
    let output = traced.args(["serve", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stderr), output.stdout.len()),
        (
            Some(1),
            "capchat: could not start the log: could not start a thread: resource temporarily unavailable\n"
                .into(),
            0
        )
    );
}

#[test]
fn a_name_that_cannot_be_resolved_for_lack_of_a_thread_is_one_line() {
    for arguments in [["connect", "localhost:1"], ["serve", "localhost:0"]] {
        let Some(mut traced) = capchat_traced(NO_THREADS) else { return };
        traced.args(arguments).args((arguments[0] == "serve").then_some("-q"));
        let name = format!("{}: could not start a thread: resource temporarily unavailable\n", arguments[1]);
        Run::of(traced).run().fails_with(1, &[&name]);
    }
    let Some(mut traced) = capchat_traced(NO_THREADS) else { return };
    let chats = Chats::with("S: x\n");
    traced.arg("check").arg(chats.path("t.chat")).args(["-a", "localhost:1"]);
    Run::of(traced).run().reports(1, &["could not start a thread: resource temporarily unavailable"]);
    // A number needs no thread.
    let Some(mut traced) = capchat_traced(NO_THREADS) else { return };
    traced.args(["connect", "127.0.0.1:1"]);
    Run::of(traced).run().fails_with(1, &["connection refused"]);
}

#[test]
fn a_pipe_that_cannot_start_its_threads_fails_with_one_line() {
    let server = TestServer::start(&[]);
    for (arguments, what) in
        [(&[][..], "could not read standard input"), (&["--lockstep"], "could not read standard input")]
    {
        let Some(mut traced) = capchat_traced(NO_THREADS) else { return };
        traced.args(["connect", server.address()]).args(arguments);
        // Input that is not ready needs a thread.
        let client = Run::of(traced).start();
        let (status, errors) = client.wait();
        let expected =
            format!("capchat: {what}: could not start a thread: resource temporarily unavailable\n");
        assert_eq!((status, errors), (Some(1), expected), "{arguments:?}");
    }
    // More output than fits in a pipe needs one too.
    let Some(mut traced) = capchat_traced(NO_THREADS) else { return };
    let input = tempfile::NamedTempFile::new().unwrap();
    fs::write(input.path(), vec![b'x'; 4000]).unwrap();
    let large = custom_server(|mut stream| {
        read_all(&stream);
        let _ = stream.write_all(&vec![b'x'; 1 << 20]);
    });
    traced.args(["connect", &large]).stdin(File::open(input.path()).unwrap()).stdout(Stdio::piped());
    let output = traced.stderr(Stdio::piped()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = "capchat: could not write to standard output: could not start a thread: resource temporarily \
                    unavailable\n";
    assert_eq!((output.status.code(), errors.as_str()), (Some(1), expected));
}

#[test]
fn a_prompt_that_cannot_start_its_thread_restores_the_terminal() {
    let server = TestServer::start(&[]);
    let Some(mut traced) = capchat_traced(NO_THREADS) else { return };
    traced.args(["connect", server.address()]);
    let screen = Terminal::with(traced).start().expect_exit(1);
    let line = "capchat: could not start the line editor: could not start a thread: resource";
    assert!(screen.contains(line), "{screen}");
}

/// Runs `command` with a resolver that takes three seconds: it reads this file first.
fn with_a_slow_resolver(arguments: &[&str]) -> Option<Run> {
    capchat_traced("close:delay_enter=0")?;
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-P", "/etc/hosts"]);
    command.args(["-e", "inject=openat:delay_enter=3000000", env!("CARGO_BIN_EXE_capchat")]).args(arguments);
    Some(Run::of(command))
}

#[test]
fn limits_hold_while_a_name_is_looked_up() {
    // Without a limit, the host is unknown.
    for (arguments, status, text) in [
        (&["--max-time", "500ms"][..], 124, "timed out: not finished after 500ms (--max-time)"),
        (&["--connect-timeout", "500ms"], 1, "no answer within 500ms"),
        (&["--connect-timeout", "9s"], 1, "unknown host"),
    ] {
        let arguments = [&["connect", "no-such-host.invalid:1"], arguments].concat();
        let Some(run) = with_a_slow_resolver(&arguments) else { return };
        let run = run.run();
        // strace may add a line about the delay.
        let errors = run.errors();
        let line = errors.lines().next().unwrap_or_default();
        assert_eq!(run.0.status.code(), Some(status), "{errors}");
        assert!(line.starts_with("capchat: ") && line.contains(text), "{errors}");
    }
    let chats = Chats::with("S: x\n");
    let path = chats.path("t.chat");
    let arguments = ["check", path.to_str().unwrap(), "-a", "no-such-host.invalid:1", "--max-time", "500ms"];
    let Some(run) = with_a_slow_resolver(&arguments) else { return };
    run.run().reports(124, &["timed out: not finished after 500ms (--max-time)"]);
}

// Files.

#[test]
fn an_update_is_on_disk_before_and_after_the_file_is_replaced() {
    if capchat_traced("close:delay_enter=0").is_none() {
        return;
    }
    let server = TestServer::start(&[]);
    let chats = Chats::with("C: hi\nS: HO\n");
    let calls = chats.path("calls");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-y", "-e", "trace=fsync,/rename", "-o"]).arg(&calls);
    command.args([env!("CARGO_BIN_EXE_capchat"), "check", "--update", "-a", server.address()]);
    Run::of({
        command.arg(chats.path("t.chat"));
        command
    })
    .run()
    .reports(0, &["1 updated"]);
    let calls = fs::read_to_string(&calls).unwrap();
    let calls: Vec<&str> = calls.lines().collect();
    let directory = format!("<{}>", chats.path("").display().to_string().trim_end_matches('/'));
    let [file, rename, sync] = calls[..] else { panic!("{calls:?}") };
    assert!(file.contains(" fsync(") && file.contains("/.t.chat."), "{calls:?}");
    assert!(rename.contains(" rename"), "{calls:?}");
    assert!(sync.contains(" fsync(") && sync.contains(&directory), "{calls:?}");
}

#[test]
fn a_limit_on_the_size_of_files_leaves_a_file_that_is_to_be_updated() {
    let server = TestServer::start(&[]);
    let line = "a line of some bytes ".repeat(100);
    let text = format!("C: {line}\nS: x\n");
    let chats = Chats::with(&text);
    let mut command = capchat_after("ulimit -f 1");
    command.args(["check", "--update", "t.chat", "-a", server.address()]).current_dir(chats.path(""));
    Run::of(command).run().reports(1, &["FAIL t.chat: could not write: file too large\n"]);
    assert_eq!((chats.read("t.chat"), chats.names().len()), (text.clone(), 1));

    let mut command = capchat_after("ulimit -f 1");
    command.args(["connect", server.address(), "--record", "t.chat"]).current_dir(chats.path(""));
    let run = Run::of(command).stdin(format!("{line}\n")).run();
    run.fails_with(1, &["could not write t.chat: file too large"]);
    assert_eq!(run.report(), format!("{line}\n").to_uppercase());
    assert_eq!((chats.read("t.chat"), chats.names().len()), (text, 1));
}

#[test]
fn a_socket_s_directory_that_another_program_has_locked_does_not_block() {
    let folder = tempfile::tempdir().unwrap();
    let lock = File::open(folder.path()).unwrap();
    lock.lock().unwrap();
    let address = format!("unix:{}", folder.path().join("socket").display());
    let start = Instant::now();
    let mut server = TestServer::start_with(capchat().args(["serve", &address]), 1);
    assert!(start.elapsed() < Duration::from_secs(10));
    Run::connect(&address).stdin("hi\n").run().succeeds_with("HI\n");
    server.send_signal(Signal::TERM);
    assert!(server.wait().success());
    // And while it waits for the lock.
    let mut child = capchat().args(["serve", &address]).stdout(Stdio::null()).spawn().unwrap();
    wait_until_caught(&child, Signal::TERM);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(wait_for_exit(&mut child).success());
}

#[test]
fn a_signal_ends_a_server_whose_transcript_is_a_fifo() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    mkfifoat(rustix::fs::CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    let mut command = capchat();
    command.args(["serve", "127.0.0.1:0", "--play"]).arg(&fifo).stdout(Stdio::null());
    for has_writer in [false, true] {
        let mut child = command.spawn().unwrap();
        wait_until_caught(&child, Signal::TERM);
        // With a writer that writes nothing, reading blocks instead of opening.
        let writer = has_writer.then(|| {
            let flags = OFlags::WRONLY | OFlags::NONBLOCK;
            eventually("a reader", || rustix::fs::open(&fifo, flags, Mode::empty()).ok())
        });
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
        assert!(wait_for_exit(&mut child).success(), "{has_writer}");
        drop(writer);
    }
    let write = thread::spawn({
        let fifo = fifo.clone();
        move || fs::write(fifo, "S: hello\nC EOF\nS EOF\n").unwrap()
    });
    let fifo = fifo.to_str().unwrap();
    let mock = TestServer::start(&["--play", fifo]);
    write.join().unwrap();
    let mut client = mock.connect();
    client.end();
    client.expect_end("hello\n");
}

#[test]
fn a_limit_on_the_size_of_files_does_not_end_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records");
    let mut command = capchat_after("ulimit -f 64");
    let server = TestServer::start_with(command.args(["serve", "0", "--record"]).arg(&records), 1);
    let mut client = server.connect();
    let lines = b"hello\n".repeat(30_000);
    thread::scope(|scope| {
        let mut stream = client.stream.try_clone().unwrap();
        scope.spawn({
            let lines = &lines;
            move || stream.write_all(lines).unwrap()
        });
        let mut replies = vec![0; lines.len()];
        client.stream.read_exact(&mut replies).unwrap();
    });
    drop(client);
    let line = server.log_line_with("could not be recorded");
    assert!(line.contains("file too large"), "{line}");
    server.connect().expect_answer();
}

#[test]
fn a_limit_on_the_size_of_files_does_not_end_a_server_that_logs_to_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let socket = folder.path().join("socket");
    let address = format!("unix:{}", socket.display());
    let mut command = capchat_after("ulimit -f 1");
    command.args(["serve", &address]).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
    let mut child = command.spawn().unwrap();
    for _ in 0..100 {
        Run::connect(&address).args(&["--retry", "20s"]).stdin("hi\n").run().succeeds_with("HI\n");
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(wait_for_exit(&mut child).success());
}

// The log.

#[test]
fn a_log_on_a_non_blocking_descriptor_loses_nothing() {
    let (reader, writer) = pipe().unwrap();
    // A terminal or pipe that is shared with node, for example.
    fcntl_setfl(&writer, fcntl_getfl(&writer).unwrap() | OFlags::NONBLOCK).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let address = format!("unix:{}", socket.display());
    let mut command = capchat();
    let mut child = command.args(["serve", &address]).stdout(Stdio::null()).stderr(writer).spawn().unwrap();
    drop(command);
    let clients = 1500;
    for _ in 0..clients {
        let mut client = eventually("a connection", || std::os::unix::net::UnixStream::connect(&socket).ok());
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        client.write_all(b"hi\n").unwrap();
        client.read_exact(&mut [0; 3]).unwrap();
    }
    // The pipe holds 64 KiB, and the rest waits.
    let log = lines_of(reader);
    for count in 0..2 * clients {
        let line = log.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("only {count} lines"));
        assert!(line.contains(" connected") || line.contains(" disconnected ("), "{line}");
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(wait_for_exit(&mut child).success());
}

#[test]
fn an_address_that_cannot_be_announced_is_a_failure() {
    let mut command = capchat();
    command.args(["serve", "127.0.0.1:0"]).stdout(File::options().write(true).open("/dev/full").unwrap());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(wait_for_exit(&mut child).code(), Some(1));
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "capchat: could not write to standard output: no space left on device\n");
}

#[test]
fn an_announced_path_cannot_drive_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a\nb\x1b[31m\u{202e}c");
    let server = TestServer::start_with(capchat().arg("serve").arg(format!("unix:{}", path.display())), 1);
    let expected = format!("unix:{}/a\\nb\\u{{1b}}[31m\\u{{202e}}c", folder.path().display());
    assert_eq!(server.address(), expected);
}

// Accepting, sending.

#[test]
fn a_client_that_fails_while_it_is_accepted_costs_the_others_nothing() {
    for error in ["EPROTO", "ENETDOWN", "EHOSTUNREACH", "EPERM", "ECONNABORTED", "ENOPROTOOPT", "ENONET"] {
        let injection = format!("accept4:error={error}:when=1..3");
        let mut fastest = DEADLINE;
        // A busy machine may need several attempts.
        for _ in 0..5 {
            let Some(mut traced) = capchat_traced(&injection) else { return };
            let server = TestServer::start_with(traced.args(["serve", "127.0.0.1:0"]), 1);
            let start = Instant::now();
            server.connect().expect_answer();
            fastest = fastest.min(start.elapsed());
            let log = server.log_line();
            assert!(log.ends_with(" connected"), "{error}: {log}");
            if fastest < Duration::from_millis(400) {
                break;
            }
        }
        assert!(fastest < Duration::from_millis(400), "{error}: {fastest:?}");
    }
}

#[test]
fn an_error_that_stays_does_not_spin() {
    let Some(mut traced) = capchat_traced("accept4:error=EPERM:when=1+") else { return };
    let server = TestServer::start_with(traced.args(["serve", "127.0.0.1:0"]), 1);
    let _client = server.connect();
    server.log_line_with("cannot accept client (0 connected): operation not permitted");
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid().as_raw_nonzero())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks();
    thread::sleep(Duration::from_secs(1));
    assert!(ticks() - before < 20);
}

#[test]
fn a_client_that_fails_at_the_shutdown_does_not_cost_the_backlog() {
    let Some(mut traced) = capchat_traced("accept4:error=EPERM:when=2+3") else { return };
    let mut server = TestServer::start_with(traced.args(["serve", "-q", "127.0.0.1:0"]), 1);
    server.send_signal(Signal::STOP);
    let mut clients: Vec<Client> = (0..50).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send("hi\n");
    }
    server.send_signal(Signal::TERM);
    server.send_signal(Signal::CONT);
    for client in &mut clients {
        client.expect_end("HI\n");
    }
    drop(clients);
    assert!(server.wait().success());
}

#[test]
fn a_reply_that_cannot_be_sent_is_a_reset_and_not_an_end() {
    let Some(mut traced) = capchat_traced("sendto:error=ENOBUFS:when=2") else { return };
    let server = TestServer::start_with(traced.args(["serve", "127.0.0.1:0"]), 1);
    let mut client = server.connect();
    client.expect_answer();
    client.send("hello\n");
    assert_eq!(client.stream.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(server.log_line_with("disconnected").contains("uncleanly (no buffer space available)"));
}

#[test]
fn a_mock_that_cannot_send_resets() {
    let chats = Chats::with("C: a\nS: b\nC: c\nS: d\n");
    let Some(mut traced) = capchat_traced("sendto:error=ENOBUFS:when=2") else { return };
    let path = chats.path("t.chat");
    let server = TestServer::start_with(traced.args(["serve", "127.0.0.1:0", "--play"]).arg(path), 1);
    let mut client = server.connect();
    client.send("a\n");
    client.expect("b\n");
    client.send("c\n");
    assert_eq!(client.stream.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_server_finds_clients_that_vanished_while_they_were_sent_replies() {
    // Only strace sees the option.
    if capchat_traced("close:delay_enter=0").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls");
    for (arguments, milliseconds) in
        [(&[][..], 120_000), (&["--idle-timeout", "1s"], 120_000), (&["--idle-timeout", "1h"], 3_600_000)]
    {
        let mut command = Command::new("strace");
        command.args(["-D", "-qq", "-e", "trace=setsockopt", "-o"]).arg(&calls);
        command.args([env!("CARGO_BIN_EXE_capchat"), "serve", "127.0.0.1:0"]).args(arguments);
        TestServer::start_with(&mut command, 1).connect().expect_answer();
        let calls = fs::read_to_string(&calls).unwrap();
        assert!(calls.contains(&format!("TCP_USER_TIMEOUT, [{milliseconds}]")), "{calls}");
    }
}

#[test]
fn connect_looks_for_servers_that_vanish() {
    let server = TestServer::start(&[]);
    let mut client = Run::connect(server.address()).start();
    client.stdin.write_all(b"hi\n").unwrap();
    assert_eq!(client.line(), "HI\n");
    let line = server.log_line_with("connected");
    let port: u16 = line.split_whitespace().next().unwrap().rsplit_once(':').unwrap().1.parse().unwrap();
    let ports = [port, server.port()].map(|port| format!("0100007F:{port:04X}"));
    eventually("a keepalive timer", || {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let line = table.lines().find(|line| line.contains(&ports.join(" "))).unwrap();
        line.split_whitespace().nth(5).unwrap().starts_with("02:").then_some(())
    });
}
