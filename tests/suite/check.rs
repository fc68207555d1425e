//! Checks of transcripts: what differs, on which line, and the exit status.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write, pipe};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::chats::Chats;
use crate::support::custom_server::{Lonely, Nobody, Reply, close, custom_server, line_server, say};
use crate::support::data::lines;
use crate::support::programs::{capchat, check, check_default};
use crate::support::run::Run;
use crate::support::server::TestServer;
use crate::support::wait::{DEADLINE, lines_of, wait_for_exit};

#[test]
fn the_examples_of_the_manual_pass() {
    let server = TestServer::start(&[]);
    let upper =
        "# upper.chat\nC: hello\nS: HELLO\nC\\ half a \\\nC: line\nS: HALF A LINE\nC: CLOSE SOCKET\nS EOF\n";
    Chats::with(upper).passes(server.address());

    let smtp = line_server("220 foo.com ready\r\n", |line| match line {
        "EHLO bar.com" => {
            Reply::Say("250-foo.com greets bar.com\r\n250-8BITMIME\r\n250-SIZE\r\n250 HELP\r\n".to_owned())
        }
        "QUIT" => Reply::Say("221 bye\r\n".to_owned()),
        _ => Reply::Close,
    });
    let chats = Chats::with(
        "# smtp.chat\n%eol crlf\n%timeout 10s\nS~ 220 \\S+ .*\nC: EHLO bar.com\n\
         S: 250-foo.com greets bar.com\nS ...\nS: 250 HELP\nC: QUIT\nS~ 221 .*\nC: x\nS EOF\n",
    );
    chats.passes(&smtp);
}

/// All files are in one directory, and one run checks them.
#[test]
fn a_mismatch_at_line_n_is_reported_at_line_n() {
    const LINES: usize = 40;
    let line = |prefix: &str, index: usize, wrong: usize| {
        let end = if index == wrong { "x" } else { "" };
        format!("{prefix}{index}{end}\n")
    };
    let chats = Chats::new();
    for wrong in 1..=LINES {
        // All replies to one message, and one reply to each message.
        let greeting =
            (1..=LINES).fold("C: greet\n".to_owned(), |text, index| text + &line("S: l", index, wrong));
        let replies = (1..=LINES).fold(String::new(), |text, index| {
            text + &format!("C: l{index}\n") + &line("S: L", index, wrong)
        });
        chats.write(&format!("greeting/{wrong}.chat"), greeting);
        chats.write(&format!("replies/{wrong}.chat"), replies);
    }
    let address = line_server("", |line| match line {
        "greet" => Reply::Say((1..=LINES).fold(String::new(), |text, index| text + &format!("l{index}\n"))),
        line => say(&line.to_uppercase()),
    });
    let run = chats.check(&address, &["greeting", "replies"]).args(&["--jobs", "8"]).run();
    run.reports(3, &["0 passed, 80 failed\n"]);
    let report = run.report();
    let found: Vec<_> = report.lines().filter(|line| line.starts_with("FAIL ")).collect();
    for wrong in 1..=LINES {
        let (at, before) = (wrong + 1, 1);
        let expected =
            format!("FAIL greeting/{wrong}.chat:{at}: server reply differs (last sent: line {before})");
        assert!(found.contains(&expected.as_str()), "no {expected:?}");
        let (at, before) = (wrong * 2, wrong * 2 - 1);
        let expected =
            format!("FAIL replies/{wrong}.chat:{at}: server reply differs (last sent: line {before})");
        assert!(found.contains(&expected.as_str()), "no {expected:?}");
    }
    assert!(report.contains("-S: L7x\n+S: L7\n"), "{report}");
}

/// A server that does what its clients ask for.
fn obedient_server() -> String {
    line_server("", |line| match line {
        "close" => Reply::Close,
        "reset" => Reply::Reset,
        "silence" => Reply::Say(String::new()),
        "part" => Reply::Say("par".to_owned()),
        "twice" => Reply::Say("TWICE\nTWICE\n".to_owned()),
        "crlf" => Reply::Say("CRLF\r\n".to_owned()),
        line => say(&line.to_uppercase()),
    })
}

