//! `capchat connect` in pipes and scripts.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, SockRef, Socket, Type};

use crate::support::{Connect, DEADLINE, TestServer, capchat, custom_server, echo_server};

/// Bytes without a pattern, the same in each run (xorshift64*).
fn random_bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..length / 8)
        .flat_map(|_| {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes()
        })
        .collect()
}

fn numbered_lines(count: usize) -> String {
    (0..count).flat_map(|number| ["line ".to_owned(), number.to_string(), "\n".to_owned()]).collect()
}

/// Reads until the other side ends its own.
fn read_all(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// A server that tells what it received, and closes.
fn recording_server() -> (String, std::sync::mpsc::Receiver<Vec<u8>>) {
    let (sender, received) = channel();
    let address = custom_server(move |stream| sender.send(read_all(&stream)).unwrap());
    (address, received)
}

/// A server that treats what each recv gives as a message, answers it in capitals, and closes at a message
/// that is the close word and nothing else.
fn recv_server() -> (String, std::sync::mpsc::Receiver<Vec<u8>>) {
    let (sender, messages) = channel();
    let address = custom_server(move |mut stream| {
        let mut buffer = [0; 4096];
        while let length @ 1.. = stream.read(&mut buffer).unwrap() {
            let message = &buffer[..length];
            sender.send(message.to_vec()).unwrap();
            if message == b"CLOSE SOCKET" {
                break;
            }
            stream.write_all(&message.to_ascii_uppercase()).unwrap();
        }
    });
    (address, messages)
}

// A pipe that loses nothing.

#[test]
fn prints_the_reply() {
    let server = TestServer::start(&[]);
    Connect::to(server.address()).stdin("hi\n").run().succeeds_with("HI\n");
    Connect::to(server.address()).stdin("hi").run().succeeds_with("HI");
    Connect::to(server.address()).stdin("").run().succeeds_with("");
}

#[test]
fn the_null_device_is_an_empty_input() {
    let server = TestServer::start(&[]);
    let output = capchat().args(["connect", server.address()]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_hundred_thousand_lines_come_back() {
    let server = TestServer::start(&["-q"]);
    let lines = numbered_lines(100_000);
    Connect::to(server.address()).stdin(&lines).run().succeeds_with(lines.to_uppercase());
}

#[test]
fn random_bytes_come_back() {
    let bytes = random_bytes(20_000_000);
    Connect::to(&echo_server()).stdin(&bytes).run().succeeds_with(&bytes);
}

#[test]
fn no_byte_is_a_command() {
    let bytes = b"~.\n\x03\x04\x1d\x1b[A\n.\nquit\n\x00\xff\r\r\n";
    Connect::to(&echo_server()).stdin(bytes).run().succeeds_with(bytes);
}

#[test]
fn replies_that_come_late_are_waited_for() {
    let address = custom_server(|mut stream| {
        let received = read_all(&stream);
        for byte in received {
            thread::sleep(Duration::from_millis(20));
            stream.write_all(&[byte]).unwrap();
        }
    });
    Connect::to(&address).stdin("late\n").run().succeeds_with("late\n");
}

#[test]
fn a_conversation_goes_on_while_input_is_open() {
    let server = TestServer::start(&[]);
    let mut client = Connect::to(server.address()).start();
    for word in ["one", "two", "three"] {
        client.stdin.write_all(format!("{word}\n").as_bytes()).unwrap();
        assert_eq!(client.line(), format!("{word}\n").to_uppercase());
    }
}

#[test]
fn the_end_of_the_server_is_noticed_while_input_is_open() {
    let address = custom_server(|mut stream| stream.write_all(b"bye\n").unwrap());
    let mut client = Connect::to(&address).start();
    assert_eq!(client.line(), "bye\n");
    assert_eq!(client.wait(), (Some(0), String::new()));
}

#[test]
fn a_closed_standard_output_ends_it_quietly() {
    let server = TestServer::start(&["-q"]);
    let script = format!(
        "yes | {} connect {} | head -n 1; exit ${{PIPESTATUS[1]}}",
        env!("CARGO_BIN_EXE_capchat"),
        server.address()
    );
    let output = Command::new("timeout").args(["20", "bash", "-c", &script]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"Y\n"[..]));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_closed_standard_output_is_noticed_while_nothing_is_written() {
    let server = TestServer::start(&[]);
    let mut client = Connect::to(server.address()).start();
    client.stdin.write_all(b"hi\n").unwrap();
    assert_eq!(client.line(), "HI\n");
    // The input stays open, and the server has nothing to say.
    client.close_stdout();
    assert_eq!(client.wait(), (Some(0), String::new()));
}

#[test]
fn standard_streams_may_be_non_blocking() {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let (reader, mut writer) = std::io::pipe().unwrap();
    let (mut out_reader, out_writer) = std::io::pipe().unwrap();
    for descriptor in [rustix::fd::AsFd::as_fd(&reader), rustix::fd::AsFd::as_fd(&out_writer)] {
        fcntl_setfl(descriptor, fcntl_getfl(descriptor).unwrap() | OFlags::NONBLOCK).unwrap();
    }
    let bytes = random_bytes(1 << 20);
    let address = echo_server();
    let mut child = capchat().args(["connect", &address]).stdin(reader).stdout(out_writer).spawn().unwrap();
    let to_send = bytes.clone();
    thread::spawn(move || writer.write_all(&to_send));
    let mut received = Vec::new();
    out_reader.read_to_end(&mut received).unwrap();
    assert!(received == bytes);
    assert!(crate::support::wait(&mut child).success());
}

// Failures.

#[test]
fn a_full_disk_is_an_error() {
    let server = TestServer::start(&[]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let run = Connect::to(server.address()).stdin("hi\n").stdout(full).run();
    run.fails_with(1, &["could not write to standard output: No space left on device"]);
}

#[test]
fn an_input_that_breaks_off_is_an_error_after_the_replies() {
    let server = TestServer::start(&[]);
    let mut command = capchat();
    command.args(["connect", server.address()]).stdin(File::open("/").unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.starts_with("capchat: could not read standard input: Is a directory"), "{errors}");
}

#[test]
fn a_reset_is_an_error_after_what_came_before() {
    let address = custom_server(|mut stream| {
        stream.read_exact(&mut [0; 3]).unwrap();
        stream.write_all(b"half\n").unwrap();
        // The client has it: only then is it safe from the reset.
        stream.read_exact(&mut [0; 3]).unwrap();
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let mut client = Connect::to(&address).start();
    client.stdin.write_all(b"hi\n").unwrap();
    assert_eq!(client.line(), "half\n");
    client.stdin.write_all(b"hi\n").unwrap();
    let (status, errors) = client.wait();
    assert_eq!(status, Some(1));
    assert_eq!(
        errors,
        format!("capchat: the connection to {address} broke: Connection reset by peer (os error 104)\n")
    );
}

#[test]
fn a_reset_that_a_write_meets_is_an_error_too() {
    for _ in 0..20 {
        let address = custom_server(|stream| {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        });
        let run = Connect::to(&address).stdin(vec![b'x'; 1 << 20]).run();
        run.fails_with(1, &[&address, "reset by peer"]);
    }
}

#[test]
fn an_end_of_stream_wins_over_a_write_that_fails_after_it() {
    for _ in 0..20 {
        let address = custom_server(|mut stream| {
            stream.read_exact(&mut [0; 100]).unwrap();
            stream.write_all(b"enough\n").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            // Closed with input unread: what the client sends next is answered with a reset.
        });
        let run = Connect::to(&address).stdin(vec![b'x'; 8 << 20]).run();
        run.succeeds_with("enough\n");
    }
}

#[test]
fn a_refused_connection_is_told_at_once() {
    let start = Instant::now();
    Connect::to("127.0.0.1:1").run().fails_with(1, &["could not connect to 127.0.0.1:1: Connection refused"]);
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_server_that_cannot_be_found_is_told() {
    Connect::to("no-such-host.invalid").run().fails_with(1, &["no-such-host.invalid:5605", "lookup"]);
    Connect::to("unix:/no/such/socket").run().fails_with(1, &["unix:/no/such/socket", "No such file"]);
    Connect::to("127.0.0.1:1").args(&["-6"]).run().fails_with(1, &["127.0.0.1 has no IPv6 address"]);
}

#[test]
fn a_bad_command_line_is_one_line_and_status_2() {
    for (arguments, text) in [
        (&["65536"][..], "'65536' is not a port (0 to 65535)"),
        (&["0"], "port 0 is for servers"),
        (&["localhost:"], "no port behind the colon"),
        (&[""], "the address is empty"),
        (&["host:1", "2"], "'host:1' is a whole address, yet '2' follows it"),
        (&["-w", "5x"], "'x' is not a unit of time"),
        (&["--retry", "soon"], "invalid value 'soon' for '--retry"),
        (&["--eol", "cr"], "[possible values: lf, crlf, none]"),
        (&["-C", "--eol", "lf"], "cannot be used with"),
        (&["-4", "-6"], "cannot be used with"),
    ] {
        let output = capchat().arg("connect").args(arguments).stdin(Stdio::null()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.starts_with("capchat: ") && errors.contains(text), "{arguments:?}: {errors}");
        assert_eq!(errors.matches('\n').count(), 1, "{errors}");
    }
    let output = capchat().args(["connect", "1:\n\x1b[31m2:x"]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("1:\\n\\u{1b}[31m2:x") && errors.matches('\n').count() == 1, "{errors}");
    let output = capchat().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("capchat: "));
}

#[test]
fn an_interrupt_kills_it_as_a_shell_expects() {
    let server = TestServer::start(&[]);
    let mut client = Connect::to(server.address()).start();
    client.stdin.write_all(b"hi\n").unwrap();
    assert_eq!(client.line(), "HI\n");
    kill_process(Pid::from_child(&client.child), Signal::INT).unwrap();
    // A shell shows this as 130.
    assert_eq!(crate::support::wait(&mut client.child).signal(), Some(2));
}

#[test]
fn help_on_a_full_disk_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output =
        capchat().arg("--help").stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output();
    assert_eq!(output.unwrap().status.code(), Some(1));
}

// Time limits and retries.

#[test]
fn a_connection_that_nobody_accepts_times_out() {
    // A backlog without room: the kernel drops what a client sends to open a connection.
    let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    full.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    let _filling: Vec<_> =
        (0..4).map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200))).collect();
    let run = Connect::to(&address.to_string()).args(&["--connect-timeout", "200ms"]).run();
    run.fails_with(1, &[&format!("could not connect to {address}"), "no answer"]);
    let run = Connect::to(&address.to_string()).args(&["--max-time", "200ms"]).run();
    run.fails_with(124, &[&format!("not done with {address} within 200ms")]);
}

#[test]
fn a_server_that_comes_late_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", folder.path().join("socket").display());
    let mut client = Connect::to(&address).args(&["--retry", "20s", "-v"]).start();
    client.stdin.write_all(b"hi\n").unwrap();
    let mut errors = std::io::BufReader::new(client.child.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut errors, &mut line).unwrap();
    assert_eq!(
        line,
        format!(
            "capchat: could not connect to {address}: No such file or directory (os error 2); trying again\n"
        )
    );
    let _server = TestServer::start_with(capchat().args(["serve", &address]), 1);
    assert_eq!(client.line(), "HI\n");
}

#[test]
fn a_server_that_never_comes_is_given_up() {
    let start = Instant::now();
    let run = Connect::to("127.0.0.1:1").args(&["--retry", "300ms"]).run();
    run.fails_with(1, &["Connection refused", "(tried for 300ms)"]);
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_reply_that_does_not_come_times_out() {
    let address = custom_server(|stream| drop(read_all(&stream)));
    // The input stays open, so that nothing but the reply is missing.
    let mut client = Connect::to(&address).args(&["-w", "200ms"]).start();
    client.stdin.write_all(b"hello?\n").unwrap();
    let (status, errors) = client.wait();
    assert_eq!((status, errors), (Some(124), format!("capchat: no reply from {address} within 200ms\n")));
}

#[test]
fn an_end_that_does_not_come_times_out() {
    let address = custom_server(|mut stream| {
        stream.write_all(b"hello\n").unwrap();
        read_all(&stream);
        thread::sleep(DEADLINE);
    });
    let run = Connect::to(&address).args(&["--timeout", "0.2"]).run();
    run.fails_with(124, &["within 200ms"]);
    assert_eq!(run.0.stdout, b"hello\n");
}

#[test]
fn a_pause_of_the_user_is_not_the_servers() {
    let server = TestServer::start(&[]);
    let mut client = Connect::to(server.address()).args(&["-w", "300ms"]).start();
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(600));
        client.stdin.write_all(b"hi\n").unwrap();
        assert_eq!(client.line(), "HI\n");
    }
}

