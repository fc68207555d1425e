//! `serve --forward`: what one side does reaches the other side, and what they say can be recorded.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use socket2::SockRef;

use crate::support::chats::Chats;
use crate::support::client::Client;
use crate::support::custom_server::{
    Nobody, Reply, custom_server, echo_server, line_server, read_all, reset, say,
};
use crate::support::programs::{capchat, capchat_after};
use crate::support::run::Run;
use crate::support::server::TestServer;
use crate::support::wait::{DEADLINE, eventually};

/// More than the buffers of two kernels and a forwarder hold.
const LARGE: usize = 64 << 20;

fn forward_to(target: &str, options: &[&str]) -> TestServer {
    TestServer::start(&[&["--forward", target], options].concat())
}

/// A target whose connections the test handles itself.
fn target() -> (String, Receiver<TcpStream>) {
    let (sender, connections) = channel();
    (custom_server(move |stream| drop(sender.send(stream))), connections)
}

/// A forwarder, a client, and the target's end of its connection.
fn connected(options: &[&str]) -> (TestServer, Client, Client) {
    let (address, connections) = target();
    let forwarder = forward_to(&address, options);
    let client = forwarder.connect();
    let stream = connections.recv_timeout(DEADLINE).unwrap();
    (forwarder, client, Client { stream })
}

/// The same, once bytes have passed: a target that resets before that has not been reached.
fn talking() -> (TestServer, Client, Client) {
    let (forwarder, mut client, mut target) = connected(&[]);
    client.send("?");
    target.expect("?");
    (forwarder, client, target)
}

/// Bytes that do not repeat soon.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33).to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// Receives exactly these bytes, without writing them into a message.
#[track_caller]
fn receive(mut stream: &TcpStream, expected: &[u8]) {
    let mut received = vec![0; expected.len()];
    stream.read_exact(&mut received).unwrap();
    assert!(received == expected, "other bytes");
}

