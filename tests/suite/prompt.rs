//! `capchat connect` on a terminal: what a person types and sees, and the state the terminal is left in.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::custom_server::custom_server;
use crate::support::server::TestServer;
use crate::support::terminal::{Setup, Terminal};
use crate::support::wait::DEADLINE;

const BACKSPACE: &str = "\x7f";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const CTRL_R: &str = "\x12";
const CTRL_Z: &str = "\x1a";
const LEFT: &str = "\x1b[D";
const UP: &str = "\x1b[A";

/// The prompt, before anything is typed.
const EMPTY_PROMPT: &str = "enter your message: ▏";

/// A terminal that shows the prompt, and the other end of its connection: the test is the server.
#[track_caller]
fn chat(args: &[&str]) -> (Terminal, Client) {
    chat_on(|terminal| terminal.args(args))
}

#[track_caller]
fn chat_on(set_up: impl FnOnce(Setup) -> Setup) -> (Terminal, Client) {
    let (sender, connections) = channel();
    let address = custom_server(move |stream| drop(sender.send(Client { stream })));
    let terminal = set_up(Terminal::connect(&address)).start();
    terminal.wait_for(EMPTY_PROMPT);
    let server = connections.recv_timeout(DEADLINE).expect("a connection");
    (terminal, server)
}

/// Types a line at the prompt, and waits for its reply and the next prompt.
#[track_caller]
fn exchange(terminal: &Terminal, line: &str, reply: &str) {
    terminal.wait_for(EMPTY_PROMPT);
    terminal.type_keys(format!("{line}\r"));
    terminal.wait_for(&format!("enter your message: {line}\n{reply}\n{EMPTY_PROMPT}"));
}

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
}

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
    server.send("login: ");
    terminal.wait_for("login:\nenter your message: ab▏");
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
fn the_servers_death_ends_a_half_typed_line() {
    let server = TestServer::start(&[]);
    let mut terminal = Terminal::connect(server.address()).start();
    terminal.wait_for(EMPTY_PROMPT);
    terminal.type_keys(format!("half a line{LEFT}{LEFT}"));
    terminal.wait_for("half a li▏ne");
    server.send_signal(Signal::KILL);
    let killed = Instant::now();
    let screen = terminal.expect_exit(0);
    assert!(killed.elapsed() < Duration::from_secs(1));
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
    assert!(killed.elapsed() < Duration::from_secs(1));
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
fn pasted_lines_are_sent_one_after_the_other() {
    let (terminal, mut server) = chat(&["--lockstep"]);
    terminal.type_keys("\x1b[200~one\ntwo\nthree\x1b[201~\r");
    for line in ["one", "two", "three"] {
        server.expect(format!("{line}\n"));
        server.stream.set_nonblocking(true).unwrap();
        assert!(server.stream.peek(&mut [0]).is_err(), "more than one line at once");
        server.stream.set_nonblocking(false).unwrap();
        server.send(format!("{}\n", line.to_uppercase()));
    }
    terminal.wait_for(&format!("three\nONE\nTWO\nTHREE\n{EMPTY_PROMPT}"));
}

#[test]
fn lines_typed_ahead_are_sent() {
    let server = TestServer::start(&[]);
    let terminal = Terminal::connect(server.address()).start();
    terminal.wait_for(EMPTY_PROMPT);
    terminal.type_keys("one\rtwo\rthree\r");
    terminal.wait_for(&format!(
        "message: one\nONE\nenter your message: two\nTWO\nenter your message: three\nTHREE\n{EMPTY_PROMPT}"
    ));
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
fn ctrl_c_quits_while_a_reply_is_outstanding() {
    let (mut terminal, mut server) = chat(&["--lockstep"]);
    terminal.type_keys("hi\r");
    server.expect("hi\n");
    terminal.type_keys(CTRL_C);
    terminal.expect_exit(130);
}

#[test]
fn ctrl_d_closes_the_sending_side_and_the_last_reply_is_shown() {
    let (mut terminal, mut server) = chat(&[]);
    terminal.type_keys(CTRL_D);
    server.expect_end("");
    server.send("last words\n");
    drop(server);
    let screen = terminal.expect_exit(0);
    assert_eq!(screen, "enter your message:\nlast words\n▏");
}

#[test]
fn editing_works_on_whole_characters() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys(format!("héllo€😀{BACKSPACE}{BACKSPACE}{LEFT}ß"));
    terminal.wait_for("enter your message: héllß▏o");
    terminal.type_keys("\r");
    server.expect("héllßo\n");
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
fn the_prompt_returns_if_the_server_is_silent() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys("hi\r");
    server.expect("hi\n");
    let sent = Instant::now();
    terminal.wait_for(&format!("enter your message: hi\n{EMPTY_PROMPT}"));
    assert!(sent.elapsed() < Duration::from_secs(2));
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
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let (mut terminal, _server) = chat(&[]);
        terminal.type_keys("ab");
        terminal.wait_for("enter your message: ab▏");
        terminal.send_signal(signal);
        terminal.expect_exit(status);
    }
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
