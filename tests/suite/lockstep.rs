//! `capchat connect --lockstep`: one line, its reply, the next line.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::chats::Chats;
use crate::support::custom_server::{close, custom_server, read_all};
use crate::support::data::{lines, numbered_lines};
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
    wait_for_a_long_reply(&[]);
    wait_for_a_long_reply(&["--gap", "500ms"]);
}

#[track_caller]
fn wait_for_a_long_reply(args: &[&str]) {
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
    let mut client = Run::connect(&address).args(&["--lockstep"]).args(args).start();
    client.stdin.write_all(b"1\n2\n").unwrap();
    // Nobody reads for several times the gap: the second line must wait for all of the first reply.
    assert!(second_line.recv_timeout(Duration::from_millis(1500)).is_err());
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
    let run = Run::connect(&address).args(&["--lockstep", "-w", "1s"]).stdin("a\nb\nc\n").run();
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

/// How much silence ends a reply in these tests, and how much later than that the greeting comes.
const GAP: Duration = Duration::from_millis(700);

/// A server that refuses input before its greeting, then expects each line and sends its reply, piece by piece, and
/// then closes.
fn strict_server(greeting: &'static str, replies: &'static [(&str, &[&str])]) -> String {
    custom_server(move |mut stream| {
        stream.set_nodelay(true).unwrap();
        if !greeting.is_empty() {
            stream.set_read_timeout(Some(2 * GAP)).unwrap();
            let early = stream.peek(&mut [0]);
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            let greeting = if early.is_ok() { "554 synchronization error\r\n" } else { greeting };
            stream.write_all(greeting.as_bytes()).unwrap();
        }
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for (expected, reply) in replies {
            let line = lines.next().unwrap().unwrap();
            if line != *expected {
                stream.write_all(format!("expected {expected}, found {line}\r\n").as_bytes()).unwrap();
                break;
            }
            for piece in *reply {
                thread::sleep(GAP / 10);
                stream.write_all(piece.as_bytes()).unwrap();
            }
        }
        close(&stream);
    })
}

/// What is sent to such a server line by line is recorded with each reply in its place.
#[track_caller]
fn is_recorded_right(greeting: &'static str, replies: &'static [(&str, &[&str])]) {
    let address = strict_server(greeting, replies);
    let chats = Chats::new();
    let input = lines(replies.len(), |index| replies[index].0.to_owned());
    let mut args = vec!["--lockstep", "--gap", "700ms", "--crlf", "--record", "t.chat"];
    if !greeting.is_empty() {
        args.push("--greeting");
    }
    let output: String = replies.iter().flat_map(|(_, reply)| *reply).copied().collect();
    chats.connect(&address).args(&args).stdin(input).run().succeeds_with(greeting.to_owned() + &output);

    let mut expected = String::from("%eol crlf\n");
    let mut say = |side: char, text: &str| {
        for line in text.lines() {
            expected += format!("{side}: {line}").trim_end();
            expected.push('\n');
        }
    };
    say('S', greeting);
    for (line, reply) in replies {
        say('C', &format!("{line}\n"));
        say('S', &reply.concat());
    }
    assert_eq!(chats.read("t.chat"), expected + "S EOF\n");
    chats.passes(&address);
}

#[test]
fn smtp_with_data_is_recorded_right() {
    is_recorded_right(
        "220-mail.example\r\n220 ready\r\n",
        &[
            ("EHLO bar.com", &["250-mail.example\r\n250-", "SIZE\r\n", "250 HELP\r\n"]),
            ("MAIL FROM:<smith@bar.com>", &["250 OK\r\n"]),
            ("RCPT TO:<jones@foo.com>", &["250 OK\r\n"]),
            ("DATA", &["354 Start mail input\r\n"]),
            ("Subject: hello", &[]),
            ("", &[]),
            ("..", &[]),
            (".", &["250 OK\r\n"]),
            ("QUIT", &["221 bye\r\n"]),
        ],
    );
}

#[test]
fn http_headers_are_recorded_right() {
    is_recorded_right(
        "",
        &[
            ("GET / HTTP/1.1", &[]),
            ("Host: localhost", &[]),
            ("Connection: close", &[]),
            ("", &["HTTP/1.1 200 OK\r\nContent-Length: 7\r\n", "\r\n", "hello\r\n"]),
        ],
    );
}

#[test]
fn memcached_set_is_recorded_right() {
    is_recorded_right(
        "",
        &[
            ("set key 0 0 5", &[]),
            ("hello", &["STORED\r\n"]),
            ("get key", &["VALUE key 0 5\r\nhello\r\n", "END\r\n"]),
            ("quit", &[]),
        ],
    );
}

#[test]
fn irc_nick_is_recorded_right() {
    is_recorded_right(
        ":irc.example NOTICE * :looking up your hostname\r\n",
        &[
            ("NICK anna", &[]),
            (
                "USER anna 0 * :Anna",
                &[":irc.example 001 anna :welcome\r\n", ":irc.example 376 anna :end\r\n"],
            ),
            ("QUIT", &["ERROR :closing link\r\n"]),
        ],
    );
}

#[test]
fn pop3_with_several_lines_is_recorded_right() {
    is_recorded_right(
        "+OK POP3 ready\r\n",
        &[
            ("USER mrose", &["+OK\r\n"]),
            ("PASS tanstaaf", &["+OK 2 messages\r\n"]),
            ("LIST", &["+OK\r\n1 120\r\n", "2 200\r\n.\r\n"]),
            ("QUIT", &["+OK bye\r\n"]),
        ],
    );
}

#[test]
fn without_a_gap_a_greeting_is_a_line() {
    let address = strict_server("+OK ready\r\n", &[("NOOP", &["+OK\r\n"]), ("QUIT", &["+OK bye\r\n"])]);
    let run = Run::connect(&address).args(&["--lockstep", "--greeting", "-C"]).stdin("NOOP\nQUIT\n").run();
    run.succeeds_with("+OK ready\r\n+OK\r\n+OK bye\r\n");
}

#[test]
fn a_missing_greeting_times_out() {
    let address = custom_server(|stream| drop(read_all(&stream)));
    for args in [&["-w", "300ms"][..], &["-w", "300ms", "--gap", "100ms"]] {
        let run = Run::connect(&address).args(&["--lockstep", "--greeting"]).args(args).stdin("a\n").run();
        run.fails_with(124, &["timed out after 300ms waiting for a reply"]);
    }
}

#[test]
fn a_server_that_closes_instead_of_greeting_takes_no_lines() {
    let address = custom_server(|stream| close(&stream));
    let run = Run::connect(&address).args(&["--lockstep", "--greeting"]).stdin("a\n").run();
    run.fails_with(3, &["closed the connection before all input was sent"]);
    Run::connect(&address).args(&["--lockstep", "--greeting"]).run().succeeds_with("");
}

#[test]
fn with_a_gap_a_missing_reply_is_no_error() {
    let (sender, lines) = channel();
    let address = custom_server(move |stream| {
        for line in BufReader::new(&stream).lines() {
            sender.send((line.unwrap(), Instant::now())).unwrap();
        }
    });
    let args = ["--lockstep", "--gap", "600ms", "-w", "3s"];
    Run::connect(&address).args(&args).stdin("a\nb\nc\n").run().succeeds_with("");
    let lines: Vec<_> = lines.try_iter().collect();
    assert_eq!(lines.iter().map(|(line, _)| line.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    for pair in lines.windows(2) {
        assert!(pair[1].1 - pair[0].1 >= Duration::from_millis(200), "{lines:?}");
    }
}
