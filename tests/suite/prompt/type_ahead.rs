//! What is typed while there is no prompt.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::{CTRL_C, CTRL_D, EMPTY_PROMPT, LEFT, chat, in_time};
use crate::support::custom_server::{line_server, say};
use crate::support::programs::{capchat, is_missing, note, path_with_capchat};
use crate::support::server::TestServer;
use crate::support::terminal::Terminal;
use crate::support::wait::eventually;

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
fn what_is_typed_without_a_prompt_is_not_echoed_and_complete() {
    in_time(|| {
        let (terminal, mut server) = chat(&[]);
        terminal.type_keys("hi\r");
        server.expect("hi\n");
        // Control keys would be echoed, or acted on, in canonical mode.
        let line = "x".repeat(300);
        terminal.type_keys(format!("ab{LEFT}\x16\x0f{line}\rnext\r"));
        server.send("HI\n");
        server.expect(format!("a\x0f{line}b\n"));
        server.expect("next\n");
        terminal.wait_until("each line once", |screen| {
            screen.contains("message: hi\nHI\nenter your message: aO") && screen.matches("next").count() == 1
        });
    });
}

#[test]
fn a_line_that_is_longer_than_the_kernels_line_is_complete() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys("hi\r");
    server.expect("hi\n");
    let line = "y".repeat(6000);
    terminal.type_keys(format!("{line}\r"));
    server.expect(format!("{line}\n"));
}

#[test]
fn what_is_typed_while_it_connects_is_sent() {
    // A port could be taken by another test's connection before the server listens.
    let folder = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", folder.path().join("socket").display());
    let terminal = Terminal::connect(&address).args(&["--retry", "30s"]).start();
    eventually("the terminal without echo", || (!terminal.has_echo()).then_some(()));
    terminal.type_keys(format!("helo{LEFT}l\r"));
    eventually("unread input", || (terminal.unread() == 9).then_some(()));
    assert_eq!(terminal.screen(), "▏");
    let _server = TestServer::start_with(capchat().args(["serve", &address]), 1);
    terminal.wait_for(&format!("quits)\nenter your message: hello\nHELLO\n{EMPTY_PROMPT}"));
}

#[test]
fn ctrl_d_right_after_a_reply_ends_the_conversation() {
    let (mut terminal, mut server) = chat(&[]);
    terminal.type_keys("hi\r");
    server.expect("hi\n");
    server.send("HI\n");
    terminal.wait_for("HI\n");
    terminal.type_keys(CTRL_D);
    server.expect_end("");
    drop(server);
    terminal.expect_exit(0);
}

#[test]
fn ctrl_c_without_a_prompt_clears_what_was_typed() {
    in_time(|| {
        let (terminal, mut server) = chat(&[]);
        terminal.type_keys("hi\r");
        server.expect("hi\n");
        terminal.type_keys(format!("no{CTRL_C}"));
        terminal.wait_for(EMPTY_PROMPT);
        terminal.type_keys("yes\r");
        server.expect("yes\n");
    });
}

/// How long the server of a conversation takes to reply, in milliseconds, and how many lines are typed. A reply that
/// takes more than half a second comes after the prompt.
const CONVERSATIONS: [(u64, usize); 4] = [(0, 10), (10, 10), (60, 10), (600, 3)];

#[test]
fn a_fast_typist_holds_a_conversation() {
    in_parallel(&CONVERSATIONS, |delay, lines| (0..2).for_each(|_| type_conversation(delay, lines)));
}

#[test]
fn an_expect_script_holds_a_conversation() {
    if is_missing("expect") {
        return;
    }
    in_parallel(&CONVERSATIONS, |delay, lines| (0..2).for_each(|_| expect_conversation(delay, lines)));
}

#[test]
#[ignore = "takes minutes"]
fn typists_and_expect_scripts_hold_conversations_25_times() {
    in_parallel(&[(0, 10), (10, 10), (60, 10), (600, 10)], |delay, lines| {
        for time in 1..=25 {
            type_conversation(delay, lines);
            expect_conversation(delay, lines);
            note(format_args!("{time} of 25 at {delay} ms"));
        }
    });
}

fn in_parallel(conversations: &[(u64, usize)], hold: impl Fn(u64, usize) + Sync) {
    let hold = &hold;
    thread::scope(|scope| {
        for &(delay, lines) in conversations {
            scope.spawn(move || hold(delay, lines));
        }
    });
}

fn slow_server(delay: u64) -> String {
    line_server("", move |line| {
        thread::sleep(Duration::from_millis(delay));
        say(&line.to_uppercase())
    })
}

/// Types without waiting for replies, and presses Ctrl-D when the last one is there.
fn type_conversation(delay: u64, lines: usize) {
    let mut terminal = Terminal::connect(&slow_server(delay)).rows(40).start();
    terminal.wait_for(EMPTY_PROMPT);
    for line in 1..=lines {
        terminal.type_fast(&format!("typed line {line}.\r"));
    }
    terminal.wait_for(&format!("TYPED LINE {lines}.\n"));
    terminal.type_keys(CTRL_D);
    assert_each_line_once(&terminal.expect_exit(0), lines);
}

/// An expect script that waits for each reply, and presses Ctrl-D right after the last one.
fn expect_conversation(delay: u64, lines: usize) {
    let script = format!(
        r#"set timeout 30
        spawn capchat connect --no-history {}
        expect "enter your message: "
        for {{set i 1}} {{$i <= {lines}}} {{incr i}} {{
            send "typed line $i.\r"
            expect "TYPED LINE $i." {{}} timeout {{exit 90}} eof {{exit 91}}
        }}
        send "\004"
        expect eof {{}} timeout {{exit 92}}
        exit [lindex [wait] 3]"#,
        slow_server(delay)
    );
    let mut expect = Command::new("expect");
    expect.args(["-c", &script]).env("PATH", path_with_capchat()).env("TERM", "xterm").stdin(Stdio::null());
    let output = expect.env_remove("CAPCHAT_ADDRESS").output().unwrap();
    let mut screen = vt100::Parser::new(60.try_into().unwrap(), 80.try_into().unwrap(), 0);
    screen.process(&output.stdout);
    let screen = screen.screen().contents();
    assert!(output.status.success(), "{:?} with this screen:\n{screen}", output.status);
    assert_each_line_once(&screen, lines);
}

#[track_caller]
fn assert_each_line_once(screen: &str, lines: usize) {
    for line in 1..=lines {
        for text in [format!("typed line {line}."), format!("TYPED LINE {line}.")] {
            assert_eq!(screen.matches(&text).count(), 1, "{text:?} on this screen:\n{screen}");
        }
    }
}
