//! Lines, replies and pasted blocks, Ctrl-D and `--lockstep`.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::{CTRL_C, CTRL_D, EMPTY_PROMPT, chat, exchange};
use crate::support::client::Client;
use crate::support::custom_server::custom_server;
use crate::support::server::TestServer;
use crate::support::terminal::Terminal;

#[test]
fn a_typed_line_gets_its_reply_and_the_prompt_returns() {
    let server = TestServer::start(&[]);
    let mut terminal = Terminal::connect(server.address()).start();
    exchange(&terminal, "hi", "HI");
    exchange(&terminal, "straße", "STRASSE");
    terminal.type_keys("CLOSE SOCKET\r");
    let screen = terminal.expect_exit(0);
    let farewell = format!("CLOSE SOCKET\ncapchat: {} closed the connection\n", server.address());
    assert!(screen.contains(&farewell), "{screen}");
}

#[test]
fn the_prompt_can_be_chosen() {
    let server = TestServer::start(&[]);
    let terminal = Terminal::connect(server.address()).args(&["--prompt", "» "]).start();
    terminal.wait_for("» ▏");
    terminal.type_keys("hi\r");
    terminal.wait_for("» hi\nHI\n» ▏");
}

#[test]
fn the_prompt_returns_if_the_server_is_silent() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys("hi\r");
    server.expect("hi\n");
    let sent = Instant::now();
    terminal.wait_for(&format!("enter your message: hi\n{EMPTY_PROMPT}"));
    assert!(sent.elapsed() < Duration::from_secs(10));
    server.send("late\n");
    terminal.wait_for(&format!("late\n{EMPTY_PROMPT}"));
}

#[test]
fn a_line_ends_as_eol_says() {
    let (terminal, mut server) = chat(&["--eol", "crlf"]);
    terminal.type_keys("hi\r");
    server.expect("hi\r\n");
}

#[test]
fn a_server_that_takes_each_recv_as_a_message_is_served_with_no_eol() {
    let address = custom_server(|mut stream| {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if &buffer[..count] == b"CLOSE SOCKET" {
                break;
            }
            let message = String::from_utf8_lossy(&buffer[..count]).to_uppercase();
            write!(stream, "{message:?}").unwrap();
        }
    });
    let mut terminal = Terminal::connect(&address).args(&["--eol", "none"]).start();
    exchange(&terminal, "hi", "\"HI\"");
    exchange(&terminal, "you there", "\"YOU THERE\"");
    terminal.type_keys("CLOSE SOCKET\r");
    let screen = terminal.expect_exit(0);
    assert!(screen.contains("closed the connection\n"), "{screen}");
}

#[test]
fn pasted_lines_are_sent_one_after_the_other() {
    let (terminal, mut server) = chat(&["--lockstep"]);
    terminal.type_keys("\x1b[200~one\ntwo\nthree\x1b[201~\r");
    for line in ["one", "two", "three"] {
        server.expect(format!("{line}\n"));
        assert_nothing_arrives(&server);
        server.send(format!("{}\n", line.to_uppercase()));
    }
    terminal.wait_for(&format!("three\nONE\nTWO\nTHREE\n{EMPTY_PROMPT}"));
}

#[test]
fn ctrl_d_closes_the_sending_side_and_the_last_reply_is_shown() {
    let (mut terminal, mut server) = chat(&[]);
    terminal.type_keys(CTRL_D);
    server.expect_end("");
    server.send("last words\n");
    drop(server);
    let screen = terminal.expect_exit(0);
    assert!(screen.ends_with("quits)\nenter your message:\nlast words\n▏"), "{screen}");
}

#[test]
fn ctrl_d_says_what_is_awaited_if_the_server_does_not_close() {
    let (mut terminal, mut server) = chat(&[]);
    terminal.type_keys(CTRL_D);
    server.expect_end("");
    let awaited = "capchat: waiting for the server to close the connection (Ctrl-C to quit)\n▏";
    terminal.wait_for(&format!("enter your message:\n{awaited}"));
    terminal.type_keys(CTRL_C);
    terminal.expect_exit(130);
}

