//! `capchat serve`, as its clients see it, and the scripts that start it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::client::{Client, raise_descriptor_limit};
use crate::support::programs::{capchat, capchat_after, skipped};
use crate::support::run::Run;
use crate::support::server::TestServer;
use crate::support::wait::{DEADLINE, eventually, wait_for_exit};

/// The exit status and standard error of a `capchat serve` that fails to start.
fn failure(arguments: &[&str]) -> (Option<i32>, String) {
    failure_of(capchat().arg("serve").args(arguments))
}

fn failure_of(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

// Messages. Most are transcripts, in `tests/chats/capitals`.

#[test]
fn close_socket_is_found_across_segments_and_early_replies() {
    let server = TestServer::start(&["--message-gap", "1ms"]);
    let mut client = server.connect();
    for byte in b"xCLOSE SOCKE" {
        client.send([*byte]);
        client.expect([byte.to_ascii_uppercase()]);
    }
    client.send("T and more");
    client.expect_end("");
}

#[test]
fn a_long_message_is_answered_in_pieces_of_64_kib() {
    let server = TestServer::start(&["--message-gap", "never"]);
    let mut client = server.connect();
    client.send(vec![b'a'; 100_000]);
    client.expect(vec![b'A'; 65_536]);
    client.send("\n");
    client.expect(vec![b'A'; 100_000 - 65_536]);
    client.expect("\n");
}

#[test]
fn no_reply_is_lost_at_a_close_with_megabytes_unread() {
    let server = TestServer::start(&["-q"]);
    let ignored = vec![b'x'; 4 << 20];
    for _ in 0..50 {
        let mut client = server.connect();
        let mut sender = client.stream.try_clone().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                sender.write_all(b"hi\nCLOSE SOCKET\n").unwrap();
                sender.write_all(&ignored).unwrap();
                sender.shutdown(std::net::Shutdown::Write).unwrap();
            });
            client.expect_end("HI\n");
        });
    }
}

// Addresses.

#[test]
fn listens_on_every_form_of_address() {
    for (arguments, expected) in [
        (&["0"][..], "127.0.0.1:"),
        (&["127.0.0.1", "0"], "127.0.0.1:"),
        (&[":0"], "127.0.0.1:"),
        (&["127.0.0.2:0"], "127.0.0.2:"),
        (&["-4", "localhost", "0"], "127.0.0.1:"),
    ] {
        let server = TestServer::start_with(capchat().arg("serve").args(arguments), 1);
        assert!(server.address().starts_with(expected), "{arguments:?}: {}", server.address());
        Run::connect(server.address()).stdin("hi\n").run().succeeds_with("HI\n");
    }
}

#[test]
fn listens_on_ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        skipped("no IPv6");
        return;
    }
    for arguments in [&["[::1]:0"][..], &["::1", "0"], &["-6", "0"]] {
        let server = TestServer::start_with(capchat().arg("serve").args(arguments), 1);
        assert!(server.address().starts_with("[::1]:"), "{}", server.address());
        Run::connect(server.address()).stdin("hi\n").run().succeeds_with("HI\n");
    }
}

#[test]
fn a_name_with_several_addresses_is_listened_on_at_each_with_one_port() {
    use std::net::ToSocketAddrs;
    let mut addresses: Vec<_> = ("localhost", 0).to_socket_addrs().unwrap().collect();
    addresses.sort_unstable();
    addresses.dedup();
    let server = TestServer::start_with(capchat().arg("serve").args(["localhost", "0"]), addresses.len());
    for (address, listening) in addresses.iter().zip({
        let mut sorted = server.addresses.clone();
        sorted.sort_by_key(|address| address.parse::<std::net::SocketAddr>().unwrap());
        sorted
    }) {
        assert_eq!(listening, std::net::SocketAddr::new(address.ip(), server.port()).to_string());
        Run::connect(&listening).stdin("hi\n").run().succeeds_with("HI\n");
    }
}

