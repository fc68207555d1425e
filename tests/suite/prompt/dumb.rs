//! Terminals that can only be written to line by line.

use rustix::process::Signal;

use super::{CTRL_C, CTRL_D, EMPTY_PROMPT, chat_on, exchange, in_time};
use crate::support::server::TestServer;
use crate::support::terminal::Terminal;

#[test]
fn a_dumb_terminal_works() {
    let server = TestServer::start(&[]);
    let mut terminal = Terminal::connect(server.address()).env("TERM", "dumb").start();
    exchange(&terminal, "hi", "HI");
    terminal.type_keys(CTRL_D);
    terminal.expect_exit(0);
    assert!(!terminal.bytes().contains(&0x1b));
}

#[test]
fn the_server_and_the_user_can_end_the_chat_on_a_dumb_terminal() {
    let server = TestServer::start(&[]);
    let start = || Terminal::connect(server.address()).env("TERM", "dumb").start();
    let (mut left, mut interrupted) = (start(), start());
    interrupted.wait_for(EMPTY_PROMPT);
    interrupted.type_keys(CTRL_C);
    interrupted.expect_exit(130);
    left.wait_for(EMPTY_PROMPT);
    server.send_signal(Signal::KILL);
    let screen = left.expect_exit(0);
    assert!(screen.contains("enter your message:\ncapchat: "), "{screen}");
    assert!(!left.bytes().contains(&0x1b));
}

#[test]
fn unasked_output_is_not_glued_to_the_line() {
    for term in ["dumb", "emacs", "cons25"] {
        let (terminal, mut server) = chat_on(|terminal| terminal.env("TERM", term));
        assert!(terminal.is_canonical());
        server.send("news\n");
        terminal.wait_for(&format!("enter your message:\nnews\n{EMPTY_PROMPT}"));
        server.send("more");
        terminal.wait_for(&format!("news\nenter your message:\nmore\n{EMPTY_PROMPT}"));
        terminal.type_keys("ab");
        terminal.wait_for("enter your message: ab▏");
        server.send("stop\n");
        terminal.wait_for(&format!("enter your message: ab\nstop\n{EMPTY_PROMPT}"));
        terminal.type_keys("c\r");
        server.expect("abc\n");
        server.send("ABC\n");
        terminal.wait_for(&format!("enter your message: c\nABC\n{EMPTY_PROMPT}"));
        assert!(!terminal.bytes().contains(&0x1b));
    }
}

#[test]
fn a_prompt_of_the_server_is_the_prompt_and_a_password_is_not_echoed() {
    let (mut terminal, mut server) = chat_on(|terminal| terminal.env("TERM", "dumb"));
    server.send("login: ");
    terminal.wait_for("enter your message:\nlogin: ▏");
    terminal.type_keys("bob\r");
    server.expect("bob\n");
    server.send("Password:");
    terminal
        .wait_until("no echo", |screen| screen.ends_with("\nlogin: bob\nPassword:▏") && !terminal.has_echo());
    terminal.type_keys("secret\r");
    server.expect("secret\n");
    server.send("ok\n");
    terminal.wait_until("echo", |screen| screen.ends_with(EMPTY_PROMPT) && terminal.has_echo());
    assert!(!terminal.screen().contains("secret"), "{}", terminal.screen());
    // The same where the request comes unasked.
    server.send("passphrase:");
    terminal.wait_until("no echo", |screen| screen.ends_with("\npassphrase:▏") && !terminal.has_echo());
    terminal.send_signal(Signal::TERM);
    terminal.expect_exit(143);
}

#[test]
fn ctrl_c_brings_the_prompt_back_on_a_dumb_terminal() {
    in_time(|| {
        let (mut terminal, mut server) = chat_on(|terminal| terminal.env("TERM", "dumb"));
        terminal.type_keys("hi\r");
        server.expect("hi\n");
        terminal.type_keys(CTRL_C);
        terminal.wait_until("the prompt", |screen| screen.ends_with(EMPTY_PROMPT));
        terminal.type_keys(CTRL_C);
        terminal.expect_exit(130);
    });
}

#[test]
fn a_byte_that_is_not_utf8_costs_the_line_on_a_dumb_terminal() {
    let (terminal, mut server) = chat_on(|terminal| terminal.env("TERM", "dumb"));
    terminal.type_keys(b"caf\xe9\r");
    terminal.wait_for(&format!("capchat: discarded a line that is not UTF-8\n{EMPTY_PROMPT}"));
    terminal.type_keys("hi\r");
    server.expect("hi\n");
}
