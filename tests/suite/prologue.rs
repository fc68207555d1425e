//! `capchat connect --prologue`: the client side of a transcript, and then the pipe, lockstep or the prompt.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::chats::Chats;
use crate::support::custom_server::{Lonely, Nobody, Reply, custom_server, line_server, read_all, say};
use crate::support::programs::path_with_capchat;
use crate::support::run::Run;
use crate::support::terminal::Terminal;
use crate::support::wait::{DEADLINE, eventually};

const LOGIN: &str = "S: hello\nC: login joe\nS: welcome\n";

/// Greets, wants a login, and then echoes. After the login it says more in the same segment.
fn login_server(more: &'static str) -> String {
    line_server("hello\n", move |line| match line {
        "login joe" => Reply::Say(format!("welcome\n{more}")),
        "bye" => Reply::Close,
        line => say(line),
    })
}

fn with_login(chats: &Chats, address: &str) -> Run {
    chats.connect(address).args(&["--prologue", "t.chat"])
}

/// The next bytes, as many as `text` has.
#[track_caller]
fn expect(mut stream: &TcpStream, text: &str) {
    let mut bytes = vec![0; text.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), text);
}

#[test]
fn a_pipe_goes_on_after_it() {
    let chats = Chats::with(LOGIN);
    let address = login_server("");
    with_login(&chats, &address).stdin("a\nb\nbye\n").run().succeeds_with("a\nb\n");
    let run = with_login(&chats, &address).args(&["-v"]).stdin("a\nbye\n").run();
    let errors = run.errors();
    let lines: Vec<_> = errors.lines().collect();
    let [connected, shown @ .., sent] = &lines[..] else { panic!("{errors}") };
    assert_eq!(*connected, format!("capchat: connected to {address}"));
    assert_eq!(*sent, "capchat: sent 16 bytes, received 16 bytes");
    // With the time between the name and the line.
    let shown =
        shown.iter().map(|line| line.split(' ').filter(|word| !word.contains('.') || word.contains("chat")));
    let shown: Vec<_> = shown.map(|words| words.collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(shown, ["t.chat: S: hello", "t.chat: C: login joe", "t.chat: S: welcome"]);
}

#[test]
fn what_the_server_says_beyond_it_comes_first() {
    let more = "3 new messages\n\n> ";
    let chats = Chats::with(LOGIN);
    let address = login_server(more);
    let expected = format!("{more}a\n");
    with_login(&chats, &address).stdin("a\nbye\n").run().succeeds_with(&expected);
    let lockstep = with_login(&chats, &address).args(&["--lockstep"]).stdin("a\nbye\n").run();
    lockstep.succeeds_with(&expected);
    // More than a buffer of any kind holds.
    let long: &'static str = "0123456789abcde\n".repeat(1 << 16).leak();
    with_login(&chats, &login_server(long)).stdin("a\nbye\n").run().succeeds_with(format!("{long}a\n"));
    // The item ends in the middle of a line.
    chats.write("t.chat", "S: hello\nC: login joe\nS\\ wel\\\n");
    with_login(&chats, &address).stdin("bye\n").run().succeeds_with(format!("come\n{more}"));
}

#[test]
fn the_servers_end_is_seen_after_it() {
    let address = custom_server(|mut stream| drop(stream.write_all(b"hello\nbye\n")));
    let chats = Chats::with("S: hello\nC WAIT 200ms\n");
    with_login(&chats, &address).run().succeeds_with("bye\n");
    let run = with_login(&chats, &address).args(&["--lockstep"]).stdin("a\n").run();
    assert_eq!(run.report(), "bye\n");
    run.fails_with(3, &["closed the connection before all input was sent"]);
}

#[test]
fn a_greeting_is_what_the_server_says_after_it() {
    let address = custom_server(|stream| {
        (&stream).write_all(b"hello\n").unwrap();
        expect(&stream, "login\n");
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        assert!((&stream).read(&mut [0]).is_err(), "something was sent before the greeting");
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        (&stream).write_all(b"welcome\n").unwrap();
        expect(&stream, "a\n");
        (&stream).write_all(b"A\n").unwrap();
    });
    let chats = Chats::with("S: hello\nC: login\n");
    let run = with_login(&chats, &address).args(&["--lockstep", "--greeting"]);
    run.stdin("a\n").run().succeeds_with("welcome\nA\n");
    // It may have arrived with the prologue's last line.
    chats.write("t.chat", LOGIN);
    let run = with_login(&chats, &login_server("ready\n")).args(&["--lockstep", "--greeting"]);
    run.stdin("a\nbye\n").run().succeeds_with("ready\na\n");
}

#[test]
fn the_recording_is_of_the_whole_conversation() {
    let chats = Chats::with(LOGIN);
    let address = login_server("news\n");
    let run =
        with_login(&chats, &address).args(&["--lockstep", "--record", "r.chat"]).stdin("a\nbye\n").run();
    run.succeeds_with("news\na\n");
    let text = "S: hello\nC: login joe\nS: welcome\nS: news\nC: a\nS: a\nC: bye\nS EOF\n";
    assert_eq!(chats.read("r.chat"), text);
    chats.check(&address, &["r.chat"]).run().succeeds_with("PASS r.chat\n1 passed, 0 failed\n");
    // A prologue that fails is recorded as far as it went.
    chats.write("t.chat", "S: hello\nC: login jim\nS: welcome\n");
    let run = with_login(&chats, &address).args(&["--record", "r.chat"]).run();
    assert_eq!(run.0.status.code(), Some(3));
    assert_eq!(chats.read("r.chat"), "S: hello\nC: login jim\nS: login jim\n");
}

#[test]
fn a_mismatch_is_reported_as_in_a_check() {
    let chats = Chats::with("S: hello\nC: login jim\nS: welcome\nC: a\n");
    let address = login_server("");
    let run = with_login(&chats, &address).stdin("a\n").run();
    let report = format!(
        "FAIL t.chat:3: server reply differs (last sent: line 2)\n--- expected t.chat\n+++ received {address}\n \
         S: hello\n C: login jim\n-S: welcome\n+S: login jim\n2 matched, 1 failed, 1 not run\n"
    );
    assert_eq!(run.errors(), format!("{report}capchat: the prologue failed against {address}\n"));
    assert_eq!((run.report(), run.0.status.code()), (String::new(), Some(3)));
    let check = chats.check(&address, &["t.chat"]).run();
    assert_eq!(check.report(), format!("{report}0 passed, 1 failed\n"));
    // Nothing is sent after it, and a reset is one too.
    let (sender, received) = mpsc::channel();
    let sender = Mutex::new(sender);
    let address = custom_server(move |mut stream| {
        stream.write_all(b"hullo\n").unwrap();
        sender.lock().unwrap().send(read_all(&stream)).unwrap();
    });
    with_login(&chats, &address).stdin("a\n").run();
    assert_eq!(received.recv_timeout(DEADLINE).unwrap(), b"");
    let run = with_login(&chats, &line_server("hello\n", |_| Reply::Reset)).run();
    assert!(run.errors().contains("t.chat:3: connection reset"), "{}", run.errors());
    assert_eq!(run.0.status.code(), Some(3));
}

#[test]
fn input_is_read_after_it_only() {
    let chats = Chats::with("S: hullo\n");
    chats.write("input", "a\nb\n");
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"capchat connect "$0" --prologue t.chat || cat"#, &login_server("")]);
    shell.env("PATH", path_with_capchat()).current_dir(chats.path("."));
    let output = shell.stdin(File::open(chats.path("input")).unwrap()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a\nb\n");
}

#[test]
fn the_time_limits_hold_during_it() {
    let address = login_server("");
    for (text, option, status, messages) in [
        (
            "S: hello\nC: login joe\nS: welcome\nS: more\n",
            &["-w", "300ms"][..],
            124,
            ["t.chat:4: server reply missing (within 300ms; last sent: line 2)", ": timed out\n"],
        ),
        // The file's own limit is shorter.
        (
            "%timeout 300ms\nS: hello\nS: more\n",
            &["-w", "20s"],
            3,
            ["t.chat:3: server reply missing (within 300ms; nothing sent before)", "note: no data for 300ms"],
        ),
        (
            "S: hello\nC WAIT 1h\n",
            &["--max-time", "300ms"],
            124,
            ["timed out: not finished after 300ms (--max-time)", ""],
        ),
        // A mismatch is one, whatever the limit.
        ("S: hullo\n", &["-w", "10s"], 3, ["t.chat:1: server reply differs", "+S: hello"]),
        // The reply to its last line is outstanding after it.
        (
            "S: hello\nC WAIT 10ms\nC\\ no line\\\n",
            &["-w", "300ms"],
            124,
            ["timed out after 300ms waiting for a reply from", ""],
        ),
    ] {
        let chats = Chats::with(text);
        let (ended, errors) = with_login(&chats, &address).args(option).start().wait();
        assert_eq!(ended, Some(status), "{text}{errors}");
        for message in messages {
            assert!(errors.contains(message), "no {message:?} in:\n{errors}");
        }
    }
    let chats = Chats::with(LOGIN);
    with_login(&chats, &Nobody::new().address()).run().fails_with(1, &["could not connect to"]);
}

#[test]
fn values_come_from_the_command_line() {
    let chats = Chats::with("S: hello\nC\\ login \\{user}\nS: welcome\n");
    let address = login_server("");
    with_login(&chats, &address).args(&["--set", "user=joe"]).stdin("bye\n").run().succeeds_with("");
    let run = with_login(&chats, &address).args(&["--set", "user=jim"]).run();
    assert!(run.errors().contains("note: user = jim\n"), "{}", run.errors());
}

#[test]
fn a_file_that_cannot_be_one_is_a_usage_error() {
    let lonely = Lonely::new();
    let address = lonely.address();
    for (text, message) in [
        ("C EOF\n", "t.chat:1: expected a connection that stays open after a prologue, found 'C EOF'"),
        ("S: a\nS EOF\n", "t.chat:2: expected a connection that stays open after a prologue, found 'S EOF'"),
        ("S RST\n", "t.chat:1: expected a connection that stays open after a prologue, found 'S RST'"),
        ("C:a\n", "t.chat:1: expected a space after 'C:', found 'C:a'"),
        ("C~ a\n", "t.chat:1: expected text for the client to send ('C: text'), found 'C~'"),
        (r"C\ \{a}", r"t.chat:1: expected a value for the client to send"),
    ] {
        with_login(&Chats::with(text), &address).run().fails_with(2, &[message]);
    }
    let chats = Chats::with(LOGIN);
    for (args, message) in [
        (&["--prologue", "none"][..], "cannot read none: no such file or directory"),
        (&["--prologue", "-"], "the prologue cannot be '-' (for a file of that name, use ./-)"),
        (&["--prologue", "t.chat", "--set", "a=b"], "--set a: no transcript has a hole of this name"),
        (&["--prologue", "t.chat", "--listen"], "--prologue cannot be used with --listen"),
        (&["--set", "a=b"], "--set requires --prologue"),
    ] {
        chats.connect(&address).args(args).run().fails_with(2, &[message]);
    }
    lonely.has_seen_nobody();
}

#[test]
fn a_signal_during_it_keeps_the_recording() {
    let chats = Chats::with("S: hello\nC: a\nC WAIT 1h\n");
    let (sender, received) = mpsc::channel();
    let sender = Mutex::new(sender);
    let address = custom_server(move |stream| {
        (&stream).write_all(b"hello\n").unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        sender.lock().unwrap().send(line).unwrap();
        read_all(&stream);
    });
    let run = with_login(&chats, &address).args(&["--record", "r.chat"]).start();
    assert_eq!(received.recv_timeout(DEADLINE).unwrap(), "a\n");
    kill_process(Pid::from_child(&run.child), Signal::TERM).unwrap();
    assert_eq!(run.wait(), (Some(143), "capchat: terminated\n".to_owned()));
    assert_eq!(chats.read("r.chat"), "S: hello\nC: a\n");
}

/// A prompt whose prologue is this.
fn terminal(chats: &Chats, address: &str) -> Terminal {
    Terminal::connect(address).args(&["--prologue", chats.path("t.chat").to_str().unwrap()]).start()
}

#[test]
fn the_prompt_opens_after_it() {
    let chats = Chats::with(LOGIN);
    let mut prompt = terminal(&chats, &login_server("3 new messages\nnone is read\n"));
    prompt.wait_for("\n3 new messages\nnone is read\nenter your message: ▏");
    assert!(!prompt.screen().contains("welcome"), "{}", prompt.screen());
    prompt.type_keys("hi\r");
    prompt.wait_for("enter your message: hi\nhi\nenter your message: ▏");
    prompt.type_keys("\x04");
    prompt.expect_exit(0);
}

#[test]
fn the_servers_unterminated_line_is_the_prompt_after_it() {
    let chats = Chats::with(LOGIN);
    let mut prompt = terminal(&chats, &login_server("ftp> "));
    prompt.wait_for("\nftp> ▏");
    assert!(!prompt.screen().contains("enter your message"), "{}", prompt.screen());
    prompt.type_keys("bye\r");
    prompt.expect_exit(0);
}

#[test]
fn the_reply_to_its_last_line_is_shown_before_the_prompt() {
    let chats = Chats::with("S: hello\nC: login joe\n");
    let address = line_server("hello\n", |line| {
        sleep(Duration::from_millis(100));
        if line == "bye" { Reply::Close } else { say("welcome") }
    });
    // The prompt does not wait for longer than half a second, which a slow machine may take.
    let is_in_order = (0..5).any(|_| {
        let mut prompt = terminal(&chats, &address);
        prompt.wait_for("\nwelcome\nenter your message: ▏");
        prompt.type_keys("bye\r");
        prompt.expect_exit(0);
        let shown = prompt.bytes();
        let place = |text: &[u8]| shown.windows(text.len()).position(|window| window == text);
        place(b"welcome") < place(b"enter your message")
    });
    assert!(is_in_order);
}

#[test]
fn what_is_typed_during_it_waits() {
    let chats = Chats::with("S: hello\nC: ready\nS: go\n");
    let (typed, wait_for_typing) = mpsc::channel::<()>();
    let wait_for_typing = Mutex::new(wait_for_typing);
    let address = custom_server(move |stream| {
        (&stream).write_all(b"hello\n").unwrap();
        expect(&stream, "ready\n");
        wait_for_typing.lock().unwrap().recv_timeout(DEADLINE).unwrap();
        (&stream).write_all(b"go\n").unwrap();
        expect(&stream, "one\ntwo\n");
        (&stream).write_all(b"done\n").unwrap();
        read_all(&stream);
    });
    let mut prompt = terminal(&chats, &address);
    prompt.wait_for("connected to");
    prompt.type_keys("one\rtwo\r");
    eventually("the keys", || (prompt.unread() == 8).then_some(()));
    typed.send(()).unwrap();
    prompt.wait_for("\ndone\nenter your message: ▏");
    prompt.type_keys("\x04");
    prompt.expect_exit(0);
}

#[test]
fn a_prologue_at_the_prompt_can_fail_and_be_interrupted() {
    let chats = Chats::with("S: hullo\n");
    let address = login_server("");
    let mut prompt = terminal(&chats, &address);
    let screen = prompt.expect_exit(3);
    assert!(screen.contains("\n-S: hullo\n+S: hello\n"), "{screen}");
    assert!(!screen.contains("enter your message"), "{screen}");
    let chats = Chats::with("S: hello\nC WAIT 1h\n");
    let mut prompt = terminal(&chats, &address);
    prompt.wait_for("connected to");
    prompt.type_keys("\x03");
    prompt.expect_exit(130);
}

#[test]
fn a_prologue_may_be_put_together_by_the_shell() {
    let chats = Chats::with("S: hello\n");
    chats.write("login.chat", "C: login joe\nS: welcome\n");
    let mut shell = Command::new("bash");
    let script = r#"echo bye | capchat connect "$0" --prologue <(cat t.chat login.chat)"#;
    shell.args(["-c", script, &login_server("news\n")]);
    shell.env("PATH", path_with_capchat()).current_dir(chats.path("."));
    let output = shell.stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "news\n");
    assert!(output.status.success());
    let mut shell = Command::new("bash");
    let script = r#"capchat check -a "$0" <(cat t.chat login.chat; echo 'S: news')"#;
    shell.args(["-c", script, &login_server("news\n")]);
    shell.env("PATH", path_with_capchat()).current_dir(chats.path("."));
    let report = String::from_utf8(shell.output().unwrap().stdout).unwrap();
    assert!(report.starts_with("PASS /dev/fd/"), "{report}");
}