#[test]
fn each_way_to_go_wrong_has_a_headline_of_its_own() {
    let address = obedient_server();
    for (text, headline, rest) in [
        (
            "C: hi\nS: HO\n",
            "3: server reply differs (last sent: line 2)",
            "-S: HO\n+S: HI\n1 matched, 1 failed, 0 not run\n",
        ),
        (
            "C: hi\nS~ H\n",
            "3: server reply differs (",
            "-S~ H\n+S: HI\nnote: the expression must match the line in full",
        ),
        ("C: hi\nS: HI\nC: close\nS: x\n", "5: server closed early (last sent: line 4)", "-S: x\n+S EOF\n"),
        ("C: close\nC EOF\nS: x\n", "4: server closed early (", "+S EOF\n"),
        ("C: close\nS ...\nS: x\n", "4: server closed early (", "+S EOF\n"),
        ("C: reset\nS: x\n", "3: connection reset (last sent: line 2)", "-S: x\n+S RST\n"),
        ("C: reset\nS EOF\n", "3: connection reset (", "note: if this is expected, use 'S RST'\n"),
        ("C: silence\nS: x\n", "3: server reply missing (within 1s; last", "-S: x\nnote: no data for 1s\n"),
        (
            "C: part\nS: part\n",
            "3: server reply missing (within 1s; last",
            "-S: part\n+S\\ par\\\nnote: incomplete after 1s",
        ),
        ("S: greeting\n", "2: server reply missing (within 1s; nothing sent before)", "no data"),
        ("C: silence\nS RST\n", "3: server reply missing (within 1s", "-S RST\n"),
        ("C: close\nS RST\n", "3: server reply differs (", "-S RST\n+S EOF\n"),
        (
            "C: twice\nS: TWICE\nC: hi\nS: HI\n",
            "5: server reply differs (last sent: line 4)",
            "-S: HI\n+S: TWICE\n",
        ),
        ("C: twice\nC EOF\nS: TWICE\nS EOF\n", "5: unexpected output (", "+S: TWICE\n S EOF\n"),
        (
            "C: twice\nS: TWICE\nC EOF\n\n",
            "5: unexpected output (last",
            "+S: TWICE\nnote: end of transcript\n",
        ),
        ("C: twice\nS: TWICE\nS QUIET 100ms\n", "4: unexpected output (", "+S: TWICE\n S QUIET 100ms\n"),
        (
            "C: crlf\nS: CRLF\n",
            "3: server reply differs (",
            "+S\\ CRLF\\r\nnote: the received line ends in CRLF; %eol is lf\n",
        ),
        ("C: hi\nS: HI\nS EOF\n", "4: expected EOF (within 1s; ", "-S EOF\n"),
    ] {
        let chats = Chats::with(format!("%timeout 1s\n{text}"));
        let headline = format!("FAIL t.chat:{headline}");
        let run = chats.check(&address, &["t.chat"]).run();
        run.reports(3, &[&headline, rest, "0 passed, 1 failed\n"]);
        run.fails_with(3, &[&address, "1 of 1"]);
        let is_new_reply = headline.contains("differs") || headline.contains("unexpected");
        let needs_a_person = text.contains("S~") || text.contains("S QUIET");
        assert_eq!(run.errors().contains("--update"), is_new_reply && !needs_a_person, "{text}");
    }
    let crlf = Chats::with("%eol crlf\nC: hi\nS: HI\n");
    crlf.check(&address, &["t.chat"])
        .run()
        .reports(3, &["t.chat:3:", "+S\\ HI\\n\\\nnote: the received line ends in LF; %eol is crlf\n"]);
    let nobody = Nobody::new();
    let run = Chats::with("C: hi\n").check(&nobody.address(), &["t.chat"]).run();
    run.reports(1, &["FAIL t.chat: could not connect to", "refused"]);
    run.fails_with(1, &["1 of 1"]);
}

