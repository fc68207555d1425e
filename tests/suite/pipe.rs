//! `capchat connect` in a pipe: nothing is lost, and failures are reported.

use std::fs::File;
use std::io::{Read, Write, pipe};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use socket2::SockRef;

use crate::support::custom_server::{custom_server, echo_server, read_all};
use crate::support::data::{numbered_lines, random_bytes};
use crate::support::programs::capchat;
use crate::support::run::Run;
use crate::support::server::TestServer;
use crate::support::wait::{DEADLINE, wait_for_exit};

/// A server that reads until EOF, and closes. Returns its address, and what it received.
fn recording_server() -> (String, Receiver<Vec<u8>>) {
    let (sender, received) = channel();
    let address = custom_server(move |stream| sender.send(read_all(&stream)).unwrap());
    (address, received)
}

// Nothing is lost.

#[test]
fn prints_the_reply() {
    let server = TestServer::start(&[]);
    Run::connect(server.address()).stdin("hi\n").run().succeeds_with("HI\n");
    Run::connect(server.address()).stdin("hi").run().succeeds_with("HI");
    Run::connect(server.address()).stdin("").run().succeeds_with("");
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
    Run::connect(server.address()).stdin(&lines).run().succeeds_with(lines.to_uppercase());
}

#[test]
fn random_bytes_come_back() {
    let bytes = random_bytes(20_000_000);
    Run::connect(&echo_server()).stdin(&bytes).run().succeeds_with(&bytes);
}

#[test]
fn no_byte_is_a_command() {
    let bytes = b"~.\n\x03\x04\x1d\x1b[A\n.\nquit\n\x00\xff\r\r\n";
    Run::connect(&echo_server()).stdin(bytes).run().succeeds_with(bytes);
}

#[test]
fn late_replies_are_waited_for() {
    let address = custom_server(|mut stream| {
        let received = read_all(&stream);
        for byte in received {
            thread::sleep(Duration::from_millis(20));
            stream.write_all(&[byte]).unwrap();
        }
    });
    Run::connect(&address).stdin("late\n").run().succeeds_with("late\n");
}

#[test]
fn a_conversation_goes_on_while_input_is_open() {
    let server = TestServer::start(&[]);
    let mut client = Run::connect(server.address()).start();
    for word in ["one", "two", "three"] {
        client.stdin.write_all(format!("{word}\n").as_bytes()).unwrap();
        assert_eq!(client.line(), format!("{word}\n").to_uppercase());
    }
}

#[test]
fn the_end_of_the_server_is_noticed_while_input_is_open() {
    let address = custom_server(|mut stream| stream.write_all(b"bye\n").unwrap());
    let mut client = Run::connect(&address).start();
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
    let mut client = Run::connect(server.address()).start();
    client.stdin.write_all(b"hi\n").unwrap();
    assert_eq!(client.line(), "HI\n");
    // The input stays open, and the server is silent.
    client.close_stdout();
    assert_eq!(client.wait(), (Some(0), String::new()));
}