#[test]
fn a_slow_reader_is_not_the_servers_fault() {
    let bytes = random_bytes(8 << 20);
    let to_send = bytes.clone();
    let address = custom_server(move |mut stream| stream.write_all(&to_send).unwrap());
    let mut client = Connect::to(&address).args(&["-w", "300ms"]).start();
    thread::sleep(Duration::from_millis(900));
    let mut received = Vec::new();
    client.stdout.read_to_end(&mut received).unwrap();
    assert!(received == bytes);
    assert_eq!(client.wait(), (Some(0), String::new()));
}

#[test]
fn the_servers_time_begins_anew_when_a_slow_reader_is_done() {
    // More than a pipe takes, and then what needs the other buffer: nothing more can be received.
    const FIRST: usize = 100_000;
    let (sender, resumed) = channel();
    let resumed = std::sync::Mutex::new(resumed);
    let address = custom_server(move |mut stream| {
        stream.write_all(&vec![b'x'; FIRST - 1]).unwrap();
        thread::sleep(Duration::from_millis(300));
        stream.write_all(b"y").unwrap();
        resumed.lock().unwrap().recv_timeout(DEADLINE).unwrap();
        thread::sleep(Duration::from_millis(300));
        stream.write_all(b"rest").unwrap();
    });
    let mut command = capchat();
    // The input has ended, so that the server owes its end, too.
    command.args(["connect", &address, "-w", "1s"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    thread::sleep(Duration::from_millis(1500));
    stdout.read_exact(&mut vec![0; FIRST]).unwrap();
    sender.send(()).unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), crate::support::wait(&mut child).code()), ("rest", Some(0)));
}

