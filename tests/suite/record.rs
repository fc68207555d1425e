//! `connect --record` and `serve --record`: the files say what happened, and pass as checks.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::chats::Chats;
use crate::support::custom_server::{Lonely, Nobody, Reply, line_server, say};
use crate::support::programs::capchat;
use crate::support::run::Run;
use crate::support::server::TestServer;
use crate::support::terminal::Terminal;
use crate::support::wait::{DEADLINE, eventually, lines_of, wait_for_exit};

/// The signals that end a client, and its exit status.
const ENDING: [(Signal, i32); 4] =
    [(Signal::HUP, 129), (Signal::INT, 130), (Signal::QUIT, 131), (Signal::TERM, 143)];

#[test]
fn a_pipe_is_recorded_and_passes() {
    let server = TestServer::start(&[]);
    let chats = Chats::new();
    for (input, args, output, begin) in [
        ("hi\nho\n", &[][..], "HI\nHO\n", "C: hi\nC: ho\n"),
        ("hi\nho", &["-C"], "HI\r\nHO", "%eol crlf\nC: hi\nC\\ ho\\\n"),
        ("hi\nCLOSE SOCKET\n", &[], "HI\n", "C: hi\nC: CLOSE SOCKET\n"),
        ("\x1b[2J\u{202e} \n", &["--lockstep"], "\x1b[2J\u{202e} \n", "C\\ \\x1b[2J\\xe2\\x80\\xae\\x20\n"),
    ] {
        let run = chats.connect(server.address()).args(args).args(&["--record", "t.chat"]).stdin(input).run();
        run.succeeds_with(output);
        let text = chats.read("t.chat");
        assert!(text.starts_with(begin), "{text}");
        assert!(text.ends_with("S EOF\n"), "{text}");
        assert_eq!(chats.names(), ["t.chat"]);
        chats.passes(server.address());
    }
}

#[test]
fn lockstep_is_recorded_turn_by_turn() {
    let server = TestServer::start(&[]);
    let chats = Chats::new();
    let run =
        chats.connect(server.address()).args(&["--lockstep", "--record", "t.chat"]).stdin("a\nb\n").run();
    run.succeeds_with("A\nB\n");
    assert_eq!(chats.read("t.chat"), "C: a\nS: A\nC: b\nS: B\nC EOF\nS EOF\n");
    chats.passes(server.address());
}

#[test]
fn what_is_typed_is_recorded() {
    let server = TestServer::start(&[]);
    let chats = Chats::new();
    let path = chats.path("t.chat");
    let mut terminal =
        Terminal::connect(server.address()).args(&["--record", path.to_str().unwrap()]).start();
    terminal.wait_for("enter your message: ▏");
    terminal.type_keys("hi\r");
    terminal.wait_for("HI\nenter your message: ▏");
    assert!(!path.exists(), "written before the end");
    terminal.type_keys("\x04");
    terminal.expect_exit(0);
    assert_eq!(chats.read("t.chat"), "C: hi\nS: HI\nC EOF\nS EOF\n");
    chats.passes(server.address());
}

#[test]
fn a_signal_at_the_prompt_keeps_the_recording_and_restores_the_terminal() {
    let server = TestServer::start(&[]);
    for (signal, status) in ENDING {
        let chats = Chats::new();
        let path = chats.path("t.chat");
        let arguments = ["--record", path.to_str().unwrap()];
        let mut terminal = Terminal::connect(server.address()).args(&arguments).start();
        terminal.wait_for("enter your message: ▏");
        terminal.type_keys("hi\rab");
        terminal.wait_for("HI\nenter your message: ab▏");
        terminal.send_signal(signal);
        terminal.expect_exit(status);
        assert_eq!(chats.read("t.chat"), "C: hi\nS: HI\n");
    }
}

#[test]
fn an_interrupted_recording_is_kept() {
    let server = TestServer::start(&[]);
    for (signal, status) in ENDING {
        let chats = Chats::with("# an old one\n");
        let mut client = chats.connect(server.address()).args(&["--record", "t.chat"]).start();
        client.stdin.write_all(b"hi\n").unwrap();
        assert_eq!(client.line(), "HI\n");
        assert_eq!(chats.read("t.chat"), "# an old one\n");
        kill_process(Pid::from_child(&client.child), signal).unwrap();
        let (code, errors) = client.wait();
        assert_eq!(code, Some(status), "{errors}");
        assert_eq!(chats.read("t.chat"), "C: hi\nS: HI\n");
        assert_eq!(chats.names(), ["t.chat"]);
    }
}

