//! `--secret`: a value from the environment that nothing shows.

use std::io::{BufRead, BufReader, Write};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::chats::Chats;
use crate::support::custom_server::{Lonely, close, custom_server};
use crate::support::programs::capchat;
use crate::support::run::Run;
use crate::support::server::TestServer;

const PASSWORD: &str = "Tr0ub4dor-3";
/// With characters that reports escape.
const TOKEN: &str = "k&y<\"0\">\\";
/// Parts of the values, as they are and escaped.
const PARTS: [&str; 6] = ["Tr0ub4", "dor-3", "k&y", "k&amp;y", "k\\u0026", "y<"];

/// A server that says the password and the token again, in two segments each.
fn login_server() -> String {
    custom_server(|stream| {
        stream.set_nodelay(true).unwrap();
        let say = |text: &str| {
            let (first, second) = text.split_at(text.len() / 2);
            (&stream).write_all(first.as_bytes()).unwrap();
            // Most often, the client reads the two at different times.
            thread::sleep(Duration::from_millis(5));
            (&stream).write_all(second.as_bytes()).unwrap();
        };
        say("login: ");
        for line in BufReader::new(&stream).lines().map_while(Result::ok) {
            match line.split_once(' ') {
                Some(("user", name)) => say(&format!("hello {name}\n")),
                Some(("pass", PASSWORD)) => say(&format!("{PASSWORD}{PASSWORD} is right, token {TOKEN}\n")),
                Some(("pass", _)) => say("no\n"),
                Some(("prompt", _)) => say(&format!("your {PASSWORD}? ")),
                Some(("lines", _)) => say(&format!("one\n{PASSWORD}\nthree {TOKEN}\nend\n")),
                _ => return close(&stream),
            }
        }
    })
}

fn with_secrets(run: Run) -> Run {
    let run = run.args(&["--secret", "PASSWORD", "--secret", "TOKEN"]);
    run.env("PASSWORD", PASSWORD).env("TOKEN", TOKEN)
}

/// A session with [`login_server`] that passes, and has both names: a secret that no file uses is an error.
const BOTH: &str = r"S\ login: \
C\ user \{PASSWORD}
S\ hello \{PASSWORD}
C\ user \{TOKEN}
S\ hello \{TOKEN}
C: quit
S EOF
";

/// All that was printed, to be searched at the end.
#[derive(Default)]
struct Printed(Vec<String>);

impl Printed {
    fn add(&mut self, text: String) {
        self.0.push(text);
    }

    /// Takes the output of a run that ended with this status.
    #[track_caller]
    fn run(&mut self, run: Run, status: i32, texts: &[&str]) {
        let run = with_secrets(run).run();
        let all = run.report() + &run.errors();
        assert_eq!(run.0.status.code(), Some(status), "{all}");
        for text in texts {
            assert!(all.contains(text), "no {text:?} in:\n{all}");
        }
        self.add(all);
    }
}

impl Drop for Printed {
    fn drop(&mut self) {
        for text in &self.0 {
            for part in PARTS {
                assert!(thread::panicking() || !text.contains(part), "{part:?} is in:\n{text}");
            }
        }
    }
}

/// What a session with [`login_server`] is recorded as.
const SESSION: &str = r"S\ login: \
C: user anna
S: hello anna
C\ pass \{PASSWORD}
S\ \{PASSWORD}\{PASSWORD} is right, token \{TOKEN}
C: quit
S EOF
";

fn serve(chats: &Chats, options: &[&str]) -> TestServer {
    let mut command = capchat();
    command.arg("serve").args(options).args(["--secret", "PASSWORD", "--secret", "TOKEN", "127.0.0.1:0"]);
    command.env("PASSWORD", PASSWORD).env("TOKEN", TOKEN).current_dir(chats.path("."));
    TestServer::start_with(&mut command, 1)
}

