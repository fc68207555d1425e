//! Reports of checks: text, TAP and JUnit, in a pipe, on a terminal, and when they cannot be written.

use std::fs::OpenOptions;
use std::io::{Read, Write, pipe};
use std::iter::once;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::io::ioctl_fionbio;

use crate::support::chats::Chats;
use crate::support::custom_server::{Reply, line_server, say};
use crate::support::programs::{check, is_missing};
use crate::support::terminal::{Setup, Terminal};
use crate::support::wait::DEADLINE;

/// A directory in which one file passes and one fails, and the server to check.
fn mixed() -> (Chats, String) {
    let chats = Chats::new();
    chats.write("a.chat", "C: hi\nS: HI\n");
    chats.write("b#<&\".chat", "# <\nC: <&>\nS: ]]>'\n");
    (chats, line_server("", |line| say(&line.to_uppercase())))
}

#[test]
fn the_text_report_is_as_documented() {
    let (chats, address) = mixed();
    let run = chats.check(&address, &["."]).run();
    let expected = format!(
        "PASS ./a.chat\nFAIL ./b#<&\".chat:3: server reply differs (last sent: line 2)\n\
         --- expected ./b#<&\".chat\n+++ received {address}\n C: <&>\n-S: ]]>'\n+S: <&>\n\
         1 matched, 1 failed, 0 not run\n1 passed, 1 failed\n"
    );
    assert_eq!(run.report(), expected);
    run.fails_with(3, &["1 of 2"]);
}

