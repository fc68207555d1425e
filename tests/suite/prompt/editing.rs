//! What the keys do, control characters, and bytes that are not UTF-8.

use std::process::Command;

use super::{BACKSPACE, CTRL_C, CTRL_D, CTRL_V, CTRL_Z, EMPTY_PROMPT, ESC, LEFT, UP, chat, in_time};
use crate::support::server::TestServer;
use crate::support::terminal::Terminal;

#[test]
fn editing_works_on_whole_characters() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys(format!("héllo€😀{BACKSPACE}{BACKSPACE}{LEFT}ß"));
    terminal.wait_for("enter your message: héllß▏o");
    terminal.type_keys("\r");
    server.expect("héllßo\n");
}

#[test]
fn ctrl_c_clears_the_line_and_quits_on_an_empty_one() {
    let (mut terminal, mut server) = chat(&[]);
    terminal.type_keys(format!("abcd{LEFT}"));
    terminal.wait_for("enter your message: abc▏d");
    terminal.type_keys(CTRL_C);
    terminal.wait_for(EMPTY_PROMPT);
    terminal.type_keys("x\r");
    server.expect("x\n");
    server.send("X\n");
    terminal.wait_for(&format!("X\n{EMPTY_PROMPT}"));
    terminal.type_keys(CTRL_C);
    let screen = terminal.expect_exit(130);
    assert!(screen.contains("capchat: interrupted\n"), "{screen}");
}

#[test]
fn ctrl_c_brings_the_prompt_back_and_quits_the_second_time() {
    in_time(|| {
        for args in [&["--lockstep"][..], &[]] {
            let (mut terminal, mut server) = chat(args);
            terminal.type_keys("hi\r");
            server.expect("hi\n");
            terminal.type_keys(CTRL_C);
            terminal.wait_for(&format!("enter your message: hi\n{EMPTY_PROMPT}"));
            terminal.type_keys("you\r");
            server.expect("you\n");
            terminal.type_keys(CTRL_C);
            terminal.wait_for(&format!("enter your message: you\n{EMPTY_PROMPT}"));
            terminal.type_keys(CTRL_C);
            let screen = terminal.expect_exit(130);
            assert!(screen.ends_with("enter your message:\ncapchat: interrupted\n▏"), "{screen}");
        }
    });
}

#[test]
fn ctrl_c_gives_up_pasted_lines() {
    in_time(|| {
        let (terminal, mut server) = chat(&["--lockstep"]);
        terminal.type_keys("\x1b[200~one\ntwo\nthree\x1b[201~\r");
        server.expect("one\n");
        terminal.type_keys(CTRL_C);
        terminal.wait_for(EMPTY_PROMPT);
        terminal.type_keys("four\r");
        server.expect("four\n");
    });
}

/// In a shell with job control: the kernel does not stop an orphaned process group.
#[test]
fn ctrl_z_returns_to_the_shell_and_fg_continues() {
    let server = TestServer::start(&[]);
    let script = r#""$0" connect "$1"; echo suspended; read enter; fg"#;
    let mut command = Command::new("sh");
    command
        .args(["-m", "-c", script, env!("CARGO_BIN_EXE_capchat"), server.address()])
        .env_remove("CAPCHAT_ADDRESS");
    let mut terminal = Terminal::with(command).start();
    terminal.wait_for(EMPTY_PROMPT);
    terminal.type_keys("h");
    terminal.wait_for("enter your message: h▏");
    terminal.type_keys(CTRL_Z);
    terminal.wait_for("suspended\n▏");
    assert!(terminal.is_canonical());
    terminal.type_keys("\r");
    terminal.wait_for("enter your message: h▏");
    terminal.type_keys("i\r");
    terminal.wait_for(&format!("enter your message: hi\nHI\n{EMPTY_PROMPT}"));
    terminal.type_keys(CTRL_D);
    terminal.expect_exit(0);
}

#[test]
fn tab_inserts_a_tab() {
    let (terminal, mut server) = chat(&[]);
    for (keys, sent) in [("hello\t", "hello\t\n"), ("a\tb", "a\tb\n"), ("\t\tx", "\t\tx\n")] {
        terminal.wait_for(EMPTY_PROMPT);
        terminal.type_keys(format!("{keys}\r"));
        server.expect(sent);
        server.send("OK\n");
    }
    terminal.wait_for(EMPTY_PROMPT);
    terminal.type_keys(format!("a\t{BACKSPACE}b"));
    terminal.wait_for("enter your message: ab▏");
}