#[test]
fn a_recording_of_a_login_has_names_and_can_be_checked_and_played() {
    let (chats, server) = (Chats::new(), login_server());
    let mut printed = Printed::default();
    let run = chats
        .connect(&server)
        .args(&["--lockstep", "--greeting", "--gap", "300ms", "-v", "--record", "t.chat"])
        .stdin(format!("user anna\npass {PASSWORD}\nquit\n"));
    let run = with_secrets(run).run();
    // Standard output is what the server said.
    let said = format!("login: hello anna\n{PASSWORD}{PASSWORD} is right, token {TOKEN}\n");
    assert_eq!(run.report(), said, "{}", run.errors());
    printed.add(run.errors());
    assert_eq!(chats.read("t.chat"), SESSION);
    let shown = [r"C\ pass \{PASSWORD}", r"S\ \{PASSWORD}\{PASSWORD} is right, token \{TOKEN}", "PASS"];
    printed.run(chats.check(&server, &["t.chat"]).args(&["-v"]), 0, &shown);
    // Nothing to update.
    printed.run(chats.update(&server, &["t.chat"]), 0, &["SAME t.chat"]);
    assert_eq!(chats.read("t.chat"), SESSION);
    let mut mock = serve(&chats, &["--play", "t.chat", "--record", "played", "--connections", "2", "-v"]);
    printed.run(chats.check(mock.address(), &["t.chat"]).args(&["-v"]), 0, &shown);
    chats.write(
        "plain.chat",
        "S\\ login: \\\nC: user anna\nS ...\nS: hello anna\nC\\ pass x\\{PASSWORD}\nS\\ \\{TOKEN}\n",
    );
    let shown = [r"C\ pass x\{PASSWORD}", r"-S\ \{TOKEN}"];
    printed.run(chats.check(mock.address(), &["plain.chat"]).args(&["-v"]), 3, &shown);
    assert_eq!(mock.wait().code(), Some(3));
    let log = mock.remaining_log().join("\n");
    assert!(log.contains(r"-C\ pass \{PASSWORD}"), "{log}");
    assert!(log.contains(r"+C\ pass x\{PASSWORD}"), "{log}");
    printed.add(log);
    let recordings: Vec<_> =
        std::fs::read_dir(chats.path("played")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(recordings.len(), 2);
    for path in recordings {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(r"{PASSWORD}"), "{text}");
        printed.add(text);
    }
}

