//! `serve --play`: a mock server, and clients that follow its transcript or depart from it.

use std::io::{ErrorKind, Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::chats::Chats;
use crate::support::client::Client;
use crate::support::programs::{capchat, is_missing, is_openbsd_nc_missing};
use crate::support::run::Run;
use crate::support::server::TestServer;

const LOGIN: &str = "S\\ login: \\\nC: anna\nS: hello anna\nC: quit\nS: bye\nS EOF\n";

/// A mock that plays `t.chat`.
fn play(chats: &Chats, options: &[&str]) -> TestServer {
    let path = chats.path("t.chat");
    TestServer::start(&[&["--play", path.to_str().unwrap()], options].concat())
}

#[test]
fn lines_that_are_skipped_may_be_long() {
    let chats = Chats::with("C: begin\nS: go\nC ...\nC: end\nS: done\nS EOF\n");
    let mock = play(&chats, &[]);
    let mut client = mock.connect();
    client.send("begin\n");
    client.expect("go\n");
    client.send("x".repeat(15 << 20));
    client.send("\nshort\nend\n");
    client.end();
    client.expect_end("done\n");
}

#[test]
fn each_client_gets_the_greeting_and_the_replies() {
    let chats = Chats::with(LOGIN);
    let mock = play(&chats, &[]);
    let mut clients: Vec<Client> = (0..3).map(|_| mock.connect()).collect();
    for client in &mut clients {
        client.expect("login: ");
    }
    for client in clients.iter_mut().rev() {
        // In pieces.
        client.send("an");
        client.send("na\n");
        client.expect("hello anna\n");
        client.send("quit\n");
        client.end();
        client.expect_end("bye\n");
    }
    assert!(mock.log_line_with("disconnected").contains(": completed the transcript, "));
    // One that sends everything at once.
    let mut client = mock.connect();
    client.send("anna\nquit\n");
    client.end();
    client.expect_end("login: hello anna\nbye\n");
    mock.send_signal(Signal::TERM);
    let mut mock = mock;
    assert_eq!(mock.wait().code(), Some(0));
}

#[test]
fn a_client_that_departs_is_disconnected_and_logged() {
    let chats = Chats::with(LOGIN);
    let mut mock = play(&chats, &["--connections", "4"]);
    let mut client = mock.connect();
    client.send("otto\nquit\n");
    client.expect_end("login: ");
    let headline = mock.log_line_with("departed from the transcript");
    let path = chats.path("t.chat");
    let expected = format!(
        "{} departed from the transcript: {}:2: client message differs (last sent: line 1)",
        client.address(),
        path.display()
    );
    assert_eq!(headline, expected);
    let diff: Vec<String> = (0..6).map(|_| mock.log_line()).collect();
    let peer = client.address();
    let expected = format!(
        "--- expected {}\n+++ received {peer}\n S\\ login: \\\n-C: anna\n+C: otto\n1 matched, 1 failed, 4 not run",
        path.display()
    );
    assert_eq!(diff.join("\n"), expected);
    // One that sends too little, and one that sends nothing.
    let mut client = mock.connect();
    client.send("ann");
    client.end();
    client.expect_end("login: ");
    assert!(mock.log_line_with("departed").contains(":2: client closed early"));
    let mut client = mock.connect();
    client.end();
    client.expect_end("login: ");
    assert!(mock.log_line_with("departed").contains(":2: client closed early"));
    // The next client that follows is served as before.
    let mut client = mock.connect();
    client.send("anna\nquit\n");
    client.end();
    client.expect_end("login: hello anna\nbye\n");
    assert_eq!(mock.wait().code(), Some(3));
    let log = mock.remaining_log();
    let last = log.last().unwrap();
    assert!(last.starts_with("capchat: 3 of 4 clients did not complete "), "{log:?}");
}

#[test]
fn a_departure_is_logged_while_the_client_stays() {
    let chats = Chats::with("C: a\nS: b\n");
    let mut mock = play(&chats, &["--connections", "1"]);
    let mut client = mock.connect();
    let start = Instant::now();
    client.send("x\n");
    client.expect_end("");
    mock.log_line_with("departed from the transcript");
    // The client is heard out for 10 s.
    assert!(start.elapsed() < Duration::from_secs(9));
    client.send("x\n");
    drop(client);
    mock.log_line_with("did not complete the transcript");
    assert_eq!(mock.wait().code(), Some(3));
}

#[test]
fn the_json_log_has_the_difference() {
    let chats = Chats::with("S: hi\nC: ho\nC EOF\n");
    let mut mock = play(&chats, &["--log-format", "json", "--connections", "2"]);
    let mut client = mock.connect();
    client.send("ho\nand more\n");
    client.expect_end("hi\n");
    let line = mock.log_line_with("diverged");
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["client"], client.address().to_string());
    assert!(event["diff"]["headline"].as_str().unwrap().contains(":3: unexpected input"), "{line}");
    assert!(
        event["diff"]["lines"].as_array().unwrap().contains(&serde_json::json!({"received": "C: and more"})),
        "{line}"
    );
    let line = mock.log_line_with("played");
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["completed"], false);
    let mut client = mock.connect();
    client.send("ho\n");
    client.end();
    client.expect_end("hi\n");
    assert_eq!(mock.wait().code(), Some(3));
}