/// The error of the next read, which is a reset.
#[track_caller]
fn expect_reset(mut stream: &TcpStream) {
    let read = stream.read(&mut [0; 100]);
    assert_eq!(read.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
}

/// Waits for a reset that reads do not report, because EOF was read before.
#[track_caller]
fn expect_reset_after_eof(stream: &TcpStream) {
    let error = eventually("a reset", || stream.take_error().unwrap());
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
}

fn reset_now(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

#[test]
fn bytes_pass_unchanged_in_both_directions_at_a_time() {
    let (_forwarder, client, target) = connected(&[]);
    let (up, down) = (noise(20 << 20), noise(21 << 20));
    thread::scope(|scope| {
        scope.spawn(|| (&client.stream).write_all(&up).unwrap());
        scope.spawn(|| (&target.stream).write_all(&down).unwrap());
        scope.spawn(|| receive(&target.stream, &up));
        receive(&client.stream, &down);
    });
}

#[test]
fn either_side_can_end_first_and_the_other_one_go_on() {
    let (forwarder, mut client, mut target) = connected(&[]);
    client.send("last");
    client.end();
    target.expect_end("last");
    let more = noise(5 << 20);
    thread::scope(|scope| {
        scope.spawn(|| (&target.stream).write_all(&more).unwrap());
        receive(&client.stream, &more);
    });
    target.end();
    client.expect_end("");
    let line = forwarder.log_line_with("disconnected");
    assert!(
        line.contains(&format!(" disconnected (closed by client): 4 B in, {} B out, ", more.len())),
        "{line}"
    );

    let (forwarder, mut client, mut target) = connected(&[]);
    target.send("bye");
    target.end();
    client.expect_end("bye");
    thread::scope(|scope| {
        scope.spawn(|| (&client.stream).write_all(&more).unwrap());
        receive(&target.stream, &more);
    });
    client.end();
    target.expect_end("");
    assert!(forwarder.log_line_with("disconnected").contains(" disconnected (closed by target): "));
}

#[test]
fn a_reset_of_one_side_becomes_a_reset_of_the_other() {
    // Idle.
    let (forwarder, client, target) = talking();
    client.reset();
    expect_reset(&target.stream);
    assert!(forwarder.log_line_with("disconnected").contains(" disconnected uncleanly (reset by client): "));
    let (forwarder, client, target) = talking();
    target.reset();
    expect_reset(&client.stream);
    assert!(forwarder.log_line_with("disconnected").contains(" disconnected uncleanly (reset by target): "));
    // What was sent before is delivered.
    let said = noise(100_000);
    let (_forwarder, mut client, target) = talking();
    client.send(&said);
    reset(client.stream);
    receive(&target.stream, &said);
    expect_reset(&target.stream);
    let (_forwarder, client, mut target) = talking();
    target.send(&said);
    reset(target.stream);
    receive(&client.stream, &said);
    expect_reset(&client.stream);
}

#[test]
fn a_reset_after_eof_is_passed_on_although_nobody_says_anything() {
    let (_forwarder, client, mut target) = talking();
    client.end();
    target.expect_end("");
    client.reset();
    expect_reset_after_eof(&target.stream);
    let (_forwarder, mut client, target) = talking();
    target.end();
    client.expect_end("");
    target.reset();
    expect_reset_after_eof(&client.stream);
    // The other way: the side that has not ended is reset.
    let (_forwarder, client, mut target) = talking();
    client.end();
    target.expect_end("");
    target.reset();
    expect_reset(&client.stream);
    let (_forwarder, mut client, target) = talking();
    target.end();
    client.expect_end("");
    client.reset();
    expect_reset(&target.stream);
}

/// Sends until the other side does not take any more.
fn fill(mut stream: &TcpStream) -> usize {
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let (chunk, mut sent) = ([b'x'; 16384], 0);
    loop {
        match stream.write(&chunk) {
            Ok(bytes) => sent += bytes,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return sent;
            }
        }
        assert!(sent < LARGE, "nothing holds it up");
    }
}

#[test]
fn a_side_that_does_not_read_holds_the_other_one_up_until_it_does() {
    let (_forwarder, client, target) = talking();
    let (up, down) = (fill(&client.stream), fill(&target.stream));
    receive(&target.stream, &vec![b'x'; up]);
    receive(&client.stream, &vec![b'x'; down]);
    // As before.
    let (mut client, mut target) = (client, target);
    client.send("a");
    target.expect("a");
    target.send("b");
    client.expect("b");
}

#[test]
fn a_reset_while_nothing_is_read_ends_the_connection_once_it_is() {
    for is_client in [true, false] {
        let (forwarder, client, target) = talking();
        let (resets, reads) =
            if is_client { (client.stream, target.stream) } else { (target.stream, client.stream) };
        fill(&resets);
        reset_now(resets);
        let mut received = Vec::new();
        let error = (&reads).read_to_end(&mut received).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(!received.is_empty() && received.iter().all(|&byte| byte == b'x'));
        forwarder.log_line_with("disconnected uncleanly");
        // And while it writes: the reset is noticed although the other side takes nothing.
        let (forwarder, client, target) = talking();
        let (resets, writes) =
            if is_client { (client.stream, target.stream) } else { (target.stream, client.stream) };
        fill(&resets);
        fill(&writes);
        reset_now(resets);
        let is_final = |error: &std::io::Error| error.kind() != ErrorKind::WouldBlock;
        let error = eventually("a reset", || (&writes).write(&[b'y'; 16384]).err().filter(is_final));
        assert!(
            matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
            "{is_client}: {error}"
        );
        forwarder.log_line_with("disconnected uncleanly");
    }
}

#[test]
fn three_hundred_clients_at_a_time() {
    let forwarder = forward_to(&echo_server(), &["-q"]);
    let mut clients: Vec<Client> = (0..300).map(|_| forwarder.connect()).collect();
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(format!("{number} in {round}\n"));
        }
        for (number, client) in clients.iter_mut().enumerate().rev() {
            client.expect(format!("{number} in {round}\n"));
        }
    }
    for client in &mut clients {
        client.end();
        client.expect_end("");
    }
}

