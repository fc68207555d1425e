//! `capchat connect --lockstep`: one line, its reply, the next line.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::support::custom_server::{custom_server, read_all};
use crate::support::data::numbered_lines;
use crate::support::run::Run;
use crate::support::server::TestServer;
use crate::support::wait::DEADLINE;

/// A server that takes each `recv` for a message, replies in capitals, and closes at a message that is CLOSE SOCKET.
/// Returns its address, and the messages.
fn recv_server() -> (String, Receiver<Vec<u8>>) {
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

#[test]
fn lines_that_become_empty_are_skipped() {
    let (address, messages) = recv_server();
    let run = Run::connect(&address).args(&["--lockstep", "--eol", "none"]).stdin("one\n\n\ntwo\n").run();
    run.succeeds_with("ONETWO");
    assert_eq!(messages.try_iter().collect::<Vec<_>>(), [b"one".to_vec(), b"two".to_vec()]);
}

#[test]
fn an_unterminated_last_line_is_followed_by_eof() {
    let server = TestServer::start(&["--message-gap", "never"]);
    Run::connect(server.address()).args(&["--lockstep"]).stdin("a\nb").run().succeeds_with("A\nB");
    Run::connect(server.address()).args(&["--lockstep"]).stdin("").run().succeeds_with("");
}

#[test]
fn a_full_output_pipe_is_not_a_gap() {
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
    let mut client = Run::connect(&address).args(&["--lockstep"]).start();
    client.stdin.write_all(b"1\n2\n").unwrap();
    // Nobody reads for ten times the gap: the second line must wait for all of the first reply.
    assert!(second_line.recv_timeout(Duration::from_millis(500)).is_err());
    assert_eq!(client.line().len(), LENGTH);
    second_line.recv_timeout(DEADLINE).unwrap();
    assert_eq!(client.line(), "end\n");
}

#[test]
fn a_line_is_sent_after_the_reply_to_the_last() {
    let (address, messages) = recv_server();
    let run = Run::connect(&address).args(&["--lockstep"]).stdin("one\ntwo\r\nthree").run();
    run.succeeds_with("ONE\nTWO\r\nTHREE");
    let messages: Vec<Vec<u8>> = messages.try_iter().collect();
    assert_eq!(messages, [b"one\n".to_vec(), b"two\r\n".to_vec(), b"three".to_vec()]);
}

#[test]
fn eol_none_suits_a_server_that_takes_each_recv_for_a_message() {
    let (address, messages) = recv_server();
    let run =
        Run::connect(&address).args(&["--lockstep", "--eol", "none"]).stdin("one\ntwo\nCLOSE SOCKET\n").run();
    run.succeeds_with("ONETWO");
    let messages: Vec<Vec<u8>> = messages.try_iter().collect();
    assert_eq!(messages, [b"one".to_vec(), b"two".to_vec(), b"CLOSE SOCKET".to_vec()]);
}

#[test]
fn unsent_lines_are_status_3() {
    let server = TestServer::start(&[]);
    let run = Run::connect(server.address()).args(&["--lockstep"]).stdin("a\nCLOSE SOCKET\nb\n").run();
    run.fails_with(3, &[&format!("{} closed the connection before all input was sent", server.address())]);
    assert_eq!(run.0.stdout, b"A\n");
    let run = Run::connect(server.address()).args(&["--lockstep"]).stdin("a\nCLOSE SOCKET\n").run();
    run.succeeds_with("A\n");
}

#[test]
fn a_missing_reply_times_out() {
    let address = custom_server(|mut stream| {
        stream.read_exact(&mut [0; 2]).unwrap();
        stream.write_all(b"first\n").unwrap();
        read_all(&stream);
    });
    let run = Run::connect(&address).args(&["--lockstep", "-w", "300ms"]).stdin("a\nb\nc\n").run();
    run.fails_with(124, &["waiting for a reply"]);
    assert_eq!(run.0.stdout, b"first\n");
}

#[test]
fn lines_may_have_any_length() {
    let server = TestServer::start(&["--message-gap", "never"]);
    let line = format!("{}\n", "a".repeat(5 << 20));
    let run = Run::connect(server.address()).args(&["--lockstep"]).stdin(format!("{line}x\n{line}")).run();
    run.succeeds_with(format!("{line}x\n{line}").to_uppercase());
}

#[test]
fn many_lines_are_quick() {
    let server = TestServer::start(&["-q"]);
    let lines = numbered_lines(10_000);
    Run::connect(server.address())
        .args(&["--lockstep"])
        .stdin(&lines)
        .run()
        .succeeds_with(lines.to_uppercase());
}