#[test]
fn a_mock_exits_after_n_clients() {
    let chats = Chats::with(LOGIN);
    let mut mock = play(&chats, &["--connections", "2"]);
    let mut waiting = mock.connect();
    for client in [&mut mock.connect(), &mut waiting] {
        client.send("anna\nquit\n");
        client.end();
        client.expect_end("login: hello anna\nbye\n");
    }
    assert_eq!(mock.wait().code(), Some(0));
    assert!(!mock.remaining_log().iter().any(|line| line.contains("did not")));
}

#[test]
fn what_cannot_be_played_is_reported_before_listening() {
    for (text, line, found) in [
        ("C: x\nS~ y\n", 2, "'S~'"),
        ("C: x\nS\\ \\{id}\n", 2, r"'\{id}'"),
        ("x\n", 1, "'x'"),
        ("S\\ \\ud800\n", 1, r"'\u'"),
        ("C~ (\n", 1, "'C~ ('"),
    ] {
        let chats = Chats::with(text);
        let output =
            capchat().args(["serve", "--play"]).arg(chats.path("t.chat")).arg("127.0.0.1:0").output();
        let output = output.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{errors}");
        let start = format!("capchat: {}:{line}: expected ", chats.path("t.chat").display());
        assert!(
            errors.starts_with(&start)
                && errors.contains(&format!(", found {found}"))
                && errors.matches('\n').count() == 1,
            "{errors}"
        );
    }
    let chats = Chats::with("S RST\n");
    let address = format!("unix:{}", chats.path("socket").display());
    let output =
        capchat().args(["serve", "--play"]).arg(chats.path("t.chat")).arg(&address).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains(":1: a Unix socket cannot play 'S RST'"));
    assert_eq!(output.status.code(), Some(2));
    for args in [["--play", "/missing.chat"], ["--play", "/dev/zero"]] {
        let output = capchat().arg("serve").args(args).arg("127.0.0.1:0").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_pattern_matches_a_client_line() {
    let chats = Chats::with("C~ [a-z]+ \\d+\nS: ok\nC EOF\nS EOF\n");
    let mock = play(&chats, &[]);
    for (text, reply) in [("abc 12\n", "ok\n"), ("abc 12x\n", ""), ("x 1\nmore\n", "ok\n")] {
        let mut client = mock.connect();
        client.send(text);
        client.end();
        client.expect_end(reply);
        let follows = text == "abc 12\n";
        assert_eq!(mock.log_line_with("disconnected").contains(": completed"), follows, "{text:?}");
    }
}

#[test]
fn a_reset_follows_all_data() {
    let line = "x".repeat(999);
    let lines = 20_000;
    let chats = Chats::with(format!("C: go\n{}S RST\n", format!("S: {line}\n").repeat(lines)));
    let mut mock = play(&chats, &["--connections", "3"]);
    for has_ended in [false, true] {
        let mut client = mock.connect();
        client.send("go\n");
        if has_ended {
            client.end();
        }
        let mut received = 0;
        let mut buffer = vec![0; 3000];
        let error = loop {
            match client.stream.read(&mut buffer) {
                Ok(0) => panic!("EOF after {received} bytes"),
                Ok(count) => received += count,
                Err(error) => break error,
            }
            // Reads slowly: the mock must wait.
            if received % 7 == 0 {
                thread::sleep(Duration::from_micros(200));
            }
        };
        assert_eq!((error.kind(), received), (ErrorKind::ConnectionReset, lines * 1000));
    }
    chats.passes(mock.address());
    assert_eq!(mock.wait().code(), Some(0));
}

#[test]
fn a_client_that_is_gone_before_it_was_sent_everything_has_not_completed() {
    let chats = Chats::with(format!("C: go\n{}", format!("S: {}\n", "x".repeat(999)).repeat(20_000)));
    let mut mock = play(&chats, &["--connections", "3"]);
    for has_ended in [false, true] {
        let mut client = mock.connect();
        client.send("go\n");
        if has_ended {
            client.end();
        }
        client.expect("xxx");
        drop(client);
        let headline = mock.log_line_with("t.chat:");
        let is_gone = headline.contains("connection reset (") || headline.contains("client closed early (");
        assert!(is_gone && headline.contains("last sent: line "), "{headline}");
        assert!(mock.log_line_with("disconnected").contains("did not complete"));
    }
    // A client that has only closed its sending side is sent everything.
    let mut client = mock.connect();
    client.send("go\n");
    client.end();
    let mut received = Vec::new();
    client.stream.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), 20_000_000);
    assert!(mock.log_line_with("disconnected").contains(": completed"));
    assert_eq!(mock.wait().code(), Some(3));
}

