//! Colors and notices.

use std::fs;
use std::path::Path;

use vt100::Color;

use super::{EMPTY_PROMPT, chat, chat_on};
use crate::support::programs::capchat;
use crate::support::terminal::Look;

const PLAIN: Look = Look { color: Color::Default, is_dim: false, is_reversed: false };
const DIM: Look = Look { is_dim: true, ..PLAIN };
const GREEN: Look = Look { color: Color::Idx(2), ..PLAIN };

#[test]
fn a_connection_is_announced() {
    let (terminal, server) = chat(&[]);
    let address = server.address();
    let screen = terminal.screen();
    assert_eq!(
        screen,
        format!("capchat: connected to {address} (Ctrl-D ends, Ctrl-C quits)\n{EMPTY_PROMPT}")
    );
}

#[test]
fn a_connection_is_announced_once() {
    let (terminal, _server) = chat(&["-v"]);
    assert_eq!(terminal.screen().matches("connected").count(), 1);
}

#[test]
fn the_prompt_is_dim_and_the_servers_text_green() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys("one\r");
    server.expect("one\n");
    server.send("REPLY\n");
    terminal.wait_for(&format!("REPLY\n{EMPTY_PROMPT}"));
    terminal.type_keys("two");
    server.send("UNASKED\n");
    terminal.wait_for("UNASKED\nenter your message: two▏");
    assert_eq!(terminal.look("enter"), DIM);
    assert_eq!(terminal.look("one"), PLAIN);
    assert_eq!(terminal.look("REPLY"), GREEN);
    assert_eq!(terminal.look("UNASKED"), GREEN);
    assert_eq!(terminal.look("two"), PLAIN);
    server.send("login: ");
    terminal.wait_for("UNASKED\nlogin: two▏");
    assert_eq!(terminal.look("login"), GREEN);
    assert_eq!(terminal.look("two"), PLAIN);
}

#[test]
fn a_script_finds_a_reply_right_before_the_end_of_its_line() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys("hi\r");
    server.expect("hi\n");
    server.send("HI\n");
    terminal.wait_for(&format!("HI\n{EMPTY_PROMPT}"));
    let bytes = String::from_utf8(terminal.bytes()).unwrap();
    assert!(bytes.contains("HI\r\n"), "{bytes:?}");
}

#[test]
fn there_are_no_colors_with_no_color() {
    let (terminal, mut server) = chat_on(|terminal| terminal.env("NO_COLOR", "1"));
    terminal.type_keys("one\r");
    server.expect("one\n");
    server.send("ONE\n");
    terminal.wait_for(&format!("ONE\n{EMPTY_PROMPT}"));
    for text in ["enter", "ONE"] {
        assert_eq!(terminal.look(text), PLAIN);
    }
}

#[test]
fn the_keys_are_in_the_help_and_the_man_page() {
    let help = capchat().args(["connect", "--help"]).output().unwrap().stdout;
    let man = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/capchat-connect.1");
    for text in [String::from_utf8(help).unwrap(), fs::read_to_string(man).unwrap()] {
        for key in ["Ctrl-C", "Ctrl-D", "Ctrl-R", "Ctrl-V", "Ctrl-Z", "Tab"] {
            assert!(
                text.lines().any(|line| line.trim_start_matches(".It").trim_start().starts_with(key)),
                "no {key} in {text}"
            );
        }
    }
}