#[test]
fn a_file_name_cannot_reorder_or_drive_the_terminal() {
    let chats = Chats::new();
    chats.write("a\u{202e}b\x1b[2J.chat", "C: hi\nS: HO\n");
    let address = line_server("", |line| say(&line.to_uppercase()));
    for format in ["text", "tap", "junit"] {
        let run = chats.check(&address, &["."]).args(&["--report", format]).run();
        let report = run.report();
        assert!(!report.contains(['\u{202e}', '\x1b']), "{report:?}");
        assert!(report.replace(r"\\", r"\").contains(r"./a\u{202e}b\u{1b}[2J.chat"), "{report:?}");
    }
}

#[test]
fn prove_reads_tap() {
    let (chats, address) = mixed();
    let run = chats.check(&address, &["."]).args(&["--report", "tap"]).run();
    run.reports(
        3,
        &["TAP version 13\n1..2\nok 1 - ./a.chat\nnot ok 2 - ./b\\#<&\".chat\n  ---\n  message: \"./b"],
    );
    if is_missing("prove") {
        return;
    }
    // prove appends a file's name to the command that it runs for the file.
    let mut command = check(&address, &["\"$1\""]);
    command.args(["--report", "tap"]);
    let words: Vec<_> =
        once(command.get_program()).chain(command.get_args()).map(|word| word.to_str().unwrap()).collect();
    chats.write("check", words.join(" "));
    let prove = |files: &[&str]| {
        let output =
            Command::new("prove").args(["-e", "sh check"]).args(files).current_dir(chats.path(".")).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (status, text) = prove(&["a.chat"]);
    assert!(status == Some(0) && text.contains("Result: PASS"), "{text}");
    let (status, text) = prove(&["a.chat", "b#<&\".chat"]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("Failed test:  1") && text.contains("Tests=2"), "{text}");
    assert!(!text.contains("Parse errors"), "{text}");
    // All files in one report.
    chats.write("report", run.report());
    let output = Command::new("prove").args(["-e", "cat"]).arg(chats.path("report")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Failed test:  2") && text.contains("Tests=2"), "{text}");
    assert!(!text.contains("Parse errors"), "{text}");
}

#[test]
fn junit_is_valid_xml_with_every_result() {
    let (chats, address) = mixed();
    chats.write("c\u{1}\u{fffe}.chat", "C: \u{1b}[2J\nS~ \u{1b}\n");
    let run = chats.check(&address, &["."]).args(&["--report", "junit"]).run();
    run.reports(3, &["<testsuite name=\"capchat\" tests=\"3\" failures=\"2\" errors=\"0\" time=\""]);
    if is_missing("python3") {
        return;
    }
    let script = "import sys, xml.etree.ElementTree as e\n\
                  suite = e.parse(sys.stdin).getroot()\n\
                  cases = suite.findall('testcase')\n\
                  assert len(cases) == int(suite.get('tests')) == 3\n\
                  assert cases[0].find('failure') is None\n\
                  failure = cases[1].find('failure')\n\
                  print(cases[1].get('name'), failure.get('message'), failure.text, sep='\\n')\n";
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(&run.0.stdout).unwrap();
    let output = python.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}\n{}", run.report(), String::from_utf8_lossy(&output.stderr));
    let expected = "./b#<&\".chat\n./b#<&\".chat:3: server reply differs (last sent: line 2)\n--- expected ./b#<&\".chat\n";
    assert!(text.starts_with(expected) && text.contains("\n-S: ]]>'\n+S: <&>\n"), "{text}");
}

/// Neither a file name nor a file's content can control the terminal of the reader.
#[test]
fn a_report_has_no_control_characters() {
    let chats = Chats::new();
    chats.write("\u{1b}[2J.chat", "C: \u{1b}[2J\u{7}\nS~ x\u{1b}\u{7}\nS: \u{7}\n");
    let address = line_server("", |_| Reply::Say("\x1b[2J\u{202e}\r\u{7}\n".to_owned()));
    for report in ["text", "tap", "junit"] {
        let run = chats.check(&address, &["."]).args(&["--report", report]).run();
        run.reports(3, &[r"\u{1b}[2J.chat"]);
        let text = run.report() + &run.errors();
        assert!(!text.contains(|it: char| it.is_control() && it != '\n' || it == '\u{202e}'), "{text:?}");
    }
}

#[test]
fn color_is_used_as_asked() {
    let (chats, address) = mixed();
    let report = |args: &[&str]| chats.check(&address, &["."]).args(args).run().report();
    let colored = report(&["--color", "always"]);
    assert!(colored.contains("\x1b[32mPASS\x1b[m ./a.chat\n\x1b[31mFAIL\x1b[m "), "{colored:?}");
    assert!(colored.contains("\n\x1b[31m-S: ]]>'\x1b[m\n\x1b[32m+S: <&>\x1b[m\n"), "{colored:?}");
    for args in [&[][..], &["--color", "never"], &["--color", "always", "--report", "tap"]] {
        assert!(!report(args).contains('\x1b'));
    }
    let run = chats.check(&address, &["."]).args(&["--color", "always"]).env("NO_COLOR", "1").run();
    assert!(run.report().contains('\x1b'), "an option overrides the environment");
}

/// A check on a terminal, and a sender that lets the server answer the last file.
fn on_a_terminal(
    chats: &Chats,
    set_up: impl FnOnce(Setup) -> Setup,
) -> (Terminal, std::sync::mpsc::Sender<()>) {
    for (name, text) in
        [("1.chat", "C: hi\nS: HO\n"), ("2.chat", "C: hi\nS: HI\n"), ("3.chat", "C: wait\nS: WAIT\n")]
    {
        chats.write(name, text);
    }
    let (go_on, gone_on) = channel();
    let gone_on = Mutex::new(gone_on);
    let address = line_server("", move |line| {
        if line == "wait" {
            let _ = gone_on.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(DEADLINE);
        }
        say(&line.to_uppercase())
    });
    let check = check(&address, &[chats.path(".").to_str().unwrap()]);
    let terminal = set_up(Terminal::with(check)).start();
    (terminal, go_on)
}

#[test]
fn a_terminal_shows_progress_and_color() {
    let chats = Chats::new();
    let (mut terminal, go_on) = on_a_terminal(&chats, |setup| setup.env_remove("NO_COLOR"));
    terminal.wait_for("2 of 3, 1 failed");
    go_on.send(()).unwrap();
    let screen = terminal.expect_exit(3);
    assert!(screen.contains("2 passed, 1 failed\n") && !screen.contains(" of 3, "), "{screen}");
    let text = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    assert!(text.contains("\x1b[31m-S: HO\x1b[m\r\n\x1b[32m+S: HI\x1b[m"), "{text:?}");
}

#[test]
fn no_color_is_respected_on_a_terminal() {
    let chats = Chats::new();
    let (mut terminal, go_on) = on_a_terminal(&chats, |setup| setup.env("NO_COLOR", "1"));
    go_on.send(()).unwrap();
    terminal.expect_exit(3);
    let text = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    assert!(text.contains("\n-S: HO\r\n+S: HI\r\n"), "{text:?}");
}

#[test]
fn progress_is_cleared_at_a_timeout() {
    let chats = Chats::new();
    let (mut terminal, _go_on) = on_a_terminal(&chats, |setup| setup.args(&["--max-time", "3s"]));
    terminal.wait_for("2 of 3, 1 failed");
    let screen = terminal.expect_exit(124);
    assert!(screen.contains("\ncapchat: ") && !screen.contains("2 of 3, 1 failed"), "{screen}");
}

#[test]
fn a_closed_output_is_ignored_and_a_full_disk_is_a_failure() {
    let (chats, address) = mixed();
    for report in ["text", "tap", "junit"] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let run = chats.check(&address, &["."]).args(&["--report", report]).stdout(writer).run();
        run.fails_with(3, &["1 of 2"]);
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let run = chats.check(&address, &["."]).args(&["--report", report]).stdout(full).run();
        run.fails_with(1, &["could not write to standard output: no space left"]);
    }
}

#[test]
fn an_output_that_somebody_has_made_non_blocking_gets_everything() {
    let address = line_server("", |_| Reply::Say("y".repeat(2000) + "\n"));
    let chats = Chats::with("C: hi\nS: x\n");
    let (mut reader, writer) = pipe().unwrap();
    ioctl_fionbio(&writer, true).unwrap();
    let read = thread::spawn(move || {
        // Until the pipe is full.
        thread::sleep(Duration::from_millis(500));
        let mut report = String::new();
        reader.read_to_string(&mut report).unwrap();
        report
    });
    let run = chats.check(&address, &["t.chat"; 100]).stdout(writer).run();
    run.fails_with(3, &["100 of 100 transcripts failed"]);
    let report = read.join().unwrap();
    assert!(report.ends_with("0 passed, 100 failed\n"), "{} bytes", report.len());
    assert_eq!(report.matches(&"y".repeat(2000)).count(), 100);
}
