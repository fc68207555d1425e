//! The reports of `--check`: as text, TAP and XML, on a terminal, and where nobody takes them.

use std::fs::OpenOptions;
use std::io::{Write, pipe};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};

use crate::chats::{Chats, Reply, line_server, say};
use crate::support::{DEADLINE, capchat, is_missing};
use crate::terminal::{Setup, Terminal};

/// A folder in which one file passes and one does not, and a server for it.
fn mixed() -> (Chats, String) {
    let chats = Chats::new();
    chats.write("a.chat", "C: hi\nS: HI\n");
    chats.write("b#<&\".chat", "# <\nC: <&>\nS: ]]>'\n");
    (chats, line_server("", |line| say(&line.to_uppercase())))
}

#[test]
fn the_text_is_as_the_manual_shows_it() {
    let (chats, address) = mixed();
    let run = chats.run(&address, &["--check", "."]);
    let expected = format!(
        "PASS ./a.chat\nFAIL ./b#<&\".chat:3: server reply differs (last sent: line 2)\n\
         --- expected ./b#<&\".chat\n+++ received {address}\n C: <&>\n-S: ]]>'\n+S: <&>\n\
         1 item matched, 0 not run\n1 passed, 1 failed\n"
    );
    assert_eq!(run.report(), expected);
    run.fails_with(3, &["1 of 2"]);
}

#[test]
fn tap_is_what_prove_takes() {
    let (chats, address) = mixed();
    let run = chats.run(&address, &["--report", "tap", "--check", "."]);
    run.reports(
        3,
        &["TAP version 13\n1..2\nok 1 - ./a.chat\nnot ok 2 - ./b\\#<&\".chat\n  ---\n  message: \"./b"],
    );
    if is_missing("prove") {
        return;
    }
    let prove = |files: &[&str]| {
        let exec = format!("{} connect {address} --report tap --check", capchat().get_program().display());
        let output =
            Command::new("prove").args(["-e", &exec]).args(files).current_dir(chats.path(".")).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (status, text) = prove(&["a.chat"]);
    assert!(status == Some(0) && text.contains("Result: PASS"), "{text}");
    let (status, text) = prove(&["a.chat", "b#<&\".chat"]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("Failed test:  1") && text.contains("Tests=2"), "{text}");
    assert!(!text.contains("Parse errors"), "{text}");
    // All of them in one run.
    chats.write("report", run.report());
    let output = Command::new("prove").args(["-e", "cat"]).arg(chats.path("report")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Failed test:  2") && text.contains("Tests=2"), "{text}");
    assert!(!text.contains("Parse errors"), "{text}");
}

#[test]
fn junit_is_xml_with_every_result() {
    let (chats, address) = mixed();
    chats.write("c\u{1}\u{fffe}.chat", "C: \u{1b}[2J\nS~ \u{1b}\n");
    let run = chats.run(&address, &["--report", "junit", "--check", "."]);
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

/// Neither a file's name nor what is in it drives the terminal of whoever reads the report.
#[test]
fn a_report_has_no_control_characters() {
    let chats = Chats::new();
    chats.write("\u{1b}[2J.chat", "C: \u{1b}[2J\u{7}\nS~ x\u{1b}\u{7}\nS: \u{7}\n");
    let address = line_server("", |_| Reply::Say("\x1b[2J\u{202e}\r\u{7}\n".to_owned()));
    for report in ["text", "tap", "junit"] {
        let run = chats.run(&address, &["--report", report, "--check", "."]);
        run.reports(3, &[r"\u{1b}[2J.chat"]);
        let text = run.report() + &run.errors();
        assert!(!text.contains(|it: char| it.is_control() && it != '\n' || it == '\u{202e}'), "{text:?}");
    }
}

#[test]
fn colour_is_where_it_is_asked_for() {
    let (chats, address) = mixed();
    let report = |args: &[&str]| chats.client(&address).args(args).args(&["--check", "."]).run().report();
    let coloured = report(&["--color", "always"]);
    assert!(coloured.contains("\x1b[32mPASS\x1b[m ./a.chat\n\x1b[31mFAIL\x1b[m "), "{coloured:?}");
    assert!(coloured.contains("\n\x1b[31m-S: ]]>'\x1b[m\n\x1b[32m+S: <&>\x1b[m\n"), "{coloured:?}");
    for args in [&[][..], &["--color", "never"], &["--color", "always", "--report", "tap"]] {
        assert!(!report(args).contains('\x1b'));
    }
    let run = chats.client(&address).env("NO_COLOR", "1").args(&["--color", "always", "--check", "."]).run();
    assert!(run.report().contains('\x1b'), "an option is more than a habit");
}

/// The files on a terminal, and what lets the server answer the last one.
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
    let path = chats.path(".");
    let terminal = set_up(Terminal::connect(&address)).args(&["--check", path.to_str().unwrap()]).start();
    (terminal, go_on)
}

#[test]
fn a_terminal_shows_progress_and_colours() {
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
fn a_terminal_without_colours_has_none() {
    let chats = Chats::new();
    let (mut terminal, go_on) = on_a_terminal(&chats, |setup| setup.env("NO_COLOR", "1"));
    go_on.send(()).unwrap();
    terminal.expect_exit(3);
    let text = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    assert!(text.contains("\n-S: HO\r\n+S: HI\r\n"), "{text:?}");
}

#[test]
fn progress_is_cleared_where_the_time_runs_out() {
    let chats = Chats::new();
    let (mut terminal, _go_on) = on_a_terminal(&chats, |setup| setup.args(&["--max-time", "700ms"]));
    terminal.wait_for("2 of 3, 1 failed");
    let screen = terminal.expect_exit(124);
    assert!(screen.contains("\ncapchat: ") && !screen.contains("2 of 3, 1 failed"), "{screen}");
}

#[test]
fn a_reader_that_leaves_changes_nothing_and_a_full_disk_does() {
    let (chats, address) = mixed();
    for report in ["text", "tap", "junit"] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let run = chats.client(&address).args(&["--report", report, "--check", "."]).stdout(writer).run();
        run.fails_with(3, &["1 of 2"]);
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let run = chats.client(&address).args(&["--report", report, "--check", "."]).stdout(full).run();
        run.fails_with(1, &["could not write to standard output: No space left"]);
    }
}