#[test]
fn a_target_that_cannot_be_reached_closes_the_client_cleanly() {
    let nobody = Nobody::new();
    let mut forwarder = forward_to(&nobody.address(), &["--connections", "2"]);
    let mut clients = [forwarder.connect(), forwarder.connect()];
    for client in &mut clients {
        // Unread input would make the kernel reset the connection.
        client.send("hello?\n");
        client.expect_end("");
        client.end();
        let line = forwarder.log_line_with("could not connect");
        assert!(line.ends_with(&format!(": could not connect to {}: connection refused", nobody.address())));
    }
    assert_eq!(forwarder.wait().code(), Some(1));
    let log = forwarder.remaining_log();
    assert!(
        log.iter().any(|line| line.contains(" disconnected (not connected): 0 B in, 0 B out")),
        "{log:?}"
    );
    let expected = format!("capchat: 2 of 2 clients could not be connected to {}", nobody.address());
    assert_eq!(log.last(), Some(&expected));
}

#[test]
fn the_json_log_has_the_bytes_and_the_target_that_is_missing() {
    let nobody = Nobody::new();
    let forwarder = forward_to(&nobody.address(), &["--log-format", "json"]);
    forwarder.connect().expect_end("");
    let event: serde_json::Value = serde_json::from_str(&forwarder.log_line_with("unreachable")).unwrap();
    assert!(event["error"].as_str().unwrap().ends_with("connection refused"), "{event}");
    let forwarder = forward_to(&echo_server(), &["--log-format", "json"]);
    let mut client = forwarder.connect();
    client.send("abc");
    client.end();
    client.expect_end("abc");
    let event: serde_json::Value = serde_json::from_str(&forwarder.log_line_with("forwarded")).unwrap();
    assert_eq!((&event["received"], &event["sent"], &event["clean"]), (&3.into(), &3.into(), &true.into()));
    assert_eq!(event["reason"], "closed by client");
}

