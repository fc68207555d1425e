//! The history, in memory and on disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::{CTRL_D, CTRL_V, EMPTY_PROMPT, UP, chat_on, exchange};
use crate::support::data::lines;
use crate::support::server::TestServer;
use crate::support::terminal::Terminal;

#[test]
fn up_recalls_the_lines_of_this_run_and_of_the_last_one() {
    let server = TestServer::start(&[]);
    let state_home = TempDir::new().unwrap();
    let start = || Terminal::connect(server.address()).env("XDG_STATE_HOME", state_home.path()).start();
    let recalls_both_lines = |terminal: &Terminal| {
        terminal.type_keys(UP);
        terminal.wait_for("enter your message: second▏");
        terminal.type_keys(UP);
        terminal.wait_for("enter your message: first▏");
    };
    let this_run = start();
    exchange(&this_run, "first", "FIRST");
    exchange(&this_run, "second", "SECOND");
    recalls_both_lines(&this_run);
    drop(this_run);
    let next_run = start();
    next_run.wait_for(EMPTY_PROMPT);
    recalls_both_lines(&next_run);
}

#[test]
fn only_the_user_can_read_the_history() {
    let server = TestServer::start(&[]);
    let state_home = TempDir::new().unwrap();
    let terminal =
        Terminal::connect(server.address()).env("XDG_STATE_HOME", state_home.path().join("new")).start();
    exchange(&terminal, "secret", "SECRET");
    let history = state_home.path().join("new/capchat/history");
    assert!(fs::read_to_string(&history).unwrap().contains("secret"));
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(history.as_path()), 0o600);
    assert_eq!(mode(history.parent().unwrap()), 0o700);
}

#[test]
fn the_last_thousand_lines_are_kept() {
    let server = TestServer::start(&[]);
    let state_home = TempDir::new().unwrap();
    let history = state_home.path().join("capchat/history");
    fs::create_dir(state_home.path().join("capchat")).unwrap();
    let lines = lines(1500, |number| format!("line {number}"));
    fs::write(&history, format!("#V2\n{lines}")).unwrap();
    let mut terminal = Terminal::connect(server.address()).env("XDG_STATE_HOME", state_home.path()).start();
    exchange(&terminal, "hi", "HI");
    terminal.type_keys(CTRL_D);
    terminal.expect_exit(0);
    let text = fs::read_to_string(&history).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!((kept.len(), kept[0], kept[999]), (1000, "line 501", "hi"));
}

#[test]
fn without_a_state_directory_the_history_is_in_the_home_directory() {
    let server = TestServer::start(&[]);
    let home = TempDir::new().unwrap();
    let terminal =
        Terminal::connect(server.address()).env_remove("XDG_STATE_HOME").env("HOME", home.path()).start();
    exchange(&terminal, "hi", "HI");
    assert!(home.path().join(".local/state/capchat/history").exists());
}

#[test]
fn without_history_none_is_read_or_written() {
    let server = TestServer::start(&[]);
    let state_home = TempDir::new().unwrap();
    let setup = || Terminal::connect(server.address()).env("XDG_STATE_HOME", state_home.path());
    exchange(&setup().start(), "kept", "KEPT");
    let history = state_home.path().join("capchat/history");
    let before = fs::read(&history).unwrap();

    let terminal = setup().args(&["--no-history"]).start();
    terminal.wait_for(EMPTY_PROMPT);
    terminal.type_keys(UP);
    exchange(&terminal, "not kept", "NOT KEPT");
    assert_eq!(fs::read(&history).unwrap(), before);
}

#[test]
fn a_history_that_cannot_be_saved_is_one_line_and_the_chat_goes_on() {
    let server = TestServer::start(&[]);
    let file = tempfile::NamedTempFile::new().unwrap();
    let terminal = Terminal::connect(server.address()).env("XDG_STATE_HOME", file.path()).start();
    exchange(&terminal, "one", "ONE");
    exchange(&terminal, "two", "TWO");
    assert_eq!(terminal.screen().matches("could not keep the history").count(), 1);
    // The terminal may break the line anywhere.
    let screen = terminal.screen().replace(['\r', '\n'], "");
    assert!(screen.contains("/capchat/history: not a directory"), "{screen}");
    assert!(!screen.contains("os error"), "{screen}");
}

#[test]
fn control_characters_are_kept_as_they_are() {
    let state_home = TempDir::new().unwrap();
    let start = || chat_on(|terminal| terminal.env("XDG_STATE_HOME", state_home.path()));
    let line = "\\ a\tb\x1bc\u{9b}d\u{202e}\0\x7fe\r";
    let typed: String = line
        .chars()
        .map(|key| if key.is_control() { format!("{CTRL_V}{key}") } else { key.to_string() })
        .collect();
    let (terminal, mut server) = start();
    terminal.type_keys(format!("{typed}\r"));
    server.expect(format!("{line}\n"));
    terminal.wait_for(EMPTY_PROMPT);
    drop(terminal);

    let (terminal, mut server) = start();
    terminal.type_keys(UP);
    terminal.wait_for("enter your message: \\ aIb[c{d.@?eM▏");
    terminal.type_keys("\r");
    server.expect(format!("{line}\n"));
}

#[test]
fn a_line_that_starts_with_a_space_is_sent_with_it_and_not_kept() {
    let (terminal, mut server) = chat_on(|terminal| terminal);
    terminal.type_keys("one\r");
    server.expect("one\n");
    terminal.type_keys(" two\r");
    server.expect(" two\n");
    terminal.wait_for(&format!(" two\n{EMPTY_PROMPT}"));
    terminal.type_keys(UP);
    terminal.wait_for("enter your message: one▏");
}