#[test]
fn pauses_and_silences_are_played() {
    let chats = Chats::with("C: a\nS WAIT 150ms\nS: b\nS QUIET 150ms\nS: c\nC EOF\nS EOF\n");
    let mock = play(&chats, &[]);
    let start = Instant::now();
    let mut client = mock.connect();
    client.send("a\n");
    client.expect("b\n");
    assert!(start.elapsed() >= Duration::from_millis(150));
    client.expect("c\n");
    assert!(start.elapsed() >= Duration::from_millis(300));
    client.end();
    client.expect_end("");
    assert!(mock.log_line_with("disconnected").contains(": completed"));
    // It passes its own check, unless the check reads 50 ms late, and fails one that expects a longer silence.
    let passes = |_| chats.check(mock.address(), &["t.chat"]).run().0.status.success();
    assert!((0..5).any(passes));
    chats.write("long.chat", "C: a\nS: b\nS QUIET 1s\nS: c\n");
    chats
        .check(mock.address(), &["long.chat"])
        .run()
        .reports(3, &["long.chat:3: unexpected output", "+S: c\n"]);
}

#[test]
fn a_mock_disconnects_idle_clients() {
    let chats = Chats::with(LOGIN);
    let mut mock = play(&chats, &["--idle-timeout", "300ms", "--connections", "1"]);
    let mut client = mock.connect();
    client.expect_end("login: ");
    drop(client);
    let line = mock.log_line_with("disconnected");
    assert!(line.contains(": did not complete the transcript (idle timeout), "), "{line}");
    assert_eq!(mock.wait().code(), Some(3));

    // Its own pauses are not the client's.
    let chats = Chats::with("C: a\nS WAIT 2s\nS: b\nC EOF\nS EOF\n");
    let mut mock = play(&chats, &["--idle-timeout", "1s", "--connections", "1"]);
    let mut client = mock.connect();
    client.send("a\n");
    client.expect("b\n");
    client.end();
    client.expect_end("");
    assert_eq!(mock.wait().code(), Some(0));
}

#[test]
fn a_mock_disconnects_clients_that_take_nothing() {
    let chats = Chats::with(format!("C: go\n{}", format!("S: {}\n", "x".repeat(999)).repeat(20_000)));
    let mut mock = play(&chats, &["--idle-timeout", "2s", "--connections", "2"]);
    let mut client = mock.connect();
    client.send("go\n");
    let line = mock.log_line_with("disconnected");
    assert!(line.contains(": did not complete the transcript (idle timeout), "), "{line}");
    assert_eq!(client.stream.read_to_end(&mut Vec::new()).unwrap_err().kind(), ErrorKind::ConnectionReset);
    // One that takes everything, slowly at first.
    let mut client = Client::connect_with_small_buffer(mock.address());
    client.send("go\n");
    client.end();
    let mut received = Vec::new();
    for _ in 0..60 {
        thread::sleep(Duration::from_millis(50));
        (&client.stream).take(8 << 10).read_to_end(&mut received).unwrap();
    }
    client.stream.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), 20_000_000);
    assert_eq!(mock.wait().code(), Some(3));
}