#[test]
fn a_conversation_in_which_nothing_was_said_replaces_no_recording() {
    let server = TestServer::start(&[]);
    let chats = Chats::with("# an old one\n");
    let mut client = chats.connect(server.address()).args(&["--record", "t.chat", "-v"]).start();
    let errors = lines_of(client.child.stderr.take().unwrap());
    assert!(errors.recv_timeout(DEADLINE).unwrap().contains("connected"));
    kill_process(Pid::from_child(&client.child), Signal::TERM).unwrap();
    assert_eq!(wait_for_exit(&mut client.child).code(), Some(143));
    assert_eq!((chats.read("t.chat").as_str(), chats.names().len()), ("# an old one\n", 1));
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let server = TestServer::start(&[]);
    let chats = Chats::new();
    let script = format!(
        "trap '' HUP; exec {} connect {} --record t.chat",
        capchat().get_program().display(),
        server.address()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(chats.path(""));
    let mut client = Run::of(command).start();
    for (line, reply) in [("hi\n", "HI\n"), ("ho\n", "HO\n")] {
        client.stdin.write_all(line.as_bytes()).unwrap();
        assert_eq!(client.line(), reply);
        kill_process(Pid::from_child(&client.child), Signal::HUP).unwrap();
    }
    assert_eq!(client.finish(), (Some(0), String::new()));
    assert_eq!(chats.read("t.chat"), "C: hi\nS: HI\nC: ho\nS: HO\nC EOF\nS EOF\n");
}

#[test]
fn a_signal_while_it_waits_for_the_server_leaves_nothing() {
    let chats = Chats::new();
    let nobody = Nobody::new();
    let mut client =
        chats.connect(&nobody.address()).args(&["--retry", "20s", "-v", "--record", "t.chat"]).start();
    // It has created its temporary file once it has failed to connect.
    let mut errors = [0; 8];
    client.child.stderr.as_mut().unwrap().read_exact(&mut errors).unwrap();
    assert_eq!(chats.names().len(), 1);
    kill_process(Pid::from_child(&client.child), Signal::TERM).unwrap();
    assert_eq!(client.wait().0, Some(143));
    assert_eq!(chats.names(), [""; 0]);
}

#[test]
fn a_reset_is_recorded() {
    let address = line_server("", |line| if line == "reset" { Reply::Reset } else { say(line) });
    let chats = Chats::new();
    let run = chats.connect(&address).args(&["--lockstep", "--record", "t.chat"]).stdin("hi\nreset\n").run();
    assert_eq!(run.0.status.code(), Some(1), "{}", run.errors());
    let text = chats.read("t.chat");
    assert_eq!(text, "C: hi\nS: hi\nC: reset\nS RST\n");
}

#[test]
fn a_file_is_replaced_only_after_a_connection() {
    let server = TestServer::start(&[]);
    let chats = Chats::with("# an old one\n");
    fs::set_permissions(chats.path("t.chat"), PermissionsExt::from_mode(0o604)).unwrap();
    symlink("t.chat", chats.path("link")).unwrap();
    let nobody = Nobody::new();
    chats.connect(&nobody.address()).args(&["--record", "link"]).run().fails_with(1, &["refused"]);
    assert_eq!((chats.read("t.chat").as_str(), chats.names().len()), ("# an old one\n", 2));

    chats.connect(server.address()).args(&["--record", "link"]).stdin("hi\n").run().succeeds_with("HI\n");
    assert!(chats.read("t.chat").starts_with("C: hi\n"));
    assert!(chats.path("link").is_symlink());
    assert_eq!(fs::metadata(chats.path("t.chat")).unwrap().permissions().mode() & 0o777, 0o604);

    // A new file gets the usual permissions, even next to one with a similar name.
    chats.write("new.permissions", "");
    chats.connect(server.address()).args(&["--record", "new.chat"]).stdin("hi\n").run().succeeds_with("HI\n");
    chats.write("usual", "");
    let mode = |name: &str| fs::metadata(chats.path(name)).unwrap().permissions().mode();
    assert_eq!(mode("new.chat"), mode("usual"));
    assert_eq!(chats.names(), ["link", "new.chat", "new.permissions", "t.chat", "usual"]);
}

#[test]
fn what_cannot_be_written_is_reported_before_connecting() {
    let lonely = Lonely::new();
    let chats = Chats::new();
    for path in ["missing/t.chat", ".", "/dev/full", "/proc/t.chat"] {
        let run = chats.connect(&lonely.address()).args(&["--record", path]).run();
        run.fails_with(1, &[&format!("cannot create {path}")]);
    }
    lonely.has_seen_nobody();
}

/// The recordings in the directory `records`: name and content.
fn records(chats: &Chats) -> Vec<(String, String)> {
    let mut records: Vec<_> = fs::read_dir(chats.path("records"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().display().to_string(), fs::read_to_string(path).unwrap()))
        .collect();
    // By the number at the end of the name.
    records.sort_by_key(|(name, _)| {
        name.trim_end_matches(".chat").rsplit('-').next().unwrap().parse::<u32>().unwrap()
    });
    records
}

#[test]
fn a_server_records_each_connection() {
    let chats = Chats::new();
    let folder = chats.path("records");
    let server = TestServer::start(&["--record", folder.to_str().unwrap()]);
    let mut first = server.connect();
    let mut second = server.connect();
    second.expect_answer();
    first.send("hi\r\n");
    first.expect("HI\r\n");
    first.send("unfinished");
    first.end();
    first.expect_end("UNFINISHED");
    second.send("CLOSE SOCKET\nnever read\n");
    second.expect_end("");
    let addresses = [first.address(), second.address()];
    drop((first, second));
    for _ in 0..2 {
        server.log_line_with("disconnected");
    }
    let are_complete = || records(&chats).iter().all(|(_, text)| text.ends_with("S EOF\n")).then_some(());
    eventually("both recordings", are_complete);
    let records = records(&chats);
    assert_eq!(records.len(), 2);
    for (index, (name, _)) in records.iter().enumerate() {
        // 20260131T235959Z-127.0.0.1_40000-1.chat
        let (time, rest) = name.split_once('-').unwrap();
        assert!(time.len() == 16 && &time[8..9] == "T" && time.ends_with('Z'), "{name}");
        let address = addresses[index].to_string().replace(':', "_");
        assert_eq!(rest, format!("{address}-{}.chat", index + 1));
    }
    assert_eq!(records[0].1, "%eol crlf\nC: hi\nS: HI\nC\\ unfinished\\\nC EOF\nS\\ UNFINISHED\\\nS EOF\n");
    assert!(
        records[1].1.starts_with("C: are you there?\nS: ARE YOU THERE?\nC: CLOSE SOCKET\n"),
        "{}",
        records[1].1
    );
    let fresh = TestServer::start(&[]);
    chats.check(fresh.address(), &["records"]).run().reports(0, &["2 passed, 0 failed\n"]);
}

#[test]
fn several_servers_record_in_one_directory() {
    let chats = Chats::new();
    let servers: Vec<_> = (0..4)
        .map(|number| {
            let address = format!("unix:{}", chats.path(&format!("socket{number}")).display());
            let mut command = capchat();
            command.args(["serve", &address, "--record"]).arg(chats.path("records"));
            (TestServer::start_with(&mut command, 1), address)
        })
        .collect();
    // Their clients have the same name, in the same second.
    for (_, address) in &servers {
        Run::connect(address).stdin("hi\n").run().succeeds_with("HI\n");
    }
    let complete = "C: hi\nC EOF\nS: HI\nS EOF\n";
    let is_complete = |text: &String| text.lines().count() == complete.lines().count();
    eventually("all recordings", || {
        let all: Vec<_> = records(&chats).into_iter().map(|(_, text)| text).collect();
        (all.len() == servers.len() && all.iter().all(is_complete)).then_some(())
    });
}

#[test]
fn a_conversation_without_line_endings_is_on_disk_while_it_goes_on() {
    const EACH: usize = 65_535;
    let chats = Chats::new();
    let folder = chats.path("records");
    let server = TestServer::start(&["--message-gap", "1ms", "--record", folder.to_str().unwrap()]);
    let mut client = server.connect();
    for exchange in 1..=40 {
        client.send(vec![b'a'; EACH]);
        client.expect(vec![b'A'; EACH]);
        // The last of each side, and one that waits for a first line ending, may be missing.
        let complete = 2 * EACH * exchange;
        eventually("the recording", || (records(&chats)[0].1.len() + 4 * EACH > complete).then_some(()));
    }
    server.send_signal(Signal::KILL);
    eventually("the end", || client.stream.read(&mut [0]).is_ok_and(|count| count == 0).then_some(()));
    let text = records(&chats)[0].1.clone();
    assert!(text.lines().all(|line| line.starts_with("C\\ a") || line.starts_with("S\\ A")));
    assert!(text.ends_with('\n'));
}

#[test]
fn data_after_the_end_of_the_server_is_recorded() {
    let chats = Chats::new();
    let folder = chats.path("records");
    let server = TestServer::start(&["--record", folder.to_str().unwrap()]);
    let mut client = server.connect();
    client.send("CLOSE SOCKET\n");
    client.expect_end("");
    client.send("more\nand");
    client.end();
    server.log_line_with("disconnected");
    let expected = "C: CLOSE SOCKET\nS EOF\nC: more\nC\\ and\\\nC EOF\n";
    eventually("the recording", || (records(&chats)[0].1 == expected).then_some(()));
}

#[test]
fn the_reset_of_a_client_leaves_a_recording_without_an_ending() {
    let chats = Chats::new();
    let folder = chats.path("records");
    let server = TestServer::start(&["--record", folder.to_str().unwrap()]);
    let mut client = server.connect();
    client.expect_answer();
    client.reset();
    server.log_line_with("disconnected");
    assert_eq!(records(&chats)[0].1, "C: are you there?\nS: ARE YOU THERE?\n");
}

#[test]
fn the_reset_of_a_mock_is_recorded() {
    let chats = Chats::with("C: x\nS: y\nS RST\n");
    let folder = chats.path("records");
    let path = chats.path("t.chat");
    let args = ["--play", path.to_str().unwrap(), "--connections", "1", "--record", folder.to_str().unwrap()];
    let mut mock = TestServer::start(&args);
    chats.passes(mock.address());
    assert_eq!(mock.wait().code(), Some(0));
    assert_eq!(records(&chats)[0].1, chats.read("t.chat"));
}

/// A server that may write this many KiB to a file, as if the disk were full then.
fn server_on_a_full_disk(kib: usize, chats: &Chats) -> TestServer {
    // The signal that comes with the error is ignored.
    let script = r#"trap "" XFSZ; ulimit -f $(($0 * 2)) && exec "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, &kib.to_string()]).arg(capchat().get_program());
    command.args(["serve", "127.0.0.1:0", "--record"]).arg(chats.path("records"));
    TestServer::start_with(&mut command, 1)
}

#[test]
fn a_recording_that_a_full_disk_cuts_off_is_no_transcript_among_the_others() {
    let chats = Chats::new();
    let server = server_on_a_full_disk(8, &chats);
    let mut client = server.connect();
    for _ in 0..100 {
        client.send("a line of some bytes, so that they are more than a few\n");
        client.expect("A LINE OF SOME BYTES, SO THAT THEY ARE MORE THAN A FEW\n");
    }
    client.end();
    client.expect_end("");
    let line = server.log_line_with("could not be recorded");
    assert!(line.contains("file too large; the start is in "), "{line}");
    eventually("the new name", || {
        (!chats
            .path("records")
            .read_dir()
            .unwrap()
            .any(|entry| entry.unwrap().path().extension().is_some_and(|extension| extension == "chat")))
        .then_some(())
    });
    let path = fs::read_dir(chats.path("records")).unwrap().next().unwrap().unwrap().path();
    assert!(path.to_str().unwrap().ends_with(".chat.incomplete"), "{path:?}");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.len() > 7000, "{}", text.len());
    // Complete lines, which can be read.
    chats.write("t.chat", text + "S ...\n");
    chats.passes(TestServer::start(&[]).address());
    // Without any room, nothing is left behind.
    let chats = Chats::new();
    let server = server_on_a_full_disk(0, &chats);
    let mut client = server.connect();
    client.expect_answer();
    client.end();
    client.expect_end("");
    assert!(server.log_line_with("could not be recorded").ends_with(": file too large"));
    assert_eq!(fs::read_dir(chats.path("records")).unwrap().count(), 0);
}

#[test]
fn a_directory_that_cannot_be_created_is_reported() {
    let chats = Chats::with("");
    let output =
        capchat().args(["serve", "--record"]).arg(chats.path("t.chat")).arg("127.0.0.1:0").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{errors}");
    assert!(
        errors.starts_with("capchat: cannot create directory ") && errors.matches('\n').count() == 1,
        "{errors}"
    );
}