#[test]
fn no_report_of_a_login_shows_a_secret() {
    let (chats, server) = (Chats::new(), login_server());
    let mut printed = Printed::default();
    let start = r"S\ login: \";
    for (text, texts) in [
        // The reply differs, and the line of the file has the value.
        (
            format!("{start}\nC\\ pass \\{{PASSWORD}}\nS: {PASSWORD} is wrong\n"),
            &[r"-S\ \{PASSWORD} is wrong", r"+S\ \{PASSWORD}\{PASSWORD} is right, token \{TOKEN}"][..],
        ),
        // A variable has it, and so have a sample, a pattern and a context line.
        (
            format!(
                "{start}\nC: user x{PASSWORD}\nS\\ hello \\{{who=x{PASSWORD}}}\nC\\ pass \\{{PASSWORD}}\nS~ {PASSWORD}.x\n"
            ),
            &[r" S\ hello \{who}", r"-S~ \{PASSWORD}.x", r"note: who = x\{PASSWORD}"],
        ),
        (
            format!("{start}\nC\\ pass \\{{PASSWORD}}\nS~ (?<all>.*)\nC: quit\nS: bye\n"),
            &["server closed early", r"note: all = \{PASSWORD}\{PASSWORD} is right, token \{TOKEN}"],
        ),
        // The start of a line.
        (format!("%timeout 300ms\n{start}\nC: prompt x\nS: your name?\n"), &[r"+S\ your \{PASSWORD}? \"]),
        (
            format!("%timeout 300ms\n{start}\nC: prompt x\nS~ your name?\n"),
            &[r"+S\ your \{PASSWORD}? \", "the expression waits for the end of the line"],
        ),
        // Lines that are skipped, unexpected, or not matched by a pattern of skipped ones.
        (format!("{start}\nC: lines x\nS ...\nS: end\nC: quit\nS: bye\n"), &["server closed early"]),
        (format!("{start}\nC: lines x\nS: one\nC: quit\nS EOF\n"), &[r"+S\ \{PASSWORD}"]),
        (
            format!("{start}\nC: lines x\nS ... one|{PASSWORD}\nS: {PASSWORD}\nS: end\n"),
            &[r" S\ \{PASSWORD}", r"+S\ three \{TOKEN}"],
        ),
        (format!("{start}\nC: lines x\nS ... x{PASSWORD}\nS: end\n"), &["+S: one", r" S ... x\{PASSWORD}"]),
    ] {
        chats.write("t.chat", text);
        chats.write("both.chat", BOTH);
        for options in [&["-v"][..], &["--report", "tap"], &["--report", "junit"], &["--color", "always"]] {
            let texts = if options == ["-v"] { texts } else { &[] };
            printed.run(chats.check(&server, &["t.chat", "both.chat"]).args(options), 3, texts);
        }
        let text = chats.read("t.chat");
        let update = with_secrets(chats.update(&server, &["t.chat", "both.chat"]).args(&["-v"])).run();
        printed.add(update.report() + &update.errors());
        if text.contains("\nS: one\nC: quit") || text.contains("is wrong") {
            update.reports(3, &["t.chat:3: the new reply contains the secret '\\{PASSWORD}'"]);
            assert_eq!(chats.read("t.chat"), text);
        }
        assert_eq!(chats.read("both.chat"), BOTH);
    }
    // The file cannot be read: the message quotes it.
    for text in [format!("X {PASSWORD}\n"), format!("S~ ({PASSWORD}\n")] {
        chats.write("t.chat", text);
        printed.run(chats.check(&server, &["t.chat"]), 2, &[r"\{PASSWORD}"]);
    }
}

#[test]
fn the_log_of_a_mock_shows_no_secret() {
    let chats = Chats::with("C\\ pass \\{PASSWORD}\nS\\ \\{TOKEN}\nC: quit\nS EOF\n");
    let mut printed = Printed::default();
    for options in [&["--log-format", "text"][..], &["--log-format", "json"]] {
        let options = [options, &["-v", "--play", "t.chat", "--connections", "2"]].concat();
        let mut mock = serve(&chats, &options);
        let mut client = mock.connect();
        client.send(format!("pass {PASSWORD}\n"));
        client.expect(format!("{TOKEN}\n"));
        client.send(format!("quit {PASSWORD} {TOKEN}\n"));
        client.expect_end("");
        let mut client = mock.connect();
        client.send(format!("pass {PASSWORD}{TOKEN}\n"));
        client.expect_end("");
        assert_eq!(mock.wait().code(), Some(3));
        let log = mock.remaining_log().join("\n");
        assert!(log.contains("quit"), "{log}");
        assert!(log.contains("{PASSWORD}") && log.contains("{TOKEN}"), "{log}");
        printed.add(log);
    }
}

#[test]
fn a_recording_server_hides_what_clients_say() {
    let chats = Chats::new();
    let mut server = serve(&chats, &["--record", "."]);
    let mut client = server.connect();
    let (first, second) = PASSWORD.split_at(4);
    client.send(format!("my {first}"));
    // The answer shows that the server has read the first piece.
    client.expect(format!("my {first}").to_uppercase());
    client.send(format!("{second}\n"));
    client.expect(format!("{second}\n").to_uppercase());
    client.end();
    client.expect_end("");
    server.send_signal(Signal::TERM);
    server.wait();
    let [name] = &chats.names()[..] else { panic!("{:?}", chats.names()) };
    let text = chats.read(name);
    // The answer is in capitals, which is another value.
    assert_eq!(text, "C\\ my \\\nS\\ MY TR0U\\\nC\\ \\{PASSWORD}\nS: B4DOR-3\nC EOF\nS EOF\n");
}

#[test]
fn unusable_secrets_are_usage_errors() {
    let server = Lonely::new();
    let chats = Chats::with("C\\ pass \\{PASSWORD}\nS EOF\n");
    let run = |command: Run, value: Option<&str>, text: &str| {
        let command = value.into_iter().fold(command, |command, value| command.env("PASSWORD", value));
        command.run().fails_with(2, &[text]);
    };
    let check = |options: &[&str]| chats.check(&server.address(), &["t.chat"]).args(options);
    let secret = &["--secret", "PASSWORD"][..];
    let variable = "--secret PASSWORD: the environment variable PASSWORD";
    for (value, what) in [
        (None, "is not set"),
        (Some(""), "is shorter than 4 bytes"),
        (Some("abc"), "is shorter than 4 bytes"),
        (Some("abc\r"), "has a CR or LF"),
        (Some("abc\ndef"), "has a CR or LF"),
    ] {
        run(check(secret), value, &format!("{variable} {what}"));
        let connect = chats.connect(&server.address()).args(&["--record", "r.chat"]).args(secret);
        run(connect, value, &format!("{variable} {what}"));
        let mut serve = capchat();
        serve.args(["serve", "--record", ".", "127.0.0.1:0"]).args(secret);
        run(Run::of(serve), value, &format!("{variable} {what}"));
    }
    let value = Some("abcd");
    run(check(&["--secret", "PASSWORD", "--secret", "PASSWORD"]), value, "--secret PASSWORD is given twice");
    let both = "'PASSWORD' is given with both --set and --secret";
    run(check(&["--secret", "PASSWORD", "--set", "PASSWORD=x"]), value, both);
    run(check(&["--secret", "A-B"]), value, "expected a name of letters, digits and '_'");
    run(check(&[]), value, "--secret PASSWORD, or a hole above");
    chats.write("t.chat", "C: pass\n");
    run(check(secret), value, "--secret PASSWORD: no transcript has a hole of this name");
    run(chats.connect(&server.address()).args(secret), value, "--secret requires --record or --prologue");
    let serve = |options: &[&str]| {
        let mut command = capchat();
        command.arg("serve").args(options).args(secret).arg("127.0.0.1:0").current_dir(chats.path("."));
        Run::of(command)
    };
    run(serve(&[]), value, "--secret requires --play or --record");
    run(serve(&["--play", "t.chat"]), value, "--secret PASSWORD: no transcript has a hole of this name");
    server.has_seen_nobody();
    assert_eq!(chats.names(), ["t.chat"]);
}

#[test]
fn a_prologue_shows_no_secret() {
    let (chats, server) = (Chats::new(), login_server());
    let mut printed = Printed::default();
    let start = "S\\ login: \\\nC\\ pass \\{PASSWORD}\n";
    chats.write("in.chat", format!("{start}S\\ \\{{PASSWORD}}\\{{PASSWORD}} is right, token \\{{TOKEN}}\n"));
    let options = ["-v", "--prologue", "in.chat", "--record", "t.chat"];
    let run = with_secrets(chats.connect(&server).args(&options).stdin("user x\nquit\n")).run();
    assert_eq!((run.0.status.code(), run.report()), (Some(0), "hello x\n".to_owned()), "{}", run.errors());
    printed.add(run.errors());
    printed.add(chats.read("t.chat"));
    printed.run(chats.check(&server, &["t.chat"]), 0, &["PASS"]);
    chats.write("in.chat", format!("{start}S: {PASSWORD}\nC\\ x \\{{TOKEN}}\n"));
    let report = [r"-S\ \{PASSWORD}", r"+S\ \{PASSWORD}\{PASSWORD} is right, token \{TOKEN}"];
    printed.run(chats.connect(&server).args(&options), 3, &report);
}