#[test]
fn an_invalid_transcript_is_reported_before_connecting() {
    let long = format!("C: x\nC: {}\n", "y".repeat(10 << 20));
    for (text, line, found) in [
        (&b"C: x\nC: \xff\n"[..], 2, "UTF-8"),
        (b"C\\ \\ud800\n", 1, r"'\u'"),
        (long.as_bytes(), 2, "10485763 bytes"),
        (b"%color red\n", 1, "'%color red'"),
        (b"# x\nC: x\n%eol crlf\n", 3, "%eol after one"),
        (b"S~ (\n", 1, "'S~ ('"),
        (b"C: x\nC~ x\n", 2, "'C~'"),
        (b"hello\n", 1, "'hello'"),
        (b"C EOF\nC: x\n", 2, "C item after C EOF on line 1"),
    ] {
        let lonely = Lonely::new();
        let chats = Chats::with("C: fine\n");
        chats.write("bad.chat", text);
        let files = ["t.chat", "bad.chat"];
        for run in [chats.check(&lonely.address(), &files), chats.update(&lonely.address(), &files)] {
            let run = run.run();
            run.fails_with(2, &[&format!("capchat: bad.chat:{line}: expected "), ", found ", found]);
            assert!(run.errors().len() < 500);
            assert_eq!(run.report(), "");
        }
        lonely.has_seen_nobody();
        assert_eq!(chats.names(), ["bad.chat", "t.chat"]);
    }
}

#[test]
fn every_invalid_file_is_reported() {
    let chats = Chats::with("x\n");
    chats.write("u.chat", "y\n");
    let errors = chats.check("1", &["t.chat", "u.chat"]).run().errors();
    let lines: Vec<_> = errors.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].contains("t.chat:1: ") && lines[1].contains("u.chat:1: "),
        "{errors}"
    );
}

#[test]
fn usage_errors() {
    let lonely = Lonely::new();
    let address = lonely.address();
    let chats = Chats::with("C: fine\n");
    fs::create_dir(chats.path("empty")).unwrap();
    let check = |files: &[&str]| chats.check(&address, files);
    for (run, text) in [
        (
            check(&["t.chat", "127.0.0.1:2525"]),
            "no file '127.0.0.1:2525' (for an address, use -a 127.0.0.1:2525)",
        ),
        (check(&["t.chat", "2525"]), "use -a 2525"),
        (check(&["t.chat", "missing.chat"]), "cannot read missing.chat: no such file"),
        (chats.update(&address, &["empty"]), "no *.chat files in 'empty'"),
        (check(&["t.chat"]).args(&["--update", "--update"]), "--update can be given only once"),
        (check(&["t.chat"]).args(&["--lockstep"]), "unknown option '--lockstep'"),
        (check(&[]), "missing <FILE>..."),
        (chats.connect(&address).args(&["--jobs", "4"]), "unknown option '--jobs'"),
        (check(&["t.chat"]).args(&["--jobs", "0"]), "invalid value '0' for --jobs: must be at least 1"),
        (check(&["t.chat"]).args(&["--report", "html"]), "(expected text, tap or junit)"),
    ] {
        run.run().fails_with(2, &[text]);
    }
    lonely.has_seen_nobody();
}

#[test]
fn a_directory_stands_for_the_transcripts_in_it() {
    let address = obedient_server();
    let chats = Chats::new();
    for name in ["z.chat", "b.chat", "a/2.chat", "a/1.chat", "c/deep/x.chat"] {
        chats.write(name, "C: hi\nS: HI\n");
    }
    for name in ["a.text", "a/chat", "d.chat~", "chat/README"] {
        chats.write(name, "no transcript\n");
    }
    symlink(chats.path("."), chats.path("c/loop")).unwrap();
    symlink(chats.path("b.chat"), chats.path("c/link.chat")).unwrap();
    let expected = "PASS ./a/1.chat\nPASS ./a/2.chat\nPASS ./b.chat\nPASS ./c/deep/x.chat\nPASS ./c/link.chat\n\
                    PASS ./z.chat\n6 passed, 0 failed\n";
    chats.check(&address, &["."]).args(&["--jobs", "3"]).run().succeeds_with(expected);
    let expected = "PASS z.chat\nPASS a/1.chat\nPASS a/2.chat\n3 passed, 0 failed\n";
    chats.check(&address, &["z.chat", "a"]).run().succeeds_with(expected);
}