#[test]
fn the_notice_of_ctrl_d_comes_after_the_servers_last_words() {
    let (mut terminal, mut server) = chat(&[]);
    terminal.type_keys(CTRL_D);
    server.expect_end("");
    server.send("unfinished");
    terminal.wait_for("enter your message:\nunfinished\ncapchat: waiting for the server to close ");
    server.send(" business\n");
    drop(server);
    let screen = terminal.expect_exit(0);
    assert_eq!(screen.matches("waiting").count(), 1, "{screen}");
}

#[test]
fn in_lockstep_the_prompt_returns_and_a_line_waits_for_the_reply() {
    let (terminal, mut server) = chat(&["--lockstep"]);
    terminal.type_keys("one\r");
    server.expect("one\n");
    terminal.wait_for(&format!("enter your message: one\n{EMPTY_PROMPT}"));
    terminal.type_keys("two\r");
    terminal.wait_for(&format!("enter your message: two\n{EMPTY_PROMPT}"));
    assert_nothing_arrives(&server);
    terminal.type_keys("thr");
    terminal.wait_for("enter your message: thr▏");
    server.send("ONE\n");
    server.expect("two\n");
    terminal.wait_for("ONE\nenter your message: thr▏");
    server.send("TWO\n");
    terminal.wait_for("TWO\nenter your message: thr▏");
    terminal.type_keys("ee\r");
    server.expect("three\n");
}

#[test]
fn in_lockstep_ctrl_d_ends_the_conversation_with_a_silent_server() {
    let (mut terminal, mut server) = chat(&["--lockstep"]);
    terminal.type_keys("hi\r");
    server.expect("hi\n");
    terminal.wait_for(&format!("enter your message: hi\n{EMPTY_PROMPT}"));
    terminal.type_keys(CTRL_D);
    server.expect_end("");
    drop(server);
    terminal.expect_exit(0);
}

#[test]
fn in_lockstep_lines_that_wait_are_sent_before_ctrl_d() {
    let (mut terminal, mut server) = chat(&["--lockstep"]);
    terminal.type_keys("one\r");
    server.expect("one\n");
    terminal.type_keys(format!("two\r{CTRL_D}"));
    terminal.wait_for("capchat: waiting for the server to reply (Ctrl-C to quit)\n");
    server.send("ONE\n");
    server.expect_end("two\n");
    drop(server);
    terminal.expect_exit(0);
}

#[test]
fn lines_that_were_not_sent_are_a_failure() {
    let (mut terminal, mut server) = chat(&["--lockstep"]);
    terminal.type_keys("one\r");
    server.expect("one\n");
    terminal.wait_for(&format!("enter your message: one\n{EMPTY_PROMPT}"));
    terminal.type_keys("two\r");
    terminal.wait_for(&format!("enter your message: two\n{EMPTY_PROMPT}"));
    drop(server);
    let screen = terminal.expect_exit(3);
    assert!(screen.ends_with(" closed the connection before all input was sent\n▏"), "{screen}");
}

#[test]
fn in_lockstep_the_first_line_can_wait_for_a_greeting() {
    let (terminal, mut server) = chat(&["--lockstep", "--greeting", "--gap", "300ms"]);
    terminal.type_keys("one\r");
    terminal.wait_for(&format!("enter your message: one\n{EMPTY_PROMPT}"));
    assert_nothing_arrives(&server);
    server.send("220 hello\n");
    server.expect("one\n");
    terminal.type_keys("two\r");
    terminal.wait_for("enter your message: two\n");
    server.send("250-one\n250 two\n");
    server.expect("two\n");
}

#[track_caller]
fn assert_nothing_arrives(server: &Client) {
    server.stream.set_nonblocking(true).unwrap();
    assert!(server.stream.peek(&mut [0]).is_err(), "more than one line at once");
    server.stream.set_nonblocking(false).unwrap();
}