#[test]
fn an_address_that_cannot_be_listened_on_is_status_1() {
    for (arguments, texts) in [
        (&["no-such-host.invalid"][..], ["could not listen on no-such-host.invalid:5605", "unknown host"]),
        (&["192.0.2.1:0"], ["could not listen on 192.0.2.1:0", "assign requested address"]),
        (&["unix:/no/such/folder/x"], ["could not listen on unix:/no/such/folder/x", "no such file"]),
        (&["-6", "127.0.0.1:0"], ["could not listen on 127.0.0.1:0", "has no IPv6 address"]),
    ] {
        let (status, errors) = failure(arguments);
        assert_eq!(status, Some(1), "{errors}");
        assert!(texts.iter().all(|text| errors.contains(text)), "{errors}");
        assert_eq!(errors.matches('\n').count(), 1, "{errors}");
    }
}

#[test]
fn a_second_server_on_the_address_fails() {
    let server = TestServer::start(&[]);
    let (status, errors) = failure(&[server.address()]);
    assert_eq!(status, Some(1));
    assert!(errors.starts_with(&format!("capchat: could not listen on {}: ", server.address())), "{errors}");
    assert!(errors.contains("in use"), "{errors}");
    Run::connect(server.address()).stdin("still there\n").run().succeeds_with("STILL THERE\n");
}

// Unix sockets.

/// A path for a socket, in a directory that is removed with the first value.
fn socket_path() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket").display().to_string();
    (folder, path)
}

#[test]
fn serves_on_a_unix_socket_and_removes_it() {
    let (_folder, path) = socket_path();
    let mut server = TestServer::start_with(capchat().args(["serve", &format!("unix:{path}")]), 1);
    assert_eq!(server.address(), format!("unix:{path}"));
    Run::connect(server.address()).stdin("hi\n").run().succeeds_with("HI\n");
    assert_eq!(server.log_line(), "unix#1 connected");
    let (status, errors) = failure(&[server.address()]);
    assert!(status == Some(1) && errors.contains("in use"), "{errors}");
    server.send_signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(!fs::exists(&path).unwrap());
}

#[test]
fn the_permissions_of_a_unix_socket_follow_the_umask() {
    for (umask, expected) in [("077", 0o700), ("007", 0o770), ("0", 0o777)] {
        let (_folder, path) = socket_path();
        let mut command = capchat_after(&format!("umask {umask}"));
        let _server = TestServer::start_with(command.args(["serve", &format!("unix:{path}")]), 1);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, expected);
    }
}

#[test]
fn replaces_a_stale_socket() {
    let (_folder, path) = socket_path();
    drop(UnixListener::bind(&path).unwrap());
    let server = TestServer::start_with(capchat().args(["serve", &format!("unix:{path}")]), 1);
    Run::connect(server.address()).stdin("hi\n").run().succeeds_with("HI\n");
}