#[test]
fn the_whole_run_can_be_limited() {
    let server = TestServer::start(&[]);
    let mut client = Connect::to(server.address()).args(&["--max-time", "300ms"]).start();
    client.stdin.write_all(b"hi\n").unwrap();
    assert_eq!(client.line(), "HI\n");
    assert_eq!(
        client.wait(),
        (Some(124), format!("capchat: not done with {} within 300ms\n", server.address()))
    );
    // Also while nobody reads standard output, and while there is no server.
    let address = custom_server(|mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    let client = Connect::to(&address).args(&["--max-time", "300ms"]).start();
    assert_eq!(client.wait().0, Some(124));
    let run = Connect::to("127.0.0.1:1").args(&["--max-time", "300ms", "--retry", "1h"]).run();
    run.fails_with(124, &["not done with 127.0.0.1:1 within 300ms"]);
}

// Lines.

#[test]
fn lines_end_as_they_are_asked_to() {
    for (arguments, expected) in [
        (&[][..], &b"a\nb\r\n\nlast"[..]),
        (&["--eol", "lf"], b"a\nb\n\nlast"),
        (&["--eol", "crlf"], b"a\r\nb\r\n\r\nlast"),
        (&["-C"], b"a\r\nb\r\n\r\nlast"),
        (&["--eol", "none"], b"ablast"),
        (&["-C", "--lockstep", "-w", "200ms"], b"a\r\n"),
    ] {
        let (address, received) = recording_server();
        Connect::to(&address).args(arguments).stdin("a\nb\r\n\nlast").run();
        let received = received.recv_timeout(DEADLINE).unwrap();
        assert_eq!(received.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{arguments:?}");
    }
}

#[test]
fn chunks_that_become_nothing_stop_nothing() {
    for (end_of_line, nothing, expected) in [("none", "\n", "hello"), ("lf", "\r", "\r\r\r\r\rhello\n")] {
        let mut client = Connect::to(&echo_server()).args(&["--eol", end_of_line]).start();
        for _ in 0..5 {
            client.stdin.write_all(nothing.as_bytes()).unwrap();
            // Each in a read of its own, as far as that can be had.
            thread::sleep(Duration::from_millis(20));
        }
        client.stdin.write_all(b"hello\n").unwrap();
        let mut received = vec![0; expected.len()];
        client.stdout.read_exact(&mut received).unwrap();
        assert_eq!(String::from_utf8(received).unwrap(), expected);
    }
}

#[test]
fn many_chunks_that_become_nothing_in_a_row_stop_nothing() {
    for _ in 0..5 {
        let mut client = Connect::to(&echo_server()).args(&["--eol", "none"]).start();
        for _ in 0..2000 {
            client.stdin.write_all(b"\n").unwrap();
            thread::yield_now();
        }
        client.stdin.write_all(b"hello\n").unwrap();
        let mut received = vec![0; 5];
        client.stdout.read_exact(&mut received).unwrap();
        assert_eq!(received, b"hello");
    }
}

#[test]
fn lockstep_passes_over_lines_that_become_nothing() {
    let (address, messages) = recv_server();
    let run = Connect::to(&address).args(&["--lockstep", "--eol", "none"]).stdin("one\n\n\ntwo\n").run();
    run.succeeds_with("ONETWO");
    assert_eq!(messages.try_iter().collect::<Vec<_>>(), [b"one".to_vec(), b"two".to_vec()]);
}

#[test]
fn lockstep_ends_its_side_with_a_last_line_that_has_no_end() {
    let server = TestServer::start(&["--message-gap", "never"]);
    Connect::to(server.address()).args(&["--lockstep"]).stdin("a\nb").run().succeeds_with("A\nB");
    Connect::to(server.address()).args(&["--lockstep"]).stdin("").run().succeeds_with("");
}

#[test]
fn lockstep_takes_its_own_full_pipe_for_no_gap() {
    const LENGTH: usize = 8 << 20;
    let (sender, second_line) = channel();
    let address = custom_server(move |mut stream| {
        stream.read_exact(&mut [0; 2]).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let reply = thread::spawn(move || {
            writer.write_all(&vec![b'x'; LENGTH - 1]).unwrap();
            writer.write_all(b"\n").unwrap();
        });
        stream.read_exact(&mut [0; 2]).unwrap();
        sender.send(()).unwrap();
        reply.join().unwrap();
        stream.write_all(b"end\n").unwrap();
    });
    let mut client = Connect::to(&address).args(&["--lockstep"]).start();
    client.stdin.write_all(b"1\n2\n").unwrap();
    // Nobody reads for ten times the gap: the second line must wait for the whole of the first reply.
    assert!(second_line.recv_timeout(Duration::from_millis(500)).is_err());
    assert_eq!(client.line().len(), LENGTH);
    second_line.recv_timeout(DEADLINE).unwrap();
    assert_eq!(client.line(), "end\n");
}

#[test]
fn lockstep_sends_a_line_when_the_reply_to_the_last_is_there() {
    let (address, messages) = recv_server();
    let run = Connect::to(&address).args(&["--lockstep"]).stdin("one\ntwo\r\nthree").run();
    run.succeeds_with("ONE\nTWO\r\nTHREE");
    let messages: Vec<Vec<u8>> = messages.try_iter().collect();
    assert_eq!(messages, [b"one\n".to_vec(), b"two\r\n".to_vec(), b"three".to_vec()]);
}

#[test]
fn lockstep_without_line_ends_talks_to_a_server_that_takes_each_recv_as_a_message() {
    let (address, messages) = recv_server();
    let run =
        Connect::to(&address).args(&["--lockstep", "--eol", "none"]).stdin("one\ntwo\nCLOSE SOCKET\n").run();
    run.succeeds_with("ONETWO");
    let messages: Vec<Vec<u8>> = messages.try_iter().collect();
    assert_eq!(messages, [b"one".to_vec(), b"two".to_vec(), b"CLOSE SOCKET".to_vec()]);
}

#[test]
fn lockstep_with_lines_left_is_status_3() {
    let server = TestServer::start(&[]);
    let run = Connect::to(server.address()).args(&["--lockstep"]).stdin("a\nCLOSE SOCKET\nb\n").run();
    run.fails_with(3, &[&format!("{} closed the connection before all lines were sent", server.address())]);
    assert_eq!(run.0.stdout, b"A\n");
    let run = Connect::to(server.address()).args(&["--lockstep"]).stdin("a\nCLOSE SOCKET\n").run();
    run.succeeds_with("A\n");
}

#[test]
fn lockstep_waits_for_a_reply_for_as_long_as_it_may() {
    let address = custom_server(|mut stream| {
        stream.read_exact(&mut [0; 2]).unwrap();
        stream.write_all(b"first\n").unwrap();
        read_all(&stream);
    });
    let run = Connect::to(&address).args(&["--lockstep", "-w", "300ms"]).stdin("a\nb\nc\n").run();
    run.fails_with(124, &["no reply"]);
    assert_eq!(run.0.stdout, b"first\n");
}

#[test]
fn lockstep_takes_lines_of_any_length() {
    let server = TestServer::start(&["--message-gap", "never"]);
    let line = format!("{}\n", "a".repeat(5 << 20));
    let run = Connect::to(server.address()).args(&["--lockstep"]).stdin(format!("{line}x\n{line}")).run();
    run.succeeds_with(format!("{line}x\n{line}").to_uppercase());
}

#[test]
fn lockstep_goes_through_many_lines_quickly() {
    let server = TestServer::start(&["-q"]);
    let lines = numbered_lines(10_000);
    Connect::to(server.address())
        .args(&["--lockstep"])
        .stdin(&lines)
        .run()
        .succeeds_with(lines.to_uppercase());
}

// Addresses, and what is told.

#[test]
fn the_environment_names_the_default_address() {
    let server = TestServer::start(&[]);
    let port = server.port().to_string();
    for (environment, arguments) in [
        (server.address(), &[][..]),
        (&format!("127.0.0.1 {port}"), &[]),
        (&format!(":{port}"), &["127.0.0.1"]),
        ("localhost:1", &[port.as_str()]),
        ("", &[port.as_str()]),
    ] {
        let mut command = capchat();
        command.env("CAPCHAT_ADDRESS", environment).arg("connect").args(arguments).arg("-4");
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{environment:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn tells_what_happens_where_asked() {
    let server = TestServer::start(&[]);
    let run = Connect::to(server.address()).args(&["-v"]).stdin("hello\n").run();
    assert_eq!(run.0.stdout, b"HELLO\n");
    assert_eq!(
        run.errors(),
        format!("capchat: connected to {}\ncapchat: bytes sent 6, received 6\n", server.address())
    );
}