#[test]
fn control_characters_are_shown_in_one_column_and_sent_as_they_are() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys(format!("ab{LEFT}{CTRL_V}{ESC}"));
    terminal.wait_until("the control character", |screen| screen.contains("message: a▏[b"));
    terminal.type_keys("[2J");
    terminal.wait_for("enter your message: a[[2J▏b");
    assert!(terminal.look("[[2J").is_reversed);
    assert!(!terminal.look("[2J").is_reversed);
    terminal.type_keys("\r");
    server.expect("a\x1b[2Jb\n");
    server.send("OK\n");
    terminal.wait_for(&format!("enter your message: a[[2Jb\nOK\n{EMPTY_PROMPT}"));
    terminal.type_keys(UP);
    terminal.wait_for("enter your message: a[[2Jb▏");
    terminal.type_keys(format!("{BACKSPACE}{LEFT}{LEFT}{LEFT}{BACKSPACE}"));
    terminal.wait_for("enter your message: a▏[2J");
    assert!(!terminal.bytes().windows(4).any(|bytes| bytes == b"\x1b[2J"));
}

#[test]
fn every_key_can_follow_a_control_character() {
    for (keys, sent) in [
        (format!("a{CTRL_V}{ESC}\r"), "a\x1b\n"),
        (format!("a{CTRL_V}{ESC}{CTRL_V}{CTRL_C}b\r"), "a\x1b\x03b\n"),
        (format!("a{CTRL_V}{ESC}\tb\r"), "a\x1b\tb\n"),
        (format!("a{CTRL_V}{ESC}{BACKSPACE}b\r"), "ab\n"),
        (format!("a{CTRL_V}{ESC}{LEFT}b\r"), "ab\x1b\n"),
        (format!("a{CTRL_V}\rb{CTRL_V}\0\r"), "a\rb\0\n"),
        (format!("a{CTRL_V}{ESC}b{CTRL_C}c\r"), "c\n"),
        ("a\0b\r".to_owned(), "ab\n"),
        ("a\u{202e}b\u{85}\r".to_owned(), "a\u{202e}b\n"),
    ] {
        let (terminal, mut server) = chat(&[]);
        terminal.type_keys(&keys);
        server.expect(sent);
        drop(terminal);
    }
}

#[test]
fn pasted_control_characters_are_sent_and_not_painted() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys("x\x1b[200~a\tb\x07\x03\x04\x1a\x08\u{202e}\u{9b}c\r\nd\x1b[201~y");
    terminal.wait_for("enter your message: xaIbGCDZH.{c\ndy▏");
    terminal.type_keys("\r");
    server.expect("xa\tb\x07\x03\x04\x1a\x08\u{202e}\u{9b}c\n");
    assert!(!terminal.bytes().contains(&7));
    server.send("OK\n");
    server.expect("dy\n");
}

#[test]
fn a_large_block_can_be_pasted() {
    let (terminal, mut server) = chat(&[]);
    let lines = "a line \t of a large block\n".repeat(1000);
    terminal.type_keys(format!("\x1b[200~{lines}\x1b[201~\r"));
    for line in lines.split_inclusive('\n') {
        server.expect(line);
        server.send("OK\n");
    }
    terminal.wait_for(EMPTY_PROMPT);
}

#[test]
fn a_byte_that_is_not_utf8_costs_the_line() {
    let (mut terminal, mut server) = chat(&[]);
    let notice = format!("capchat: discarded a line that is not UTF-8\n{EMPTY_PROMPT}");
    terminal.type_keys(b"caf\xe9x");
    terminal.wait_for(&notice);
    terminal.type_keys("hi\r");
    server.expect("hi\n");
    server.send("HI\n");
    terminal.wait_for(&format!("{notice}hi\nHI\n").replace('▏', ""));
    terminal.wait_for(&format!("HI\n{EMPTY_PROMPT}"));

    // The rest of a paste is not typed, and its control characters are no signals.
    let mut block = b"\x1b[200~one\ncaf\xe9\nthree\n".to_vec();
    block.extend(b"rest\x03\x1c\n".repeat(2000));
    block.extend(b"\x1b[201~\r");
    terminal.type_keys(block);
    terminal.wait_until("the second notice", |screen| {
        screen.matches("discarded").count() == 2 && screen.ends_with(EMPTY_PROMPT)
    });
    terminal.type_keys(format!("bye\r{CTRL_D}"));
    server.expect_end("bye\n");
    drop(server);
    terminal.expect_exit(0);
}