#[test]
fn a_mock_can_limit_the_time_of_a_connection() {
    let chats = Chats::with("C: a\nS: b\nC: never\n");
    let mut mock = play(&chats, &["--max-connection-time", "2s", "--connections", "1"]);
    let mut client = mock.connect();
    client.send("a\n");
    client.expect_end("b\n");
    drop(client);
    let line = mock.log_line_with("disconnected");
    assert!(line.contains(": did not complete the transcript (connection time limit), "), "{line}");
    assert_eq!(mock.wait().code(), Some(3));
}

#[test]
fn plays_to_other_clients() {
    let chats = Chats::with("S: 220 hi\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye\nS EOF\n");
    let mock = play(&chats, &[]);
    let port = mock.port().to_string();
    if !is_openbsd_nc_missing() {
        let mut nc = Command::new("nc")
            .args(["-N", "-w", "20", "127.0.0.1", &port])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        nc.stdin.take().unwrap().write_all(b"NOOP\nQUIT\n").unwrap();
        let output = nc.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "220 hi\n250 ok\n221 bye\n");
        assert!(mock.log_line_with("disconnected").contains(": completed"));
    }
    if !is_missing("python3") {
        let script = "import socket, sys\n\
                      s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 20)\n\
                      f = s.makefile('rw')\n\
                      print(f.readline(), end='')\n\
                      for word in 'NOOP', 'QUIT':\n    print(word, file=f, flush=True)\n    print(f.readline(), end='')\n\
                      print(repr(f.read()))\n";
        let output = Command::new("python3").args(["-c", script, &port]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "220 hi\n250 ok\n221 bye\n''\n");
        assert!(mock.log_line_with("disconnected").contains(": completed"));
    }
}

/// Options that play these files, in this order.
fn playing(chats: &Chats, names: &[&str]) -> Vec<String> {
    let option = |name: &&str| ["--play".to_owned(), chats.path(name).display().to_string()];
    names.iter().flat_map(option).collect()
}

#[test]
fn each_client_gets_the_next_file_and_the_last_one_repeats() {
    let chats = Chats::new();
    for name in ["one", "two", "three"] {
        chats.write(name, format!("S: {name}\nC: {name}\nS: right\nS EOF\n"));
    }
    let play = playing(&chats, &["one", "two", "three"]);
    for (says, status) in [(["one", "two", "three", "three"], 0), (["one", "three", "three", "one"], 3)] {
        let options = play.iter().map(String::as_str).chain(["--connections", "4"]);
        let mut mock = TestServer::start(&options.collect::<Vec<_>>());
        for (name, says) in ["one", "two", "three", "three"].into_iter().zip(says) {
            let mut client = mock.connect();
            client.expect(format!("{name}\n"));
            client.send(format!("{says}\n"));
            client.expect_end(if says == name { "right\n" } else { "" });
            if says != name {
                // The file that this client departed from.
                let expected = format!("{}:2: client message differs", chats.path(name).display());
                assert!(mock.log_line_with("departed").contains(&expected));
            }
        }
        assert_eq!(mock.wait().code(), Some(status));
        let log = mock.remaining_log();
        let last = "capchat: 2 of 4 clients did not complete their transcripts".to_owned();
        assert_eq!(log.last() == Some(&last), status == 3, "{log:?}");
    }
}

#[test]
fn each_of_several_files_must_be_playable_and_use_a_set_value_between_them() {
    let chats = Chats::new();
    chats.write("a", "S: a\n");
    chats.write("b", "S\\ \\{name}\n");
    chats.write("c", "S~ .*\n");
    let run = |names: &[&str], more: &[&str]| {
        let mut command = capchat();
        command.args(["serve", "127.0.0.1:0"]).args(playing(&chats, names)).args(more);
        Run::of(command).run()
    };
    run(&["a", "c"], &[]).fails_with(2, &["/c:1: "]);
    run(&["a", "b"], &[]).fails_with(2, &["/b:1: "]);
    run(&["a"], &["--set", "name=x"]).fails_with(2, &["--set name: no transcript has a hole of this name"]);
    run(&["a"], &["--play", "-", "--play", "-"])
        .fails_with(2, &["standard input ('-') can be given only once"]);
    let play = playing(&chats, &["a", "b"]);
    let options = play.iter().map(String::as_str).chain(["--set", "name=x"]);
    let mock = TestServer::start(&options.collect::<Vec<_>>());
    mock.connect().expect("a\n");
    mock.connect().expect("x\n");
}