#[test]
fn results_are_in_the_order_given_whichever_finishes_first() {
    let done = (Mutex::new(0), Condvar::new());
    // The first is answered after all the others.
    let address = line_server("", move |line| {
        let (count, changed) = &done;
        let mut count = count.lock().unwrap();
        if line == "0" {
            drop(changed.wait_while(count, |count| *count < 7).unwrap());
        } else {
            *count += 1;
            changed.notify_all();
        }
        say(line)
    });
    let chats = Chats::new();
    let mut expected = String::new();
    let names: Vec<String> = (0..8).rev().map(|index| format!("{index}.chat")).rev().collect();
    for (index, name) in names.iter().enumerate() {
        chats.write(name, format!("%timeout 20s\nC: {index}\nS: {index}\n"));
        let _ = writeln!(expected, "PASS {name}");
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let run = chats.check(&address, &names).args(&["--jobs", "8"]).run();
    run.succeeds_with(expected + "8 passed, 0 failed\n");
}

#[test]
fn the_worst_result_is_the_exit_status() {
    let address = obedient_server();
    let chats = Chats::new();
    chats.write("pass.chat", "C: hi\nS: HI\n");
    chats.write("differs.chat", "C: hi\nS: HO\n");
    chats.write("silent.chat", "C: silence\nS: HO\n");
    chats.write("short.chat", "%timeout 100ms\nC: silence\nS: HO\n");
    let check = |address: &str, files: &[&str]| chats.check(address, files).args(&["-w", "1s"]).run();
    for (status, files) in [
        (0, &["pass.chat"][..]),
        (3, &["pass.chat", "differs.chat", "pass.chat"]),
        (3, &["short.chat", "pass.chat"]),
        (124, &["pass.chat", "silent.chat"]),
        (124, &["silent.chat", "differs.chat", "pass.chat"]),
        (124, &["differs.chat", "silent.chat"]),
    ] {
        let run = check(&address, files);
        assert_eq!(run.0.status.code(), Some(status), "{files:?}: {}{}", run.report(), run.errors());
    }
    // Failing to connect is worse than both: the listener is gone when the second file connects.
    for first in ["differs.chat", "silent.chat"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            drop(listener);
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            if line == "hi\n" {
                (&stream).write_all(b"HI\n").unwrap();
            }
            // The client closes first.
            let _ = BufReader::new(&stream).read_line(&mut line);
            close(&stream);
        });
        let run = check(&address, &[first, "pass.chat"]);
        run.reports(1, &["FAIL pass.chat: could not connect", "0 passed, 2 failed"]);
        server.join().unwrap();
    }
}

#[test]
fn the_whole_run_has_a_limit() {
    let address = obedient_server();
    let chats = Chats::with("C: silence\nS: x\n");
    let run = chats.check(&address, &["t.chat"]).args(&["--max-time", "200ms"]).run();
    run.reports(
        124,
        &["FAIL t.chat: timed out: not finished after 200ms (--max-time)\n", "0 passed, 1 failed\n"],
    );
    run.fails_with(124, &[&address, "1 of 1 transcript failed", "timed out"]);
}

#[test]
fn a_signal_ends_it_as_a_shell_expects() {
    let address = obedient_server();
    for (option, text) in
        [("--color=never", "C: silence\nS: x\n"), ("--update", "C: a\nS: x\nC: silence\nS: x\n")]
    {
        let chats = Chats::with(format!("%timeout 60s\n{text}"));
        for signal in [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM] {
            let mut client = chats.check(&address, &["t.chat"]).args(&[option, "-v"]).start();
            let errors = lines_of(client.child.stderr.take().unwrap());
            while !errors.recv_timeout(DEADLINE).unwrap().ends_with("C: silence") {}
            kill_process(Pid::from_child(&client.child), signal).unwrap();
            // The shell reports this as 128 more.
            assert_eq!(wait_for_exit(&mut client.child).signal(), Some(signal.as_raw()));
            assert_eq!((chats.read("t.chat"), chats.names().len()), (format!("%timeout 60s\n{text}"), 1));
        }
    }
}