#[test]
fn both_sides_are_closed_at_a_time_limit() {
    let (forwarder, mut client, mut target) = connected(&["--idle-timeout", "300ms"]);
    for _ in 0..5 {
        // Either is progress.
        thread::sleep(Duration::from_millis(100));
        client.send("a");
        target.expect("a");
        thread::sleep(Duration::from_millis(100));
        target.send("b");
        client.expect("b");
    }
    client.expect_end("");
    target.expect_end("");
    drop((client, target));
    assert!(
        forwarder.log_line_with("disconnected").contains(" disconnected (idle timeout): 5 B in, 5 B out")
    );
    // One that takes nothing is idle too, and must not take the cut for EOF.
    let (forwarder, client, target) = connected(&["--idle-timeout", "2s"]);
    fill(&target.stream);
    let line = forwarder.log_line_with("disconnected");
    assert!(line.contains(" disconnected uncleanly (idle timeout)"), "{line}");
    let error = (&client.stream).read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    drop(target);

    let (forwarder, mut client, mut target) = connected(&["--max-connection-time", "500ms"]);
    client.send("a");
    target.expect_end("a");
    client.expect_end("");
    drop((client, target));
    assert!(forwarder.log_line_with("disconnected").contains(" disconnected (connection time limit)"));
    // A transfer that goes on is cut off, visibly.
    let (forwarder, client, target) = connected(&["--max-connection-time", "500ms"]);
    thread::scope(|scope| {
        scope.spawn(|| while (&target.stream).write_all(&[0; 16384]).is_ok() {});
        let error = (&client.stream).read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
    assert!(forwarder.log_line_with("disconnected").contains(" uncleanly (connection time limit)"));
}

#[test]
fn a_signal_ends_every_conversation_after_what_was_said() {
    let (mut forwarder, mut client, mut target) = talking();
    // Both are waiting in its kernel when it gets the signal.
    forwarder.send_signal(Signal::STOP);
    client.send("up\n");
    target.send("down\n");
    forwarder.send_signal(Signal::TERM);
    forwarder.send_signal(Signal::CONT);
    let start = Instant::now();
    target.expect_end("up\n");
    client.expect_end("down\n");
    drop((client, target));
    assert_eq!(forwarder.wait().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(10));
    // Neither side leaves, and one never pauses.
    let (mut forwarder, client, target) = talking();
    thread::scope(|scope| {
        scope.spawn(|| while (&target.stream).write_all(&[0; 16384]).is_ok() {});
        scope.spawn(|| while (&client.stream).read(&mut [0; 16384]).is_ok_and(|bytes| bytes > 0) {});
        forwarder.send_signal(Signal::TERM);
        let start = Instant::now();
        assert_eq!(forwarder.wait().code(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(10));
    });
}

#[test]
fn clients_wait_for_a_place_and_the_server_exits_after_the_last() {
    let mut forwarder = forward_to(&echo_server(), &["--max-clients", "1", "--connections", "3"]);
    let mut clients = [forwarder.connect(), forwarder.connect(), forwarder.connect()];
    for client in &mut clients {
        client.send("x");
        client.expect("x");
        client.end();
        client.expect_end("");
    }
    assert_eq!(forwarder.wait().code(), Some(0));
}

#[test]
fn unix_sockets_and_tcp_can_be_forwarded_to_each_other() {
    let chats = Chats::new();
    let server = TestServer::start(&[]);
    let socket = |name: &str| chats.path(name).display().to_string();
    let start = |target: &str, address: &str| {
        let mut command = capchat();
        TestServer::start_with(command.args(["serve", "--forward", target, address]), 1)
    };
    let _first = start(server.address(), &socket("one"));
    let _second = start(&socket("one"), &socket("two"));
    let third = start(&socket("two"), "127.0.0.1:0");
    Run::connect(third.address()).stdin("hi\nCLOSE SOCKET\n").run().succeeds_with("HI\n");
    Run::connect(&socket("two")).stdin("hi").run().succeeds_with("HI");
}

#[test]
fn a_forwarder_to_itself_turns_its_clients_away() {
    let run = |args: &[&str]| {
        let mut command = capchat();
        command.args(["serve"]).args(args);
        Run::of(command).run()
    };
    run(&["--forward", ":5605", "127.0.0.1"])
        .fails_with(2, &["cannot forward to 127.0.0.1:5605: it is the server's own address"]);
    // By another name.
    let chats = Chats::new();
    chats.write("folder/file", "");
    let (one, other) = (chats.path("socket"), chats.path("folder/../socket"));
    let mut command = capchat();
    let own = TestServer::start_with(command.args(["serve", "--forward"]).arg(&other).arg(&one), 1);
    for _ in 0..3 {
        Run::connect(one.to_str().unwrap()).run().succeeds_with("");
        assert!(own.log_line_with("cannot forward").ends_with(": it is this server"));
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = capchat();
    let target = format!("127.0.0.2:{port}");
    let own =
        TestServer::start_with(command.args(["serve", "--forward", &target, &format!("0.0.0.0:{port}")]), 1);
    for _ in 0..3 {
        Client::connect(&format!("127.0.0.1:{port}")).expect_end("");
        assert!(own.log_line_with("cannot forward").ends_with(": it is this server"));
    }
}

#[test]
fn options_of_other_services_are_refused() {
    let run = |args: &[&str]| {
        let mut command = capchat();
        command.args(["serve", "--forward", "127.0.0.1:1", "127.0.0.1:0"]).args(args);
        Run::of(command).run()
    };
    run(&["--play", "t.chat"]).fails_with(2, &["--forward cannot be used with --play"]);
    run(&["--message-gap", "1s"]).fails_with(2, &["--forward cannot be used with --message-gap"]);
    let run = |target: &str| {
        let mut command = capchat();
        command.args(["serve", "127.0.0.1:0", "--forward", target]);
        Run::of(command).run()
    };
    run("a:b:c").fails_with(2, &["--forward: invalid address 'a:b:c'"]);
    run("localhost:0").fails_with(2, &["cannot connect to port 0"]);
}

/// The recordings of a server that has exited.
fn recordings(chats: &Chats) -> Vec<String> {
    chats.names().iter().map(|name| chats.read(name)).collect()
}

#[test]
fn a_real_client_is_recorded_with_a_real_server() {
    let login = line_server("login: ", |line| match line {
        "quit" => Reply::Close,
        "crash" => Reply::Reset,
        line => say(&format!("hello {line}")),
    });
    let chats = Chats::new();
    let directory = chats.path("");
    let options = ["--record", directory.to_str().unwrap(), "--connections", "1"];
    let talk = |goes_on: &dyn Fn(&mut Client)| {
        let mut forwarder = forward_to(&login, &options);
        let mut client = forwarder.connect();
        client.expect("login: ");
        client.send("anna\n");
        client.expect("hello anna\n");
        goes_on(&mut client);
        assert_eq!(forwarder.wait().code(), Some(0), "{:?}", forwarder.remaining_log());
        recordings(&chats)
    };
    let start = "S\\ login: \\\nC: anna\nS: hello anna\n";
    let texts = talk(&|client| {
        client.send("quit\n");
        client.expect_end("");
        client.end();
    });
    assert_eq!(texts, [format!("{start}C: quit\nS EOF\n")]);
    // It checks the server, and a mock that plays it satisfies the checker.
    let name = chats.names().remove(0);
    chats.check(&login, &[&name]).run().reports(0, &["1 passed"]);
    let path = chats.path(&name).display().to_string();
    let mut mock = TestServer::start(&["--play", &path, "--connections", "1"]);
    chats.check(mock.address(), &[&name]).run().reports(0, &["1 passed"]);
    assert_eq!(mock.wait().code(), Some(0));
    let texts = |goes_on: &dyn Fn(&mut Client)| {
        for name in chats.names() {
            std::fs::remove_file(chats.path(&name)).unwrap();
        }
        talk(goes_on).concat()
    };
    let ended = texts(&|client| {
        client.end();
        client.expect_end("");
    });
    assert_eq!(ended, format!("{start}C EOF\nS EOF\n"));
    let reset_by_server = texts(&|client| {
        client.send("crash\n");
        expect_reset(&client.stream);
    });
    assert_eq!(reset_by_server, format!("{start}C: crash\nS RST\n"));
    let reset_by_client = texts(&|client| {
        SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
        client.stream.shutdown(Shutdown::Both).unwrap_or(());
        // Closes it.
        client.stream = TcpStream::connect(&login).unwrap();
    });
    assert!(reset_by_client.starts_with(start), "{reset_by_client}");
}

#[test]
fn a_recording_ends_where_tls_starts() {
    let (address, connections) = target();
    let chats = Chats::new();
    let directory = chats.path("");
    let mut forwarder =
        forward_to(&address, &["--record", directory.to_str().unwrap(), "--connections", "1"]);
    let mut client = forwarder.connect();
    let mut target = Client { stream: connections.recv_timeout(DEADLINE).unwrap() };
    client.send("STARTTLS\r\n");
    target.expect("STARTTLS\r\n");
    target.send("220 ready\r\n");
    client.expect("220 ready\r\n");
    // The start of a record with a ClientHello.
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    client.send(hello);
    target.expect(hello);
    target.send("\x16\x03\x03 secret\n");
    client.expect("\x16\x03\x03 secret\n");
    client.end();
    assert!(read_all(&target.stream).is_empty());
    drop(target);
    client.expect_end("");
    assert_eq!(forwarder.wait().code(), Some(0));
    let comment = "# TLS starts here; what follows is encrypted, and not recorded\n";
    assert_eq!(recordings(&chats), [format!("%eol crlf\nC: STARTTLS\nS: 220 ready\n{comment}")]);
}

#[test]
fn a_client_is_served_although_it_cannot_be_recorded() {
    let chats = Chats::new();
    let directory = chats.path("records");
    let forwarder = forward_to(&echo_server(), &["--record", directory.to_str().unwrap()]);
    std::fs::remove_dir(&directory).unwrap();
    let mut client = forwarder.connect();
    client.send("x");
    client.expect("x");
    forwarder.log_line_with("could not be recorded");
}

#[test]
fn clients_wait_while_descriptors_are_lacking() {
    let target = echo_server();
    let mut command = capchat_after("ulimit -n 20");
    let forwarder = TestServer::start_with(command.args(["serve", "--forward", &target, "127.0.0.1:0"]), 1);
    let mut clients: Vec<Client> = (0..30).map(|_| forwarder.connect()).collect();
    for client in &mut clients {
        client.send("x");
        client.expect("x");
        client.end();
        client.expect_end("");
    }
    forwarder.log_line_with("cannot accept client");
}
