//! How a conversation ends, and what is left of it on the terminal.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{CTRL_C, CTRL_D, CTRL_R, EMPTY_PROMPT, LEFT, chat, exchange, in_time};
use crate::support::custom_server::Nobody;
use crate::support::server::TestServer;
use crate::support::terminal::Terminal;
use crate::support::wait::eventually;

#[test]
fn the_servers_death_ends_a_half_typed_line() {
    let server = TestServer::start(&[]);
    let mut terminal = Terminal::connect(server.address()).start();
    terminal.wait_for(EMPTY_PROMPT);
    terminal.type_keys(format!("half a line{LEFT}{LEFT}"));
    terminal.wait_for("half a li▏ne");
    server.send_signal(Signal::KILL);
    let killed = Instant::now();
    let screen = terminal.expect_exit(0);
    assert!(killed.elapsed() < Duration::from_secs(10));
    let farewell = format!("half a line\ncapchat: {} closed the connection\n", server.address());
    assert!(screen.contains(&farewell), "{screen}");
}

#[test]
fn the_servers_death_ends_a_search_of_the_history() {
    let server = TestServer::start(&[]);
    let mut terminal = Terminal::connect(server.address()).start();
    exchange(&terminal, "x-ray", "X-RAY");
    terminal.type_keys(format!("{CTRL_R}x"));
    terminal.wait_for("(reverse-i-search)`x': ▏x-ray");
    server.send_signal(Signal::KILL);
    let killed = Instant::now();
    let screen = terminal.expect_exit(0);
    assert!(killed.elapsed() < Duration::from_secs(10));
    assert!(screen.contains("closed the connection\n"), "{screen}");
}

#[test]
fn the_servers_last_words_are_shown() {
    for (line, shown) in [("ab", "enter your message: ab"), ("", "enter your message:")] {
        let (mut terminal, mut server) = chat(&[]);
        terminal.type_keys(line);
        terminal.wait_for(&format!("enter your message: {line}▏"));
        server.send("bye");
        drop(server);
        let screen = terminal.expect_exit(0);
        assert!(screen.contains(shown) && screen.contains("bye\ncapchat: "), "{screen}");
    }
}

#[test]
fn a_reset_at_a_half_typed_line_is_a_failure() {
    let (mut terminal, server) = chat(&[]);
    terminal.type_keys("ab");
    terminal.wait_for("enter your message: ab▏");
    server.reset();
    let screen = terminal.expect_exit(1);
    assert!(screen.contains("enter your message: ab\ncapchat: "), "{screen}");
    assert!(screen.contains(": connection reset by peer"), "{screen}");
}

#[test]
fn timeouts_end_it() {
    // Before the prompt returns, and at the prompt.
    for timeout in ["200ms", "700ms"] {
        let (mut terminal, mut server) = chat(&["-w", timeout]);
        terminal.type_keys("hi\r");
        server.expect("hi\n");
        let screen = terminal.expect_exit(124);
        assert!(screen.contains(&format!("timed out after {timeout} waiting for a reply from ")), "{screen}");
    }
    let server = TestServer::start(&[]);
    let mut terminal = Terminal::connect(server.address()).args(&["--max-time", "300ms"]).start();
    terminal.expect_exit(124);
}

#[test]
fn signals_end_it_with_the_terminal_restored() {
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)]
    {
        let (mut terminal, _server) = chat(&[]);
        terminal.type_keys("ab");
        terminal.wait_for("enter your message: ab▏");
        terminal.send_signal(signal);
        terminal.expect_exit(status);
    }
}

#[test]
fn a_half_sent_line_is_not_left_for_the_shell() {
    in_time(|| {
        let (mut terminal, mut server) = chat(&[]);
        terminal.type_keys("hi\r");
        server.expect("hi\n");
        // There is no prompt, so this is not read.
        terminal.type_keys("rm -r x\r");
        drop(server);
        assert_eq!(terminal.unread_at_exit(), 0);
        terminal.expect_exit(0);

        let nobody = Nobody::new();
        let mut terminal = Terminal::connect(&nobody.address()).args(&["--retry", "2s"]).start();
        eventually("the terminal without echo", || (!terminal.has_echo()).then_some(()));
        terminal.type_keys("rm -r x\r");
        assert_eq!(terminal.unread_at_exit(), 0);
        terminal.expect_exit(1);
    });
}

#[test]
fn what_is_typed_after_ctrl_d_is_left_for_the_shell() {
    let (mut terminal, mut server) = chat(&[]);
    terminal.type_keys(CTRL_D);
    server.expect_end("");
    terminal.type_keys("ls\r");
    eventually("unread input", || (terminal.unread() == 3).then_some(()));
    drop(server);
    assert_eq!(terminal.unread_at_exit(), 3);
    terminal.expect_exit(0);
}

#[test]
fn signals_end_it_with_the_terminal_restored_while_it_connects_or_waits() {
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)]
    {
        let nobody = Nobody::new();
        let mut terminal = Terminal::connect(&nobody.address()).args(&["--retry", "60s", "-v"]).start();
        terminal.wait_for("trying again");
        terminal.type_keys("typed ahead\r");
        terminal.send_signal(signal);
        let screen = terminal.expect_exit(status);
        assert!(!screen.contains("typed ahead"), "{screen}");
    }
    for (signal, status) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::QUIT, 131)] {
        let (mut terminal, mut server) = chat(&[]);
        terminal.type_keys("hi\r");
        server.expect("hi\n");
        terminal.send_signal(signal);
        terminal.expect_exit(status);
    }
}

#[test]
fn ctrl_c_quits_while_it_connects() {
    let nobody = Nobody::new();
    let mut terminal = Terminal::connect(&nobody.address()).args(&["--retry", "60s", "-v"]).start();
    terminal.wait_for("trying again");
    terminal.type_keys(CTRL_C);
    terminal.expect_exit(130);
}

#[test]
fn a_failed_connection_leaves_the_terminal_as_it_was() {
    let nobody = Nobody::new();
    let mut terminal = Terminal::connect(&nobody.address()).start();
    terminal.expect_exit(1);
}