#[test]
fn standard_streams_may_be_non_blocking() {
    let (reader, mut writer) = pipe().unwrap();
    let (mut out_reader, out_writer) = pipe().unwrap();
    for descriptor in [reader.as_fd(), out_writer.as_fd()] {
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
    assert!(wait_for_exit(&mut child).success());
}

// Failures.

#[test]
fn a_full_disk_is_an_error() {
    let server = TestServer::start(&[]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let run = Run::connect(server.address()).stdin("hi\n").stdout(full).run();
    run.fails_with(1, &["could not write to standard output: no space left on device"]);
}

#[test]
fn a_read_error_on_standard_input_is_a_failure() {
    let server = TestServer::start(&[]);
    let mut command = capchat();
    command.args(["connect", server.address()]).stdin(File::open("/").unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.starts_with("capchat: could not read standard input: is a directory"), "{errors}");
}

#[test]
fn a_reset_is_an_error_after_the_data_before_it() {
    let address = custom_server(|mut stream| {
        stream.read_exact(&mut [0; 3]).unwrap();
        stream.write_all(b"half\n").unwrap();
        // The client has read the data, which the reset cannot destroy anymore.
        stream.read_exact(&mut [0; 3]).unwrap();
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let mut client = Run::connect(&address).start();
    client.stdin.write_all(b"hi\n").unwrap();
    assert_eq!(client.line(), "half\n");
    client.stdin.write_all(b"hi\n").unwrap();
    let (status, errors) = client.wait();
    assert_eq!(status, Some(1));
    assert_eq!(errors, format!("capchat: {address}: connection reset by peer\n"));
}

#[test]
fn a_reset_found_by_a_write_is_an_error_too() {
    for _ in 0..20 {
        let address = custom_server(|stream| {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        });
        let run = Run::connect(&address).stdin(vec![b'x'; 1 << 20]).run();
        run.fails_with(1, &[&address, "reset by peer"]);
    }
}

#[test]
fn unsent_input_after_an_end_of_stream_is_status_3() {
    for _ in 0..20 {
        let address = custom_server(|mut stream| {
            stream.read_exact(&mut [0; 100]).unwrap();
            stream.write_all(b"enough\n").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            // Closed with unread input: the kernel answers what the client sends next with a reset.
        });
        let run = Run::connect(&address).stdin(vec![b'x'; 8 << 20]).run();
        run.fails_with(3, &[&format!("{address} closed the connection before all input was sent")]);
        assert_eq!(run.0.stdout, b"enough\n");
    }
}

#[test]
fn a_refused_connection_is_reported_immediately() {
    let start = Instant::now();
    Run::connect("127.0.0.1:1")
        .run()
        .fails_with(1, &["could not connect to 127.0.0.1:1: connection refused"]);
    // An attempt may take 10 s.
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_server_that_cannot_be_found_is_reported() {
    Run::connect("no-such-host.invalid").run().fails_with(1, &["no-such-host.invalid:5605: unknown host"]);
    Run::connect("unix:/no/such/socket").run().fails_with(1, &["unix:/no/such/socket", "no such file"]);
    Run::connect("127.0.0.1:1").args(&["-6"]).run().fails_with(1, &["127.0.0.1 has no IPv6 address"]);
}

#[test]
fn a_host_name_cannot_reorder_the_terminal() {
    let run = Run::connect("\u{202e}moc.elpmaxe").run();
    run.fails_with(1, &[r"could not connect to \u{202e}moc.elpmaxe:5605: "]);
}

#[test]
fn an_interrupt_ends_it_as_a_shell_expects() {
    let server = TestServer::start(&[]);
    let mut client = Run::connect(server.address()).start();
    client.stdin.write_all(b"hi\n").unwrap();
    assert_eq!(client.line(), "HI\n");
    kill_process(Pid::from_child(&client.child), Signal::INT).unwrap();
    // The shell reports this as 130.
    assert_eq!(wait_for_exit(&mut client.child).signal(), Some(2));
}

// Line endings.

#[test]
fn lines_end_as_eol_says() {
    for (arguments, expected) in [
        (&[][..], &b"a\nb\r\n\nlast"[..]),
        (&["--eol", "lf"], b"a\nb\n\nlast"),
        (&["--eol", "crlf"], b"a\r\nb\r\n\r\nlast"),
        (&["-C"], b"a\r\nb\r\n\r\nlast"),
        (&["--eol", "none"], b"ablast"),
        (&["-C", "--lockstep", "-w", "1s"], b"a\r\n"),
    ] {
        let (address, received) = recording_server();
        Run::connect(&address).args(arguments).stdin("a\nb\r\n\nlast").run();
        let received = received.recv_timeout(DEADLINE).unwrap();
        assert_eq!(received.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{arguments:?}");
    }
}

#[test]
fn input_that_becomes_empty_stops_nothing() {
    for (end_of_line, nothing, expected) in [("none", "\n", "hello"), ("lf", "\r", "\r\r\r\r\rhello\n")] {
        let mut client = Run::connect(&echo_server()).args(&["--eol", end_of_line]).start();
        for _ in 0..5 {
            client.stdin.write_all(nothing.as_bytes()).unwrap();
            // Most likely a read of its own.
            thread::sleep(Duration::from_millis(20));
        }
        client.stdin.write_all(b"hello\n").unwrap();
        let mut received = vec![0; expected.len()];
        client.stdout.read_exact(&mut received).unwrap();
        assert_eq!(String::from_utf8(received).unwrap(), expected);
    }
}

#[test]
fn much_input_that_becomes_empty_stops_nothing() {
    for _ in 0..5 {
        let mut client = Run::connect(&echo_server()).args(&["--eol", "none"]).start();
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

// What is logged.

#[test]
fn logs_the_connection_if_asked() {
    let server = TestServer::start(&[]);
    let run = Run::connect(server.address()).args(&["-v"]).stdin("hello\n").run();
    assert_eq!(run.0.stdout, b"HELLO\n");
    assert_eq!(
        run.errors(),
        format!("capchat: connected to {}\ncapchat: sent 6 bytes, received 6 bytes\n", server.address())
    );
}
