//! Prompts of the server, and its requests for passwords.

use std::fs;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::{BACKSPACE, CTRL_C, CTRL_D, CTRL_R, EMPTY_PROMPT, LEFT, UP, chat, chat_on, in_time};

#[test]
fn an_unterminated_line_that_looks_like_a_prompt_becomes_the_prompt() {
    for prompt in ["login: ", "Your name:", "> ", "#", "$ ", "50% ", "really?"] {
        let (terminal, mut server) = chat(&[]);
        let first_row = terminal.screen().lines().next().unwrap().to_owned();
        server.send(prompt);
        terminal.wait_until(prompt, |screen| screen == format!("{first_row}\n{prompt}▏"));
        terminal.type_keys("me\r");
        server.expect("me\n");
        server.send(format!("welcome\n{prompt}"));
        terminal
            .wait_until(prompt, |screen| screen == format!("{first_row}\n{prompt}me\nwelcome\n{prompt}▏"));
        terminal.type_keys("you\r");
        server.expect("you\n");
        server.send("bye\n");
        terminal.wait_until("the own prompt", |screen| {
            screen.ends_with(&format!("\n{prompt}me\nwelcome\n{prompt}you\nbye\n{EMPTY_PROMPT}"))
        });
    }
}

#[test]
fn a_half_typed_line_moves_to_the_servers_prompt() {
    let (terminal, mut server) = chat(&[]);
    let first_row = terminal.screen().lines().next().unwrap().to_owned();
    let typed = "x".repeat(70);
    terminal.type_keys(format!("{typed}a\tb{LEFT}"));
    terminal.wait_for("xxaI▏b");
    server.send("login: ");
    terminal.wait_until("the prompt", |screen| {
        screen == format!("{first_row}\nlogin: {typed}aI▏\nb")
            || screen == format!("{first_row}\nlogin: {typed}aI▏b")
    });
    terminal.type_keys("c\r");
    server.expect(format!("{typed}a\tcb\n"));
}

#[test]
fn a_reply_without_a_line_feed_stays_a_reply() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys("hello\r");
    server.expect("hello\n");
    server.send("HELLO");
    terminal.wait_for(&format!("enter your message: hello\nHELLO\n{EMPTY_PROMPT}"));
}

#[test]
fn without_line_endings_nothing_becomes_the_prompt() {
    let (terminal, mut server) = chat(&["--eol", "none"]);
    server.send("login: ");
    terminal.wait_for(&format!("login:\n{EMPTY_PROMPT}"));
    terminal.type_keys("me");
    terminal.wait_for("enter your message: me▏");
    terminal.type_keys("\r");
    server.expect("me");
    server.send("50%");
    terminal.wait_for(&format!("enter your message: me\n50%\n{EMPTY_PROMPT}"));
}

#[test]
fn a_prompt_that_goes_on_is_a_line() {
    let (terminal, mut server) = chat(&[]);
    terminal.type_keys("ab");
    terminal.wait_for("enter your message: ab▏");
    server.send("Loading:");
    terminal.wait_for("Loading:ab▏");
    server.send(" done\n");
    terminal.wait_for("quits)\nLoading: done\nenter your message: ab▏");
    server.send("Again?");
    terminal.wait_for("Again?ab▏");
    server.send(" no");
    terminal.wait_for("quits)\nLoading: done\nAgain? no\nenter your message: ab▏");
}

#[test]
fn one_prompt_after_another() {
    let (terminal, mut server) = chat(&[]);
    let first_row = terminal.screen().lines().next().unwrap().to_owned();
    server.send("> ");
    terminal.wait_for("\n> ▏");
    server.send("\n> ");
    terminal.wait_until("two prompts", |screen| screen == format!("{first_row}\n>\n> ▏"));
    terminal.type_keys("x\r");
    server.expect("x\n");
    server.send("\n> ");
    terminal.wait_until("three prompts", |screen| screen == format!("{first_row}\n>\n> x\n\n> ▏"));
}

#[test]
fn a_prompt_that_does_not_fit_on_a_row_is_a_line() {
    let (terminal, mut server) = chat(&[]);
    let long = format!("{}:", "x".repeat(79));
    server.send(&long);
    terminal.wait_for(&format!("{long}\n{EMPTY_PROMPT}"));
    terminal.type_keys("hi\r");
    server.expect("hi\n");
    server.send(&long);
    terminal.wait_for(&format!("enter your message: hi\n{long}\n{EMPTY_PROMPT}"));
}