/// The run ends soon after its limit, with the status of one.
#[track_caller]
fn ends_in_time(command: &mut Command, limit: &str) {
    let start = Instant::now();
    let mut child = command.arg("--max-time").arg(limit).spawn().unwrap();
    let status = wait_for_exit(&mut child).code();
    assert_eq!(status, Some(124));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn the_limit_on_the_run_holds_if_nobody_reads_the_report() {
    let address = line_server("", |_| Reply::Say("y".repeat(2000) + "\n"));
    let chats = Chats::with("C: hi\nS: x\n");
    for format in ["text", "tap", "junit"] {
        // More than a pipe holds.
        let mut command = check(&address, &["t.chat"; 100]);
        let (_reader, writer) = pipe().unwrap();
        command.current_dir(chats.path("")).args(["--report", format, "--jobs", "50"]);
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        ends_in_time(&mut command, "1s");
    }
}

#[test]
fn the_limit_on_the_run_holds_for_a_fifo() {
    let chats = Chats::new();
    mkfifoat(CWD, chats.path("t.chat"), Mode::RWXU).unwrap();
    let lonely = Lonely::new();
    let mut command = check(&lonely.address(), &["t.chat"]);
    command.current_dir(chats.path("")).stderr(Stdio::piped());
    ends_in_time(&mut command, "300ms");
    lonely.has_seen_nobody();
}

#[test]
fn a_server_that_never_falls_silent_is_reported_in_time() {
    let address = custom_server(|mut stream| {
        while stream.write_all(b"tick\n").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let silence = "unexpected output (nothing sent before)";
    for (text, action, headline, note) in [
        ("S: hello\n", "--color=never", "server reply differs", "+S: tick"),
        ("S ...\nS: hello\n", "--color=never", "server reply missing", "not run"),
        ("S ...\nS QUIET 400ms\n", "--color=never", silence, "note: data still arrived after 1200ms"),
        ("S: tick\nC: a\n", "--update", silence, "note: data still arrived after 1200ms"),
        ("S: hello\nC: a\n", "--update", silence, "note: data still arrived after 1200ms"),
    ] {
        let chats = Chats::with(format!("%timeout 800ms\n%gap 400ms\n{text}"));
        let run = chats.check(&address, &["t.chat"]).args(&[action, "--max-time", "20s"]).run();
        run.reports(3, &[headline, note]);
        let run = chats.check(&address, &["t.chat"]).args(&[action, "-w", "600ms"]).run();
        let status = if headline.contains("differs") { 3 } else { 124 };
        run.reports(status, &[headline]);
        assert_eq!(chats.read("t.chat"), format!("%timeout 800ms\n%gap 400ms\n{text}"));
    }
}

#[test]
fn retry_waits_for_a_server_that_starts_later() {
    let chats = Chats::with("C: hi\nS: HI\nC EOF\nS EOF\n");
    let address = format!("unix:{}", chats.path("socket").display());
    let mut client = chats.check(&address, &["t.chat"]).args(&["-v", "--retry", "20s"]).start();
    let errors = lines_of(client.child.stderr.take().unwrap());
    let line = errors.recv_timeout(DEADLINE).unwrap();
    assert!(line.contains("trying again"), "{line}");
    let _server = TestServer::start_with(capchat().args(["serve", &address]), 1);
    assert_eq!(client.line(), "PASS t.chat\n");
    assert_eq!(wait_for_exit(&mut client.child).code(), Some(0));
}

#[test]
fn the_environment_can_provide_the_address() {
    let server = TestServer::start(&[]);
    let chats = Chats::with("C: hi\nS: HI\n");
    let path = chats.path("t.chat").display().to_string();
    let run = Run::of(check_default(&[&path])).env("CAPCHAT_ADDRESS", server.address()).run();
    run.succeeds_with(format!("PASS {path}\n1 passed, 0 failed\n"));
}

/// All lines are sent without waiting: neither side may wait for the other to read.
#[test]
fn thirty_thousand_pipelined_lines_pass() {
    let line = |index: usize| format!("line {index} {}", "x".repeat(200));
    let client = lines(30_000, |index| format!("C: {}", line(index)));
    let server = lines(30_000, |index| format!("S: {}", line(index).to_uppercase()));
    let chats = Chats::with(format!("{client}{server}C EOF\nS EOF\n"));
    chats.passes(TestServer::start(&[]).address());
    let path = chats.path("t.chat");
    let mut mock = TestServer::start(&["--connections", "1", "--play", path.to_str().unwrap()]);
    chats.passes(mock.address());
    assert_eq!(mock.wait().code(), Some(0));

    let (but_last, last) = server.rsplit_once("S: ").unwrap();
    chats.write("u.chat", format!("{client}{but_last}S: something else\nC EOF\nS EOF\n"));
    let run = chats.update(TestServer::start(&[]).address(), &["u.chat"]).run();
    run.reports(0, &["UPDATED u.chat"]);
    assert_eq!(chats.read("u.chat").len(), chats.read("t.chat").len());
    assert!(chats.read("u.chat") == chats.read("t.chat"), "not{last}");
}

#[test]
fn a_thousand_files_pass() {
    let server = TestServer::start(&["-q"]);
    let chats = Chats::new();
    for index in 0..1000 {
        chats.write(
            &format!("{index:04}.chat"),
            format!("C: is it {index}?\nS: IS IT {index}?\nC EOF\nS EOF\n"),
        );
    }
    let run = chats.check(server.address(), &["."]).args(&["--jobs", "8"]).run();
    run.reports(0, &["PASS ./0000.chat\n", "PASS ./0999.chat\n1000 passed, 0 failed\n"]);
}

#[test]
fn unix_sockets_are_checked_played_and_recorded() {
    let chats = Chats::with("C: hi\nC EOF\nS: HO\nS EOF\n");
    let address = format!("unix:{}", chats.path("socket").display());
    let path = chats.path("t.chat");
    let records = chats.path("records");
    let play = ["serve", "--play", path.to_str().unwrap(), "--record", records.to_str().unwrap(), &address];
    let mut mock = TestServer::start_with(capchat().args(play).args(["--connections", "2"]), 1);
    chats.passes(&address);
    let run = chats.connect(&address).args(&["--record", "r.chat"]).stdin("hi\n").run();
    run.succeeds_with("HO\n");
    assert_eq!(mock.wait().code(), Some(0));
    assert_eq!(chats.read("r.chat"), chats.read("t.chat"));
    let files: Vec<_> = fs::read_dir(records).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 2);
    for file in files {
        assert_eq!(fs::read_to_string(&file).unwrap(), chats.read("t.chat"), "{}", file.display());
    }
    chats.write("rst.chat", "S RST\n");
    let run = chats.check(&address, &["rst.chat"]).run();
    run.reports(1, &["could not connect"]);
}

#[test]
fn a_transcript_can_come_from_standard_input() {
    let address = obedient_server();
    let chats = Chats::with("C: hi\nS: HI\n");
    chats.write("-", "C: hi\nS: the file\n");
    let check = |files: &[&str], text: &str| chats.check(&address, files).stdin(text);
    check(&["-"], "C: hi\nS: HI\n").run().succeeds_with("PASS <stdin>\n1 passed, 0 failed\n");
    let run = check(&["t.chat", "-", "./-"], "C: hi\nS: HO\n").run();
    let expected = format!(
        "PASS t.chat\nFAIL <stdin>:2: server reply differs (last sent: line 1)\n--- expected <stdin>\n\
         +++ received {address}\n C: hi\n-S: HO\n+S: HI\n1 matched, 1 failed, 0 not run\nFAIL ./-:2: "
    );
    run.reports(3, &[&expected]);
    let run = check(&["-"], "C: hi\nS; HO\n").run();
    run.fails_with(2, &["capchat: <stdin>:2: expected ", "found 'S; HO'"]);
    check(&["-"], "").run().succeeds_with("PASS <stdin>\n1 passed, 0 failed\n");
}

#[test]
fn standard_input_is_read_only_once_and_not_updated() {
    let lonely = Lonely::new();
    let chats = Chats::new();
    for (args, text) in [
        (&["-", "-"][..], "standard input ('-') can be given only once"),
        (&["--update", "-"], "--update cannot be used with standard input ('-')"),
    ] {
        chats.check(&lonely.address(), args).stdin("C: hi\n").run().fails_with(2, &[text]);
    }
    let run = chats.connect(&lonely.address()).args(&["--record", "-"]).run();
    run.fails_with(2, &["cannot record to '-' (for a file of that name, use ./-)"]);
    assert_eq!(chats.names(), [""; 0]);
    // A pipe that nobody writes to.
    let client = chats.check(&lonely.address(), &["-"]).args(&["--max-time", "200ms"]).start();
    let (status, errors) = client.wait();
    assert_eq!(status, Some(124));
    assert_eq!(errors, "capchat: timed out: not finished after 200ms (--max-time)\n");
    lonely.has_seen_nobody();
}

/// The lines of `-v` about one file, without the times, which do not decrease.
#[track_caller]
fn traced(errors: &str, file: &str) -> Vec<String> {
    let lines = errors.lines().filter_map(|line| line.strip_prefix(file)?.strip_prefix(": "));
    let mut last = 0.0;
    let without_time = lines.map(|line| {
        let (time, item) = line.split_once(' ').unwrap();
        assert_eq!(time.split_once('.').unwrap().1.len(), 3, "{line}");
        let time: f64 = time.parse().unwrap();
        assert!(time >= last, "{line}");
        last = time;
        item.to_owned()
    });
    without_time.collect()
}

#[test]
fn verbose_shows_every_line_with_the_time() {
    let address = line_server("login: ", |line| match line {
        "close" => Reply::Close,
        "reset" => Reply::Reset,
        "silence" => Reply::Say("par".to_owned()),
        line => say(&line.to_uppercase()),
    });
    let chats = Chats::with(
        "S\\ login: \\\nC WAIT 300ms\nC: hi\nS: HI\nC\\ a\\tb\\x1b\nS\\ A\\tB\\x1b\nC: close\nS EOF\n",
    );
    chats.write("u.chat", "S\\ login: \\\nC\\ si\\\nC: lence\nS: party\n");
    chats.write("v.chat", "S\\ login: \\\nC: reset\nS RST\n");
    let run = chats.check(&address, &["."]).args(&["-v", "-w", "2s", "--jobs", "3"]).run();
    run.reports(124, &["2 passed, 1 failed\n"]);
    let errors = run.errors();
    let expected =
        ["S\\ login: \\", "C: hi", "S: HI", "C\\ a\\tb\\x1b", "S\\ A\\tB\\x1b", "C: close", "S EOF"];
    assert_eq!(traced(&errors, "./t.chat"), expected, "{errors}");
    assert_eq!(traced(&errors, "./u.chat"), ["S\\ login: \\", "C: silence", "S\\ par\\"], "{errors}");
    assert_eq!(traced(&errors, "./v.chat"), ["S\\ login: \\", "C: reset", "S RST"], "{errors}");
    // The prompt has the time at which it arrived, and the next line that of its sending.
    let time = |item: &str| -> f64 {
        let line =
            errors.lines().find(|line| line.starts_with("./t.chat: ") && line.ends_with(item)).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    };
    assert!(time("login: \\") + 0.25 < time(" C: hi"), "{errors}");
    // One line more: the summary.
    assert_eq!(errors.lines().count(), 7 + 3 + 3 + 1, "{errors}");
}

#[test]
fn verbose_follows_the_line_ending_and_updates() {
    let address = line_server("220 ready\r\n", |line| Reply::Say(format!("250 {line}\r\n")));
    let chats = Chats::with("%eol crlf\nS: 220 ready\nC: hi\nS: 250\n");
    let run = chats.update(&address, &["t.chat"]).args(&["-v"]).run();
    run.reports(0, &["UPDATED t.chat\n"]);
    let items = traced(&run.errors(), "t.chat");
    assert_eq!(items, ["S: 220 ready", "C: hi", "S: 250 hi", "C EOF", "S EOF"]);
}
