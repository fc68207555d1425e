//! `capchat connect`: time limits, and `--retry`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::support::custom_server::{custom_server, read_all};
use crate::support::data::random_bytes;
use crate::support::programs::capchat;
use crate::support::run::Run;
use crate::support::server::TestServer;
use crate::support::wait::{DEADLINE, lines_of, wait_for_exit};

/// An address that drops what clients send to connect. When the backlog is full, the kernel does that.
fn silent_address() -> (SocketAddr, impl Sized) {
    let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    full.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    let filling: Vec<_> =
        (0..4).map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200))).collect();
    (address, (full, filling))
}

#[test]
fn retry_ends_in_time_if_nothing_answers() {
    let (address, _full) = silent_address();
    // An attempt takes 10 s otherwise.
    for (retry, least, most) in [("1s", 1, 8), ("3s", 3, 9)] {
        let start = Instant::now();
        let run = Run::connect(&address.to_string()).args(&["--retry", retry]).run();
        run.fails_with(1, &["no answer", &format!("(gave up after {retry})")]);
        let took = start.elapsed();
        assert!((least..most).contains(&took.as_secs()), "{took:?}");
    }
}

#[test]
fn an_unanswered_connection_attempt_times_out() {
    let (address, _full) = silent_address();
    let run = Run::connect(&address.to_string()).args(&["--connect-timeout", "200ms"]).run();
    run.fails_with(1, &[&format!("could not connect to {address}"), "no answer"]);
    let run = Run::connect(&address.to_string()).args(&["--max-time", "200ms"]).run();
    run.fails_with(124, &["timed out: not finished after 200ms (--max-time)"]);
}

#[test]
fn retry_waits_for_a_server_that_starts_later() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", folder.path().join("socket").display());
    let mut client = Run::connect(&address).args(&["--retry", "20s", "-v"]).start();
    client.stdin.write_all(b"hi\n").unwrap();
    let errors = lines_of(client.child.stderr.take().unwrap());
    assert_eq!(
        errors.recv_timeout(DEADLINE).unwrap(),
        format!("capchat: could not connect to {address}: no such file or directory; trying again")
    );
    let _server = TestServer::start_with(capchat().args(["serve", &address]), 1);
    assert_eq!(client.line(), "HI\n");
}

#[test]
fn retry_gives_up_on_a_server_that_never_starts() {
    let start = Instant::now();
    let run = Run::connect("127.0.0.1:1").args(&["--retry", "300ms"]).run();
    run.fails_with(1, &["connection refused", "(gave up after 300ms)"]);
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_missing_reply_times_out() {
    let address = custom_server(|stream| drop(read_all(&stream)));
    // The input stays open: only the reply is missing.
    let mut client = Run::connect(&address).args(&["-w", "200ms"]).start();
    client.stdin.write_all(b"hello?\n").unwrap();
    let (status, errors) = client.wait();
    assert_eq!(
        (status, errors),
        (Some(124), format!("capchat: timed out after 200ms waiting for a reply from {address}\n"))
    );
}

#[test]
fn a_missing_end_of_the_server_times_out() {
    let address = custom_server(|mut stream| {
        stream.write_all(b"hello\n").unwrap();
        read_all(&stream);
        thread::sleep(DEADLINE);
    });
    let run = Run::connect(&address).args(&["--timeout", "1.5"]).run();
    run.fails_with(124, &["timed out after 1.5s waiting for a reply"]);
    assert_eq!(run.0.stdout, b"hello\n");
}

#[test]
fn a_pause_in_the_input_does_not_count() {
    let server = TestServer::start(&[]);
    let mut client = Run::connect(server.address()).args(&["-w", "1s"]).start();
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(1600));
        client.stdin.write_all(b"hi\n").unwrap();
        assert_eq!(client.line(), "HI\n");
    }
}

#[test]
fn the_time_of_a_slow_reader_does_not_count() {
    let bytes = random_bytes(8 << 20);
    let to_send = bytes.clone();
    let address = custom_server(move |mut stream| stream.write_all(&to_send).unwrap());
    let mut client = Run::connect(&address).args(&["-w", "1s"]).start();
    thread::sleep(Duration::from_millis(2500));
    let mut received = Vec::new();
    client.stdout.read_to_end(&mut received).unwrap();
    assert!(received == bytes);
    assert_eq!(client.wait(), (Some(0), String::new()));
}

#[test]
fn the_time_starts_again_after_a_slow_reader() {
    // Fills the pipe and both of the client's buffers, so that it stops receiving.
    const FIRST: usize = 100_000;
    let (sender, resumed) = channel();
    let resumed = Mutex::new(resumed);
    let address = custom_server(move |mut stream| {
        stream.write_all(&vec![b'x'; FIRST - 1]).unwrap();
        thread::sleep(Duration::from_millis(300));
        stream.write_all(b"y").unwrap();
        resumed.lock().unwrap().recv_timeout(DEADLINE).unwrap();
        thread::sleep(Duration::from_millis(300));
        stream.write_all(b"rest").unwrap();
    });
    let mut command = capchat();
    // The input is at EOF, so that the end of the server is outstanding.
    command.args(["connect", &address, "-w", "2s"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    thread::sleep(Duration::from_secs(3));
    stdout.read_exact(&mut vec![0; FIRST]).unwrap();
    sender.send(()).unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), wait_for_exit(&mut child).code()), ("rest", Some(0)));
}

#[test]
fn max_time_limits_the_whole_run() {
    let server = TestServer::start(&[]);
    let mut client = Run::connect(server.address()).args(&["--max-time", "2s"]).start();
    client.stdin.write_all(b"hi\n").unwrap();
    assert_eq!(client.line(), "HI\n");
    assert_eq!(
        client.wait(),
        (Some(124), "capchat: timed out: not finished after 2s (--max-time)\n".to_owned())
    );
    // Even while nobody reads standard output, and before there is a server.
    let address = custom_server(|mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    let client = Run::connect(&address).args(&["--max-time", "300ms"]).start();
    assert_eq!(client.wait().0, Some(124));
    let run = Run::connect("127.0.0.1:1").args(&["--max-time", "300ms", "--retry", "1h"]).run();
    run.fails_with(124, &["timed out: not finished after 300ms (--max-time)"]);
}