#[test]
fn ctrl_c_and_ctrl_d_work_at_the_servers_prompt() {
    let (mut terminal, mut server) = chat(&[]);
    server.send("login: ");
    terminal.wait_for("login: ▏");
    terminal.type_keys(format!("ab{CTRL_C}"));
    terminal.wait_for("login: ▏");
    terminal.type_keys(CTRL_D);
    server.expect_end("");
    drop(server);
    let screen = terminal.expect_exit(0);
    assert!(screen.ends_with("quits)\nlogin:\n▏"), "{screen}");
}

#[test]
fn a_password_is_masked_and_not_kept() {
    let state_home = TempDir::new().unwrap();
    let record = state_home.path().join("x.chat");
    let (mut terminal, mut server) = chat_on(|terminal| {
        terminal.env("XDG_STATE_HOME", state_home.path()).args(&["--record", record.to_str().unwrap()])
    });
    server.send("login: ");
    terminal.wait_for("login: ▏");
    terminal.type_keys("bob\r");
    server.expect("bob\n");
    server.send("Password: ");
    terminal.wait_for("\nPassword: ▏");
    terminal.type_keys("secret");
    terminal.wait_for("Password: ******▏");
    terminal.type_keys(format!("{BACKSPACE}{CTRL_R}{LEFT}字\r"));
    server.expect("secr字e\n");
    server.send("ok\n");
    terminal.wait_for(&format!("Password: *******\nok\n{EMPTY_PROMPT}"));
    terminal.type_keys(UP);
    terminal.wait_for("enter your message: bob▏");
    terminal.type_keys(format!("{CTRL_C}{CTRL_D}"));
    drop(server);
    terminal.expect_exit(0);

    let bytes = String::from_utf8(terminal.bytes()).unwrap();
    assert!(!bytes.contains("secr") && !bytes.contains('字'), "{bytes:?}");
    let history = fs::read_to_string(state_home.path().join("capchat/history")).unwrap();
    assert!(history.contains("bob") && !history.contains("secr"), "{history:?}");
    let recording = fs::read_to_string(record).unwrap();
    assert!(recording.contains("secr字e"), "{recording:?}");
}

#[test]
fn a_killed_password_cannot_be_yanked() {
    let (terminal, mut server) = chat(&[]);
    for kill in ["\x15", "\x17", "\x01\x0b", CTRL_C, "\x1b\x7f"] {
        server.send("Password:");
        terminal.wait_for("Password:▏");
        terminal.type_keys(format!("secret{kill}\r"));
        server.expect("\n");
        server.send("again\n");
        terminal.wait_for(EMPTY_PROMPT);
        terminal.type_keys("a\x19b");
        terminal.wait_for("enter your message: ab▏");
        terminal.type_keys("\r");
        server.expect("ab\n");
    }
}

#[test]
fn a_password_that_was_typed_early_is_masked() {
    in_time(|| {
        let (terminal, mut server) = chat(&[]);
        terminal.type_keys("login\r");
        server.expect("login\n");
        terminal.type_keys("secret");
        server.send("Password:");
        terminal.wait_for("Password:******▏");
        assert!(!String::from_utf8(terminal.bytes()).unwrap().contains("secret"));
        // Not even if the line of the prompt goes on.
        server.send(" hurry up\n");
        terminal.wait_for("Password: hurry up\nenter your message: ******▏");
        terminal.type_keys("\r");
        server.expect("secret\n");
    });
}

#[test]
fn a_request_for_a_password_needs_no_mark() {
    let (terminal, mut server) = chat(&[]);
    server.send("Enter passphrase");
    terminal.wait_for(&format!("Enter passphrase\n{EMPTY_PROMPT}"));
    // The prompt that was there before looks the same.
    terminal.type_keys("secret");
    terminal.wait_for("enter your message: ******▏");
    terminal.type_keys("\r");
    server.expect("secret\n");
    server.send("passwd");
    terminal.wait_for(&format!("passwd\n{EMPTY_PROMPT}"));
    terminal.type_keys(UP);
    terminal.type_keys("x");
    terminal.wait_for("enter your message: *▏");
}

#[test]
fn no_key_is_lost_while_prompts_come_and_go() {
    let (terminal, mut server) = chat(&[]);
    let lines = ["the quick brown fox, é€😀 jumps over the lazy dog. ".repeat(5), "x\x1b[Dyz".repeat(30)];
    let sent = [format!("{}\n", lines[0]), format!("{}{}\n", "yz".repeat(30), "x".repeat(30))];
    for (line, sent) in lines.iter().zip(sent) {
        thread::scope(|scope| {
            scope.spawn(|| terminal.type_fast(line));
            for number in 0..8 {
                // Each needs a quiet gap to become the prompt.
                for text in [format!("{number}? "), "no\n".to_owned()] {
                    server.send(text);
                    thread::sleep(Duration::from_millis(80));
                }
            }
        });
        terminal.type_keys("\r");
        server.expect(sent);
        server.send("OK\n");
    }
}
