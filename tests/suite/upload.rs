//! `connect` after the server's end: it may only have shut down its sending side, so the upload goes on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::chats::Chats;
use crate::support::custom_server::{custom_server, read_all};
use crate::support::data::random_bytes;
use crate::support::run::Run;
use crate::support::server::TestServer;
use crate::support::wait::DEADLINE;

/// More than all buffers on the way take.
const BULK: usize = 50_000_000;

/// A server that shuts down its sending side, and then receives as `receive` does. Returns its address, and what it
/// received.
fn deaf_mute(receive: impl Fn(&TcpStream) -> Vec<u8> + Send + Sync + 'static) -> (String, Receiver<Vec<u8>>) {
    let (sender, received) = channel();
    let address = custom_server(move |stream| {
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = sender.send(receive(&stream));
    });
    (address, received)
}

#[track_caller]
fn assert_received(received: &Receiver<Vec<u8>>, expected: &[u8]) {
    let bytes = received.recv_timeout(DEADLINE).unwrap();
    assert_eq!(bytes.len(), expected.len());
    assert!(bytes == expected, "other bytes");
}

#[test]
fn everything_is_sent_to_a_server_that_has_only_shut_down_its_sending_side() {
    let bytes = random_bytes(BULK);
    let (address, received) = deaf_mute(read_all);
    Run::connect(&address).stdin_file(&bytes).run().succeeds_with("");
    assert_received(&received, &bytes);
    // A slow receiver: longer than any limit on quiet input, while bytes are unsent.
    let (address, received) = deaf_mute(|mut stream| {
        thread::sleep(Duration::from_secs(1));
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 1 << 20];
        while let count @ 1.. = stream.read(&mut chunk).unwrap() {
            bytes.extend_from_slice(&chunk[..count]);
            thread::sleep(Duration::from_millis(5));
        }
        bytes
    });
    Run::connect(&address).stdin_file(&bytes).run().succeeds_with("");
    assert_received(&received, &bytes);
}

#[test]
fn a_server_that_closes_in_the_middle_is_status_3() {
    for _ in 0..10 {
        let (address, received) = deaf_mute(|mut stream| {
            let mut bytes = vec![0; 1_000_000];
            stream.read_exact(&mut bytes).unwrap();
            bytes
        });
        let run = Run::connect(&address).stdin_file(vec![b'x'; BULK]).run();
        run.fails_with(
            3,
            &[&format!("capchat: {address} closed the connection before all input was sent\n")],
        );
        assert_received(&received, &vec![b'x'; 1_000_000]);
    }
}

#[test]
fn input_that_is_open_and_quiet_counts_as_ended() {
    let address = custom_server(|mut stream| stream.write_all(b"bye\n").unwrap());
    let start = Instant::now();
    let mut client = Run::connect(&address).start();
    assert_eq!(client.line(), "bye\n");
    assert_eq!(client.line(), "", "standard output is closed");
    assert_eq!(client.wait(), (Some(0), String::new()));
    // A second is asked for; a busy machine may need more.
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn input_that_drips_is_sent() {
    // Input that is quiet for 250 ms counts as ended. A busy machine may not be able to drip fast enough.
    let drips = b"drip\n".repeat(10);
    for last_attempt in [false, false, false, false, true] {
        let (address, received) = deaf_mute(read_all);
        let mut client = Run::connect(&address).start();
        assert_eq!(client.line(), "");
        let mut longest = Duration::ZERO;
        for drip in drips.chunks(5) {
            let start = Instant::now();
            if client.stdin.write_all(drip).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(100));
            longest = longest.max(start.elapsed());
        }
        // The input stays open.
        let bytes = received.recv_timeout(DEADLINE).unwrap();
        if bytes != drips && longest > Duration::from_millis(150) && !last_attempt {
            continue;
        }
        assert_eq!((bytes, client.wait()), (drips, (Some(0), String::new())), "paused for {longest:?}");
        break;
    }
}

#[test]
fn until_eof_waits_for_the_end_of_input() {
    let bytes = random_bytes(BULK);
    let (address, received) = deaf_mute(read_all);
    let mut client = Run::connect(&address).args(&["--until-eof", "-w", "2s"]).start();
    // The reader of standard output sees the end, while the client goes on.
    assert_eq!(client.line(), "");
    thread::sleep(Duration::from_millis(2500));
    client.stdin.write_all(&bytes).unwrap();
    assert_eq!(client.finish(), (Some(0), String::new()));
    assert_received(&received, &bytes);
}

#[test]
fn until_eof_is_not_for_lockstep() {
    Run::connect("127.0.0.1:1")
        .args(&["--until-eof", "--lockstep"])
        .run()
        .fails_with(2, &["--until-eof cannot be used with --lockstep"]);
}

#[test]
fn a_server_that_takes_nothing_runs_into_the_time_limits() {
    for (args, message) in [
        (["-w", "300ms"], "timed out after 300ms waiting for {} to take more input"),
        (["--max-time", "600ms"], "timed out: not finished after 600ms (--max-time)"),
    ] {
        let (address, _received) = deaf_mute(|stream| {
            let _ = stream.peek(&mut [0]);
            thread::sleep(DEADLINE);
            Vec::new()
        });
        let run = Run::connect(&address).args(&args).stdin(vec![b'x'; BULK]).run();
        run.fails_with(124, &[&message.replace("{}", &address)]);
    }
}

#[test]
fn after_the_close_word_the_server_takes_some_more() {
    let server = TestServer::start(&["-q"]);
    for (megabytes, is_taken) in [(0, true), (20, true), (200, false)] {
        let input = [b"a\nCLOSE SOCKET\n".to_vec(), vec![b'x'; megabytes << 20]].concat();
        let run = Run::connect(server.address()).stdin_file(&input).run();
        if is_taken {
            run.succeeds_with("A\n");
        } else {
            run.fails_with(3, &["closed the connection before all input was sent"]);
            assert_eq!(run.0.stdout, b"A\n");
        }
    }
}

#[test]
fn what_is_sent_after_the_server_s_end_is_recorded() {
    let chats = Chats::new();
    let (address, received) = deaf_mute(read_all);
    let mut client = chats.connect(&address).args(&["--record", "t.chat", "--until-eof"]).start();
    assert_eq!(client.line(), "");
    client.stdin.write_all(b"hi\n").unwrap();
    assert_eq!(client.finish(), (Some(0), String::new()));
    assert_received(&received, b"hi\n");
    assert_eq!(chats.read("t.chat"), "S EOF\nC: hi\nC EOF\n");
    chats.passes(&address);
}

#[test]
fn a_slow_reader_gets_everything_while_the_upload_goes_on() {
    // Neither direction waits for the other: the server's bytes wait for their reader, and the input is sent.
    let (sender, received) = channel();
    let address = custom_server(move |mut stream| {
        stream.write_all(&vec![b'y'; 1 << 20]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        sender.send(read_all(&stream)).unwrap();
    });
    let mut client = Run::connect(&address).start();
    client.stdin.write_all(&vec![b'x'; 4 << 20]).unwrap();
    client.close_stdin();
    assert_received(&received, &vec![b'x'; 4 << 20]);
    let mut bytes = Vec::new();
    client.stdout.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len(), 1 << 20);
    assert_eq!(client.wait(), (Some(0), String::new()));
}
