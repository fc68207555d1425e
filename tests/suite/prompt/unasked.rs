//! What the server sends unasked.

use super::{CTRL_L, EMPTY_PROMPT, LEFT, chat, chat_on};

#[test]
fn unsolicited_output_appears_above_the_line_being_typed() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys(format!("abcd{LEFT}{LEFT}"));
    terminal.wait_for("enter your message: ab▏cd");
    server.send("news\n");
    terminal.wait_for("news\nenter your message: ab▏cd");
    terminal.type_keys("X\r");
    server.expect("abXcd\n");
}

#[test]
fn unsolicited_output_without_a_line_ending_appears_above_too() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys("ab");
    terminal.wait_for("enter your message: ab▏");
    server.send("wait");
    terminal.wait_for("wait\nenter your message: ab▏");
}

#[test]
fn output_above_a_wrapped_line_leaves_it_intact() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys("x".repeat(100));
    let typed = format!("enter your message: {}\n{}▏", "x".repeat(60), "x".repeat(40));
    terminal.wait_for(&typed);
    for news in ["one\n", "two\n"] {
        server.send(news);
        terminal.wait_for(&format!("{news}{typed}"));
    }
}

#[test]
fn many_lines_above_a_line_being_typed_stay_in_order() {
    let (terminal, mut server) = chat_on(|terminal| terminal.rows(250));
    terminal.type_keys("ab");
    terminal.wait_for("enter your message: ab▏");
    let mut lines = String::new();
    for number in 0..200 {
        let line = format!("message {number}\n");
        server.send(&line);
        lines.push_str(&line);
    }
    terminal.wait_for(&format!("{lines}enter your message: ab▏"));
}

#[test]
fn the_server_cannot_drive_the_terminal() {
    let (terminal, mut server) = chat(&[]);
    server.send("\x1b[2J \x07 \u{9b}31m 50%\r100%\na\tb\r\n");
    terminal.wait_for(&format!("\\x1b[2J \\x07 \\u{{9b}}31m 50%\\r100%\na       b\n{EMPTY_PROMPT}"));
    terminal.type_keys("hi\r");
    server.expect("hi\n");
    server.send("\x1b[2Jhi\r\n");
    terminal.wait_for(&format!("enter your message: hi\n\\x1b[2Jhi\n{EMPTY_PROMPT}"));
}

#[test]
fn output_above_a_prompt_on_the_first_row_leaves_no_empty_row() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys(format!("ab{CTRL_L}c"));
    terminal.wait_until("a cleared screen", |screen| screen == "enter your message: abc▏");
    server.send("one\n");
    terminal.wait_until("one line above", |screen| screen == "one\nenter your message: abc▏");
    server.send("two\n");
    terminal.wait_until("two lines above", |screen| screen == "one\ntwo\nenter your message: abc▏");
    // Twice in a row, and the first row is free again.
    terminal.type_keys(format!("{CTRL_L}{CTRL_L}"));
    terminal.wait_until("a cleared screen", |screen| screen == "enter your message: abc▏");
    server.send("three\n");
    terminal.wait_until("one line above", |screen| screen == "three\nenter your message: abc▏");
}

#[test]
fn output_at_the_bottom_of_the_screen_scrolls() {
    let (terminal, mut server) = chat_on(|terminal| terminal.rows(3));
    terminal.type_keys("ab");
    terminal.wait_for("enter your message: ab▏");
    for number in 1..=9 {
        server.send(format!("{number}\n"));
    }
    terminal.wait_until("the last lines", |screen| screen == "8\n9\nenter your message: ab▏");
}