#[test]
fn leaves_a_file_that_is_not_a_socket_alone() {
    let (_folder, path) = socket_path();
    fs::write(&path, "precious").unwrap();
    let (status, errors) = failure(&[&format!("unix:{path}")]);
    assert_eq!(
        (status, errors),
        (Some(1), format!("capchat: could not listen on unix:{path}: exists and is not a socket\n"))
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn no_reply_is_lost_at_a_close_on_a_unix_socket() {
    let (_folder, path) = socket_path();
    let _server = TestServer::start_with(capchat().args(["serve", &format!("unix:{path}")]), 1);
    let mut client = UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client.write_all(b"hi\nCLOSE SOCKET\nunread").unwrap();
    let mut replies = String::new();
    client.read_to_string(&mut replies).unwrap();
    assert_eq!(replies, "HI\n");
}

// The log.

#[test]
fn logs_connections() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    let name = client.address();
    assert_eq!(server.log_line(), format!("{name} connected"));
    client.send("hello\nworld\nrest");
    client.end();
    client.expect_end("HELLO\nWORLD\nREST");
    let line = server.log_line();
    let expected = format!("{name} disconnected (closed by client): 3 messages, 16 B in, 16 B out, 0.");
    assert!(line.starts_with(&expected), "{line}");

    let mut client = server.connect();
    client.send("CLOSE SOCKET");
    client.expect_end("");
    drop(client);
    assert!(server.log_line_with("disconnected").contains("disconnected (CLOSE SOCKET): 0 messages, "));

    let mut client = server.connect();
    client.send("x");
    client.reset();
    assert!(
        server.log_line_with("disconnected").contains("disconnected uncleanly (connection reset by peer): ")
    );
}

#[test]
fn logs_more_or_nothing_if_asked() {
    let server = TestServer::start(&["-v"]);
    let mut client = server.connect();
    client.send("hello");
    client.expect("HELLO");
    assert!(server.log_line_with("partial").ends_with(": replied to partial message (5 bytes)"));

    let mut server = TestServer::start(&["--quiet"]);
    server.connect().expect_answer();
    server.send_signal(Signal::TERM);
    assert!(server.wait().success());
    assert_eq!(server.remaining_log(), [""; 0]);
}

#[test]
fn logs_json_if_asked() {
    let server = TestServer::start(&["--log-format", "json"]);
    let mut client = server.connect();
    let name = client.address().to_string();
    client.send("hello\n");
    client.end();
    client.expect_end("HELLO\n");
    let line: serde_json::Value = serde_json::from_str(&server.log_line()).unwrap();
    assert_eq!((&line["event"], &line["client"]), (&"connected".into(), &name.as_str().into()));
    let line: serde_json::Value = serde_json::from_str(&server.log_line()).unwrap();
    assert_eq!((&line["event"], &line["client"]), (&"disconnected".into(), &name.as_str().into()));
    assert_eq!((&line["reason"], &line["clean"]), (&"closed by client".into(), &true.into()));
    assert_eq!((&line["messages"], &line["received"], &line["sent"]), (&1.into(), &6.into(), &6.into()));
    assert!(line["seconds"].as_f64().unwrap() < 30.0);
    let time = line["time"].as_str().unwrap();
    assert!(time.starts_with("20") && time.ends_with('Z') && time.len() == 24, "{time}");
}

#[test]
fn a_dead_log_reader_does_no_harm() {
    let (_folder, path) = socket_path();
    let mut command = capchat();
    command.args(["serve", "-v", &format!("unix:{path}")]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    for _ in 0..20 {
        let connected = Run::connect(&format!("unix:{path}")).args(&["--retry", "20s"]);
        connected.stdin("hi\n").run().succeeds_with("HI\n");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_log_reader_that_stops_reading_does_not_delay_clients() {
    let (_folder, path) = socket_path();
    let mut command = capchat();
    command.args(["serve", &format!("unix:{path}")]).stdout(Stdio::null()).stderr(Stdio::piped());
    // Nobody reads standard error: a pipe holds 64 KiB, and the lines about 3,000 clients are more.
    let mut child = command.spawn().unwrap();
    eventually("the server listens", || UnixStream::connect(&path).ok());
    for _ in 0..3000 {
        let mut client = UnixStream::connect(&path).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        client.write_all(b"hi\n").unwrap();
        client.read_exact(&mut [0; 3]).unwrap();
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(wait_for_exit(&mut child).success());
}

#[test]
fn closed_standard_streams_do_no_harm() {
    let (_folder, path) = socket_path();
    let script = format!("exec {} serve unix:{path} <&- >&- 2>&-", env!("CARGO_BIN_EXE_capchat"));
    let mut child = Command::new("sh").args(["-c", &script]).spawn().unwrap();
    for _ in 0..5 {
        let connected = Run::connect(&format!("unix:{path}")).args(&["--retry", "20s"]);
        connected.stdin("hi\n").run().succeeds_with("HI\n");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

// Limits.

#[test]
fn at_the_limit_new_clients_wait() {
    let server = TestServer::start(&["--max-clients", "2"]);
    let mut first = server.connect();
    let mut second = server.connect();
    first.expect_answer();
    second.expect_answer();
    let mut third = server.connect();
    third.send("hello\n");
    server.log_line_with("client limit reached (2); new clients will wait");
    first.expect_answer();
    third.stream.set_nonblocking(true).unwrap();
    assert!(third.stream.read(&mut [0]).is_err());
    third.stream.set_nonblocking(false).unwrap();
    drop(first);
    third.expect("HELLO\n");
    second.expect_answer();
}

#[test]
fn the_soft_limit_on_descriptors_is_raised() {
    let script = format!("ulimit -Sn 64 && exec {} serve -q 127.0.0.1:0", env!("CARGO_BIN_EXE_capchat"));
    let server = TestServer::start_with(Command::new("sh").args(["-c", &script]), 1);
    let mut clients: Vec<Client> = (0..100).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.expect_answer();
    }
}

#[test]
fn keepalive_looks_for_clients_that_vanish() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    client.expect_answer();
    // The server's side of the connection, in proc(5): the port of each side, and which timer runs.
    let ports = [server.port(), client.address().port()].map(|port| format!("0100007F:{port:04X}"));
    eventually("a keepalive timer", || {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let line = table.lines().find(|line| line.contains(&ports.join(" "))).unwrap();
        let timer = line.split_whitespace().nth(5).unwrap();
        timer.starts_with("02:").then_some(())
    });
}

#[test]
fn an_idle_client_is_disconnected_cleanly() {
    let server = TestServer::start(&["--idle-timeout", "1s"]);
    let mut idle = server.connect();
    let start = Instant::now();
    idle.send("hello\n");
    idle.expect("HELLO\n");
    idle.expect_end("");
    assert!(start.elapsed() >= Duration::from_secs(1));
    drop(idle);
    assert!(server.log_line_with("disconnected").contains("disconnected (idle timeout)"));
}

/// Sends until the server takes no more, because the client does not read. Returns how much.
fn fill(client: &mut Client, bytes: &[u8]) -> usize {
    client.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut sent = 0;
    while sent < bytes.len()
        && let Ok(length) = client.stream.write(&bytes[sent..])
    {
        sent += length;
    }
    sent
}

#[test]
fn a_client_that_takes_no_replies_is_idle() {
    let server = TestServer::start(&["--idle-timeout", "500ms", "--max-clients", "1"]);
    let mut client = server.connect();
    // Replies are missing, so this is not an EOF. The kernel reports a reset once.
    let sent = client.stream.write_all(&vec![b'x'; 32 << 20]);
    assert_eq!(sent.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert!(server.log_line_with("disconnected").contains("disconnected uncleanly (idle timeout)"));
    // The place is free for another one.
    server.connect().expect_answer();
}

#[test]
fn a_client_that_takes_its_replies_slowly_is_not_idle() {
    const LENGTH: usize = 8 << 20;
    let server = TestServer::start(&["--idle-timeout", "3s"]);
    let mut client = Client::connect_with_small_buffer(server.address());
    let mut sender = client.stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        sender.write_all(&vec![b'x'; LENGTH]).unwrap();
        sender.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut received = 0;
    let mut buffer = vec![0; 8 << 10];
    // Far less than the part of its buffer that the server's kernel waits for before it reports room.
    for _ in 0..45 {
        std::thread::sleep(Duration::from_millis(100));
        received += client.stream.read(&mut buffer).unwrap();
    }
    let mut rest = Vec::new();
    client.stream.read_to_end(&mut rest).unwrap();
    sending.join().unwrap();
    assert_eq!(received + rest.len(), LENGTH);
}

#[test]
fn a_client_that_has_taken_its_replies_may_become_idle() {
    // Longer than the kernel may take to retransmit what its full buffers dropped.
    let server = TestServer::start(&["--idle-timeout", "3s"]);
    let mut client = server.connect();
    let sent = fill(&mut client, &vec![b'x'; 32 << 20]);
    let start = Instant::now();
    let mut received = Vec::new();
    client.stream.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), sent);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_close_does_not_wait_for_a_client_that_takes_nothing() {
    let server = TestServer::start(&["-q", "--idle-timeout", "2s"]);
    // With some of these lengths, it is the last replies that do not fit in the kernel's buffers.
    let clients: Vec<_> = (1..60)
        .map(|length| {
            let client = server.connect();
            let mut sender = client.stream.try_clone().unwrap();
            std::thread::spawn(move || {
                let _ = sender.write_all(&vec![b'x'; length * (128 << 10)]);
                let _ = sender.write_all(b"\nCLOSE SOCKET\n");
            });
            client
        })
        .collect();
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", server.pid().as_raw_nonzero())).unwrap().count();
    eventually("descriptors", || (descriptors() > 40).then_some(()));
    // Those that got all of their replies may still discard for 10 s. The kernel gives up the others after two minutes.
    eventually("the end of all clients", || (descriptors() < 20).then_some(()));
    drop(clients);
}

#[test]
fn a_connection_can_have_a_time_limit() {
    let server = TestServer::start(&["--max-connection-time", "1s"]);
    let start = Instant::now();
    let mut dripping = server.connect();
    let sender = dripping.stream.try_clone().unwrap();
    let drip = std::thread::spawn(move || {
        let mut sender = &sender;
        while sender.write_all(b"x").is_ok() && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let mut received = Vec::new();
    dripping.stream.read_to_end(&mut received).unwrap();
    let time = start.elapsed();
    assert!(time >= Duration::from_millis(900) && time < Duration::from_secs(15), "{time:?}");
    // The unfinished message was answered.
    assert!(received.len() > 10 && received.iter().all(|&byte| byte == b'X'));
    // The drip ends too, and the server sees a clean end.
    dripping.end();
    drip.join().unwrap();
    drop(dripping);
    assert!(server.log_line_with("disconnected").contains("disconnected (connection time limit)"));
    // One that never pauses.
    let mut busy = server.connect();
    let mut sender = busy.stream.try_clone().unwrap();
    std::thread::spawn(move || while sender.write_all(&[b'x'; 4096]).is_ok() {});
    let start = Instant::now();
    let _ = std::io::copy(&mut busy.stream, &mut std::io::sink());
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    // One that takes nothing.
    let mut client = server.connect();
    fill(&mut client, &vec![b'x'; 32 << 20]);
    server.log_line_with("disconnected uncleanly (connection time limit)");
}

#[test]
fn an_idle_client_gets_the_answer_to_an_unfinished_message() {
    let server = TestServer::start(&["--idle-timeout", "1s", "--message-gap", "never"]);
    let mut client = server.connect();
    client.send("hello");
    client.expect_end("HELLO");
}

// Shutdown.

#[test]
fn sigterm_and_sigint_close_every_connection_cleanly() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        // No other test uses this address, so the port stays free for the second server.
        let mut server = TestServer::start_with(capchat().args(["serve", "127.0.0.9:0"]), 1);
        let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.expect_answer();
        }
        server.send_signal(signal);
        for client in &mut clients {
            client.expect_end("");
        }
        drop(clients);
        assert_eq!(server.wait().code(), Some(0));
        let again = TestServer::start_with(capchat().args(["serve", server.address()]), 1);
        again.connect().expect_answer();
    }
}

#[test]
fn a_hangup_removes_the_socket_unless_it_was_ignored_at_the_start() {
    let (_folder, path) = socket_path();
    let address = format!("unix:{path}");
    let mut server = TestServer::start_with(capchat().args(["serve", &address]), 1);
    server.send_signal(Signal::HUP);
    assert!(server.wait().success());
    assert!(!fs::exists(&path).unwrap());

    let mut command = capchat_after("trap '' HUP");
    let mut server = TestServer::start_with(command.args(["serve", &address]), 1);
    server.send_signal(Signal::HUP);
    Run::connect(&address).stdin("hi\n").run().succeeds_with("HI\n");
    server.send_signal(Signal::TERM);
    assert!(server.wait().success());
}

#[test]
fn what_was_received_before_the_signal_is_answered() {
    let mut server = TestServer::start(&["--message-gap", "never"]);
    let mut client = server.connect();
    client.expect_answer();
    client.send("one\ntwo");
    server.send_signal(Signal::TERM);
    client.expect_end("ONE\nTWO");
    drop(client);
    assert!(server.wait().success());
}

#[test]
fn clients_in_the_backlog_at_the_signal_are_answered() {
    raise_descriptor_limit();
    let mut server = TestServer::start(&["-q", "--max-clients", "10"]);
    // A stopped server does not accept.
    server.send_signal(Signal::STOP);
    let mut clients: Vec<Client> = (0..600).map(|_| server.connect()).collect();
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
fn a_client_that_reads_slowly_gets_what_it_sent_before_the_signal() {
    let mut server = TestServer::start(&["-q"]);
    let mut client = server.connect();
    // As much as the kernel buffers while the client does not read.
    client.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut sent = 0;
    while let Ok(length) = client.stream.write(&[b'x'; 4096]) {
        sent += length;
    }
    server.send_signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(700));
    let mut received = Vec::new();
    client.stream.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), sent);
    drop(client);
    assert!(server.wait().success());
}

#[test]
fn replies_that_the_shutdown_cuts_off_end_with_a_reset() {
    let mut server = TestServer::start(&["-q"]);
    // With some of these lengths, the last replies do not fit in the kernel's buffers.
    let sent = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (1..60)
        .map(|number| {
            let client = server.connect();
            let mut sender = client.stream.try_clone().unwrap();
            let length = number * (128 << 10);
            let sent = Arc::clone(&sent);
            let sending = std::thread::spawn(move || {
                let chunk = vec![b'x'; 64 << 10];
                for _ in 0..length / chunk.len() {
                    if sender.write_all(&chunk).is_err() {
                        return;
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                let _ = sender.shutdown(std::net::Shutdown::Write);
            });
            (client, length, sending)
        })
        .collect();
    // What is sent after the signal is not answered.
    eventually("clients that are done or blocked", || {
        let before = sent.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_secs(1));
        (sent.load(Ordering::Relaxed) == before).then_some(())
    });
    server.send_signal(Signal::TERM);
    assert!(server.wait().success());
    let mut cut = 0;
    for (client, length, sending) in clients {
        let mut received = Vec::new();
        match (&client.stream).read_to_end(&mut received) {
            Ok(_) => assert_eq!(received.len(), length),
            Err(_) => cut += 1,
        }
        sending.join().unwrap();
    }
    assert!(cut > 0);
}

#[test]
fn a_client_that_stays_delays_the_exit_and_a_second_signal_ends_it() {
    let mut server = TestServer::start(&[]);
    let mut client = server.connect();
    client.expect_answer();
    server.send_signal(Signal::TERM);
    client.expect_end("");
    server.log_line_with("SIGTERM: shutting down (1 client)");
    server.send_signal(Signal::TERM);
    let start = Instant::now();
    assert!(server.wait().success());
    // Without it, the client has 5 s.
    assert!(start.elapsed() < Duration::from_millis(4500));
    drop(client);
}

#[test]
fn a_client_that_stays_does_not_prevent_the_exit() {
    let mut server = TestServer::start(&[]);
    let mut client = server.connect();
    client.expect_answer();
    server.send_signal(Signal::TERM);
    let start = Instant::now();
    assert!(server.wait().success());
    // It gives clients 5 s, and discards for 10 s otherwise.
    assert!(start.elapsed() < Duration::from_millis(9500));
}

#[test]
fn exits_after_as_many_clients_as_asked() {
    let mut server = TestServer::start(&["--connections", "2"]);
    let mut first = server.connect();
    first.expect_answer();
    let mut second = server.connect();
    second.expect_answer();
    let mut third = server.connect();
    third.send("and I?\n");
    first.end();
    first.expect_end("");
    second.expect_answer();
    second.send("bye\nCLOSE SOCKET\n");
    second.expect_end("BYE\n");
    drop((first, second));
    assert_eq!(server.wait().code(), Some(0));
    let mut received = Vec::new();
    // The third one was never accepted: its connection is reset.
    let _ = third.stream.read_to_end(&mut received);
    assert_eq!(received, b"");
}
