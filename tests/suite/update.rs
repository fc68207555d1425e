//! Updates of transcripts: what is rewritten, and what must never happen to a file.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::geteuid;

use crate::support::chats::Chats;
use crate::support::custom_server::{Lonely, Reply, close, custom_server, line_server, say};
use crate::support::data::lines;
use crate::support::programs::{capchat, skipped, update};
use crate::support::run::{Finished, Run};
use crate::support::server::TestServer;
use crate::support::wait::{eventually, wait_for_exit};

const TOTALS: &str = "1 updated, 0 unchanged, 0 failed\n";

fn capitals() -> String {
    line_server("", |line| match line {
        "close" => Reply::Close,
        "reset" => Reply::Reset,
        "three" => Reply::Say("ONE\nTWO\nTHREE\n".to_owned()),
        line => say(&line.to_uppercase()),
    })
}

#[test]
fn only_server_items_are_rewritten() {
    let address = capitals();
    for (old, new) in [
        // Comments, blank lines, indentation, waits and items that still match stay.
        (
            "# top\n%timeout 3s\n\n  # first\n  C: hi\n  S: HO # said\n\n  # then\nC WAIT 1ms\nC: three\n# a\n\
             S: ONE\n# b\nS: ZWEI\n# c\nS~ THR.*\n\nS WAIT 1ms\nC EOF\n# end\nS EOF\n# very end\n",
            "# top\n%timeout 3s\n\n  # first\n  C: hi\n  S: HI\n\n  # then\nC WAIT 1ms\nC: three\n# a\n\
             S: ONE\n# b\nS: TWO\n# c\nS~ THR.*\n\nS WAIT 1ms\nC EOF\n# end\nS EOF\n# very end\n",
        ),
        // Replies that the file does not have yet.
        ("C: hi\n# x\nC: ho\nC EOF\n", "C: hi\n# x\nC: ho\nC EOF\nS: HI\nS: HO\nS EOF\n"),
        (
            "C: hi\n\nC WAIT 1ms\nC: ho\nC EOF\nS EOF",
            "C: hi\n\nC WAIT 1ms\nC: ho\nC EOF\nS: HI\nS: HO\nS EOF\n",
        ),
        // Fewer lines, and more.
        ("C: hi\nS: A\n# b\nS: B\nS: C\nC EOF\nS EOF\n", "C: hi\nS: HI\n# b\nC EOF\nS EOF\n"),
        ("C: three\nS: ONE\n# x\nC EOF\nS EOF\n", "C: three\nS: ONE\nS: TWO\nS: THREE\n# x\nC EOF\nS EOF\n"),
        // The way the server closes.
        ("C: close\nS RST\n", "C: close\nS EOF\n"),
        ("C: reset\nS: x\nS EOF\n", "C: reset\nS RST\n"),
        // The line ending.
        (
            "%eol crlf\nC\\ hi\\n\\\nS: HI\nC EOF\nS EOF\n",
            "%eol crlf\nC\\ hi\\n\\\nS\\ HI\\n\\\nC EOF\nS EOF\n",
        ),
    ] {
        let chats = Chats::with(old);
        chats.update(&address, &["t.chat"]).run().reports(0, &["UPDATED t.chat\n", TOTALS]);
        assert_eq!(chats.read("t.chat"), new, "was:\n{old}");
        assert_eq!(chats.names(), ["t.chat"]);
        chats.passes(&address);
        chats
            .update(&address, &["t.chat"])
            .run()
            .succeeds_with("SAME t.chat\n0 updated, 1 unchanged, 0 failed\n");
        assert_eq!(chats.read("t.chat"), new);
    }
}

#[test]
fn a_file_that_still_matches_is_not_touched() {
    let address = capitals();
    let text = "\u{feff}C: hi\r\n S\\ \\x48I  \r\n\r\n# no line feed";
    let text = text.replace("I  ", "I");
    let chats = Chats::with(&text);
    let before = fs::metadata(chats.path("t.chat")).unwrap();
    let run = chats.update(&address, &["t.chat"]).run();
    run.succeeds_with("SAME t.chat\n0 updated, 1 unchanged, 0 failed\n");
    let after = fs::metadata(chats.path("t.chat")).unwrap();
    assert_eq!(
        (before.ino(), before.mtime(), before.mtime_nsec()),
        (after.ino(), after.mtime(), after.mtime_nsec())
    );
    assert_eq!(before.ctime_nsec(), after.ctime_nsec());
    assert_eq!(chats.read("t.chat"), text);
}

#[test]
fn what_must_be_edited_by_hand_is_a_failure() {
    let address = capitals();
    for (text, line, status) in [
        ("# x\nC: hi\nS~ HO\nC EOF\nS EOF\n", "t.chat:3: 'S~ HO' no longer matches", 3),
        ("%timeout 2s\nC: hi\nS ...\nS: HO\nC EOF\nS EOF\n", "t.chat:3: 'S ...' no longer matches", 3),
        ("C: hi\nS QUIET 5s\nC EOF\nS: HI\nS EOF\n", "t.chat:2: 'S QUIET 5s' no longer matches", 3),
        // The server closes before all client items are sent.
        ("C: hi\nS: HO\nC: close\nS: x\nC: more\nS: MORE\n", "t.chat:4: server closed early", 3),
        ("C: hi\nS: HO\nC: reset\nS: x\nC: more\nS: MORE\n", "t.chat:4: connection reset", 3),
    ] {
        let chats = Chats::with(text);
        let before = fs::metadata(chats.path("t.chat")).unwrap();
        let run = chats.update(&address, &["t.chat"]).run();
        run.reports(status, &["FAIL t.chat", line, "0 updated, 0 unchanged, 1 failed\n"]);
        run.fails_with(status, &["could not be updated"]);
        assert_eq!(chats.read("t.chat"), text);
        let after = fs::metadata(chats.path("t.chat")).unwrap();
        assert_eq!((before.ino(), before.ctime_nsec()), (after.ino(), after.ctime_nsec()));
        assert_eq!(chats.names(), ["t.chat"]);
    }
    // A server that is silent, or gone, does not empty a file.
    let text = "%timeout 100ms\nC: hi\nS: HI\nC: ho\nS: HO\n";
    let chats = Chats::with(text);
    let silent = line_server("", |_| Reply::Say(String::new()));
    chats.update(&silent, &["t.chat"]).run().reports(3, &["t.chat:3: server reply missing"]);
    assert_eq!(chats.read("t.chat"), text);
    let gone = custom_server(|stream| close(&stream));
    chats.update(&gone, &["t.chat"]).run().reports(3, &["server closed early"]);
    assert_eq!(chats.read("t.chat"), text);
}

#[test]
fn permissions_and_links_stay() {
    let address = capitals();
    let chats = Chats::new();
    chats.write("folder/real", "C: hi\nS: HO\nC EOF\nS EOF\n");
    fs::set_permissions(chats.path("folder/real"), PermissionsExt::from_mode(0o640)).unwrap();
    symlink("folder/real", chats.path("t.chat")).unwrap();
    chats.update(&address, &["t.chat"]).run().reports(0, &["UPDATED t.chat\n", TOTALS]);
    assert_eq!(fs::read_link(chats.path("t.chat")).unwrap(), Path::new("folder/real"));
    assert_eq!(chats.read("folder/real"), "C: hi\nS: HI\nC EOF\nS EOF\n");
    let mode = fs::metadata(chats.path("folder/real")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert_eq!(fs::read_dir(chats.path("folder")).unwrap().count(), 1);
}

#[test]
fn the_owner_stays() {
    if !geteuid().is_root() {
        return skipped("only root may give a file away");
    }
    let address = capitals();
    let chats = Chats::with("C: hi\nS: HO\n");
    chown(chats.path("t.chat"), Some(65534), Some(12345)).unwrap();
    fs::set_permissions(chats.path("t.chat"), PermissionsExt::from_mode(0o4751)).unwrap();
    chats.update(&address, &["t.chat"]).run().reports(0, &["UPDATED t.chat\n", TOTALS]);
    let metadata = fs::metadata(chats.path("t.chat")).unwrap();
    let is = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
    assert_eq!(is, (65534, 12345, 0o4751));
}

#[test]
fn a_file_that_changed_meanwhile_is_left() {
    for edited in ["C: hi\nS: HO\n# edited\n", "C: ho\nS: HO\n", "", "S: \u{fffd}\n"] {
        let chats = Chats::with("C: hi\nS: HO\n");
        let path = chats.path("t.chat");
        let address = line_server("", move |line| {
            fs::write(&path, edited).unwrap();
            say(&line.to_uppercase())
        });
        let run = chats.update(&address, &["t.chat"]).run();
        let report = "FAIL t.chat: could not write: the file was changed during the update\n";
        run.reports(1, &[report, "0 updated, 0 unchanged, 1 failed\n"]);
        assert_eq!((chats.read("t.chat").as_str(), chats.names().len()), (edited, 1));
    }
    // It may even be gone.
    let chats = Chats::with("C: hi\nS: HO\n");
    let path = chats.path("t.chat");
    let address = line_server("", move |line| {
        fs::remove_file(&path).unwrap();
        say(&line.to_uppercase())
    });
    chats.update(&address, &["t.chat"]).run().reports(1, &["could not write: no such file"]);
    assert_eq!(chats.names(), [""; 0]);
}

#[test]
fn a_long_name_is_replaced() {
    let address = capitals();
    for name in ["n".repeat(245) + ".chat", "n".repeat(249) + ".chat", "ü".repeat(125) + ".chat"] {
        let chats = Chats::new();
        chats.write(&name, "C: hi\nS: HO\n");
        chats.update(&address, &[&name]).run().reports(0, &["1 updated"]);
        assert_eq!(chats.read(&name), "C: hi\nS: HI\n");
        let run = chats.connect(&address).args(&["--record", &name]).stdin("ho\n").run();
        run.succeeds_with("HO\n");
        assert!(chats.read(&name).starts_with("C: ho\n"));
        assert_eq!(chats.names(), [name.as_str()]);
    }
}

#[test]
fn several_files_are_updated_one_by_one() {
    let address = capitals();
    let chats = Chats::new();
    chats.write("a.chat", "C: hi\nS: HO\nC EOF\nS EOF\n");
    chats.write("b.chat", "C: hi\nS~ HO\n");
    chats.write("c.chat", "C: hi\nS: HI\n");
    chats.write("d.chat", "C: hi\nC EOF\n");
    let run = chats.update(&address, &["."]).args(&["--jobs", "4"]).run();
    run.reports(
        3,
        &[
            "UPDATED ./a.chat\n",
            "\nFAIL ./b.chat:2: ",
            "\nSAME ./c.chat\nUPDATED ./d.chat\n",
            "\n2 updated, 1 unchanged, 1 failed\n",
        ],
    );
    assert_eq!(chats.read("a.chat"), "C: hi\nS: HI\nC EOF\nS EOF\n");
    assert_eq!(chats.read("d.chat"), "C: hi\nC EOF\nS: HI\nS EOF\n");
    assert_eq!(chats.read("b.chat"), "C: hi\nS~ HO\n");
}

#[test]
fn a_directory_that_cannot_be_written_is_reported() {
    let address = capitals();
    let text = "C: hi\nS: HO\n";
    let chats = Chats::new();
    chats.write("folder/t.chat", text);
    let folder = chats.path("folder");
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o555)).unwrap();
    let mut command = update(&address, &[folder.join("t.chat").to_str().unwrap()]);
    if geteuid().is_root() {
        // Root may write anywhere: run as nobody.
        fs::set_permissions(chats.path("."), PermissionsExt::from_mode(0o755)).unwrap();
        command.uid(65534);
    }
    match command.output() {
        Err(error) => skipped(format_args!("the program cannot run as nobody: {error}")),
        Ok(output) => {
            let run = Finished(output);
            run.reports(1, &["t.chat: could not write: ", "denied", "1 failed\n"]);
            run.fails_with(1, &["could not be"]);
            assert_eq!(chats.read("folder/t.chat"), text);
        }
    }
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    // Reading a device might never end.
    chats.update(&address, &["/dev/full"]).run().fails_with(2, &["/dev/full: not a regular file"]);
}

/// Runs an update with this many bytes of address space.
fn update_within(memory: usize, address: &str, chats: &Chats) -> Finished {
    let mut command = Command::new("sh");
    let program = update(address, &["t.chat"]);
    command.args(["-c", r#"ulimit -v "$0" && exec "$@""#]).arg((memory / 1024).to_string());
    command.arg(program.get_program()).args(program.get_args()).current_dir(chats.path(""));
    Run::of(command).run()
}

#[test]
fn an_update_keeps_little_in_memory_and_says_if_a_reply_is_too_long() {
    const MEGABYTES: usize = 1024 * 1024;
    let address = line_server("", |line| {
        Reply::Say(format!("{}\n", "x".repeat(99)).repeat(line.parse::<usize>().unwrap() * 10_000) + "end\n")
    });
    let text = "C: 10\nS ...\nS: end\n".repeat(30);
    let chats = Chats::with(&text);
    let run = update_within(300 * MEGABYTES, &address, &chats);
    run.succeeds_with("SAME t.chat\n0 updated, 1 unchanged, 0 failed\n");
    // No pause of a busy machine ends the turn.
    let text = "%gap 3s\nC: 17\nS: x\nC: 1\n";
    chats.write("t.chat", text);
    let run = update_within(300 * MEGABYTES, &address, &chats);
    let headline = "FAIL t.chat:3: server reply too long (last sent: line 2)\n";
    run.reports(3, &[headline, "note: an update keeps at most 16 MiB of new replies\n"]);
    assert_eq!(chats.read("t.chat"), text);
}

/// Some kills hit before the file is written, some during that, and some after.
#[test]
fn a_killed_update_leaves_a_complete_file() {
    const KILLS: usize = 48;
    const AT_ONCE: usize = 4;
    let padding = "# a comment\n".repeat(20_000);
    let replies = lines(50, |index| format!("S: old {index}"));
    let old = format!("C: fifty\n{replies}C EOF\nS EOF\n{padding}");
    let new = old.replace("old", "NEW");
    let address = line_server("", |_| {
        // Long enough to be killed while waiting.
        thread::sleep(Duration::from_millis(10));
        Reply::Say(lines(50, |index| format!("NEW {index}")))
    });
    // How long it takes if it is not killed.
    let start = Instant::now();
    Chats::with(&old).update(&address, &["t.chat"]).run().reports(0, &["UPDATED t.chat\n", TOTALS]);
    let usual = start.elapsed();
    let updated = thread::scope(|scope| {
        let (old, new, address) = (&old, &new, &address);
        let kill_some = move |first: usize| {
            let mut updated = 0;
            for kill in (first..KILLS).step_by(AT_ONCE) {
                let chats = Chats::with(old);
                let mut child = update(address, &[chats.path("t.chat").to_str().unwrap()])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                if kill % 2 == 0 {
                    thread::sleep(usual * u32::try_from(kill).unwrap() / 24);
                } else {
                    // When the new file appears, and then a little later each time.
                    eventually("a new file", || {
                        (chats.names().len() > 1 || child.try_wait().unwrap().is_some()).then_some(())
                    });
                    thread::sleep(Duration::from_micros(40 * kill as u64));
                }
                let _ = child.kill();
                wait_for_exit(&mut child);
                let text = chats.read("t.chat");
                assert!(text == *old || text == *new, "killed at {kill}: {} bytes", text.len());
                updated += usize::from(text == *new);
                // A leftover file is hidden, and not taken for a transcript.
                for name in chats.names() {
                    let is_transcript =
                        Path::new(&name).extension().is_some_and(|extension| extension == "chat");
                    assert!(name == "t.chat" || (name.starts_with(".t.chat.") && !is_transcript), "{name:?}");
                }
            }
            updated
        };
        let threads: Vec<_> = (0..AT_ONCE).map(|first| scope.spawn(move || kill_some(first))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert!((1..KILLS).contains(&updated), "{updated} of {KILLS} were updated before they were killed");
}

#[test]
fn an_interrupted_update_leaves_the_file() {
    let chats = Chats::with("C: hi\nS: HO\nC: ho\nS: x\n");
    let before = chats.read("t.chat");
    let silent = line_server("", |_| Reply::Say(String::new()));
    chats.update(&silent, &["t.chat"]).args(&["--max-time", "200ms"]).run().fails_with(124, &["timed out"]);
    assert_eq!((chats.read("t.chat"), chats.names()), (before, vec!["t.chat".to_owned()]));
    let lonely = Lonely::new();
    chats.write("u.chat", "S: x\nx\n");
    chats.update(&lonely.address(), &["t.chat", "u.chat"]).run().fails_with(2, &["u.chat:2"]);
    lonely.has_seen_nobody();
}

#[test]
fn a_check_passes_after_an_update_from_the_real_server() {
    let server = TestServer::start(&[]);
    let chats = Chats::with("# nothing known yet\nC: straße\nC\\ half a \\\nC: line\nC: CLOSE SOCKET\n");
    chats.update(server.address(), &["t.chat"]).run().reports(0, &["UPDATED t.chat\n", TOTALS]);
    let expected = "# nothing known yet\nC: straße\nC\\ half a \\\nC: line\nC: CLOSE SOCKET\nS: STRASSE\n\
                    S: HALF A LINE\nS EOF\n";
    assert_eq!(chats.read("t.chat"), expected);
    chats.passes(server.address());
}

/// A server of a few words, with a greeting.
fn words() -> String {
    line_server("220 ready\n", |line| match line {
        "quit" => say("221 bye"),
        "help" => Reply::Say("214-a\n214-b\n214 c\n".to_owned()),
        "login" => Reply::Say("name: ".to_owned()),
        "close" => Reply::Close,
        "mute" => Reply::Say(String::new()),
        line => say(&format!("250 {line}")),
    })
}

#[test]
fn a_script_of_client_lines_is_filled_in() {
    let address = words();
    let chats = Chats::with(
        "# every reply is new\nS ?\nC: hello\n  S ?\nC: help\nS ?\n# a prompt\nC: login\nS ?\nC: quit\nS ?\n",
    );
    for command in ["check", "serve"] {
        let run = match command {
            "check" => chats.check(&address, &["t.chat"]).run(),
            _ => Run::of(capchat())
                .args(&["serve", "--play", chats.path("t.chat").to_str().unwrap(), "0"])
                .run(),
        };
        run.fails_with(2, &["t.chat:2: ", "found 'S ?' (to fill it in: capchat check --update)"]);
    }
    let run = chats.update(&address, &["t.chat"]).run();
    let diff = format!(
        "UPDATED t.chat\n--- expected t.chat\n+++ received {address}\n@@ line 2\n-S ?\n+S: 220 ready\n \
         C: hello\n-S ?\n+S: 250 hello\n C: help\n-S ?\n+S: 214-a\n+S: 214-b\n+S: 214 c\n C: login\n\
         -S ?\n+S\\ name: \\\n C: quit\n-S ?\n+S: 221 bye\n"
    );
    let text = "# every reply is new\nS: 220 ready\nC: hello\n  S: 250 hello\nC: help\nS: 214-a\nS: 214-b\n\
                S: 214 c\n# a prompt\nC: login\nS\\ name: \\\nC: quit\nS: 221 bye\n";
    run.reports(0, &[&diff, TOTALS]);
    assert_eq!(chats.read("t.chat"), text);
    chats.passes(&address);
}

#[test]
fn an_end_is_a_reply_too() {
    let address = capitals();
    for (old, new) in [
        ("C: close\nS ?\n", "C: close\nS EOF\n"),
        ("C: reset\nS ?\n", "C: reset\nS RST\n"),
        ("C: close\nS ?\nC EOF\n", "C: close\nS EOF\nC EOF\n"),
        (
            "C: hi\nS WAIT 1s\nS ?\nC WAIT 1ms\nC: close\nS ?\n",
            "C: hi\nS WAIT 1s\nS: HI\nC WAIT 1ms\nC: close\nS EOF\n",
        ),
    ] {
        let chats = Chats::with(old);
        chats.update(&address, &["t.chat"]).run().reports(0, &["-S ?\n", TOTALS]);
        assert_eq!(chats.read("t.chat"), new);
        chats.passes(&address);
    }
}

#[test]
fn what_was_learned_is_kept_when_a_later_turn_fails() {
    let address = words();
    let chats = Chats::with("%timeout 1s\nS ?\nC: help\nS ?\nC: x\nS: y\nC: mute\nS ?\nC: z\nS ?\n");
    let run = chats.update(&address, &["t.chat"]).run();
    run.reports(
        3,
        &[
            "FAIL t.chat:10: server reply missing (within 1s; last sent: line 9)\n",
            " S: y\n C: mute\n-S ?\nnote: no data for 1s\n8 matched, 1 failed, 2 not run\n",
            "note: the replies that were learned are in the file now\n--- expected t.chat\n",
            "@@ line 2\n-S ?\n+S: 220 ready\n C: help\n-S ?\n+S: 214-a\n+S: 214-b\n+S: 214 c\n",
            "0 updated, 0 unchanged, 1 failed\n",
        ],
    );
    // The line that differs, which is not a placeholder, is as it was.
    let text = "%timeout 1s\nS: 220 ready\nC: help\nS: 214-a\nS: 214-b\nS: 214 c\nC: x\nS: y\nC: mute\nS ?\nC: z\nS ?\n";
    assert_eq!(chats.read("t.chat"), text);
    // A conflict too; and its line is the one in the new file.
    chats.write("t.chat", "S ?\nC: help\nS ?\nC: x\nS~ y\nC: z\nS: no\n");
    let run = chats.update(&address, &["t.chat"]).run();
    run.reports(
        3,
        &[
            "FAIL t.chat:7: 'S~ y' no longer matches; edit it by hand (only 'S ?' replaced)\n",
            " C: x\n-S~ y\n+S: 250 x\nnote: the replies that were learned",
        ],
    );
    let text = "S: 220 ready\nC: help\nS: 214-a\nS: 214-b\nS: 214 c\nC: x\nS~ y\nC: z\nS: no\n";
    assert_eq!(chats.read("t.chat"), text);
    // Without placeholders, the file stays as it is.
    chats.write("t.chat", "%timeout 1s\nS: old\nC: mute\nS: x\n");
    chats.update(&address, &["t.chat"]).run().reports(3, &["t.chat:4: server reply missing"]);
    assert_eq!(chats.read("t.chat"), "%timeout 1s\nS: old\nC: mute\nS: x\n");
    // If the server ends too early, nothing is certain about that turn.
    chats.write("t.chat", "S ?\nC: close\nS ?\nC: x\nS ?\n");
    chats.update(&address, &["t.chat"]).run().reports(3, &["closed early"]);
    assert_eq!(chats.read("t.chat"), "S: 220 ready\nC: close\nS ?\nC: x\nS ?\n");
}

#[test]
fn a_conflict_shows_the_line_that_came() {
    let address = words();
    for (text, lines) in [
        ("S: 220 ready\nC: a\nS~ 250 b\nC: c\nS: x\n", " C: a\n-S~ 250 b\n+S: 250 a\n0 updated"),
        ("S: 220 ready\nC: a\nS\\ 251 \\{b}\n", " C: a\n-S\\ 251 \\{b}\n+S: 250 a\n0 updated"),
        ("S\\ 220 \\{id}\nC: a\nS\\ 250 \\{id}\n", "-S\\ 250 \\{id}\n+S: 250 a\nnote: id = ready\n0 updated"),
        ("S: 220 ready\nC: help\nS ... 214-[ac]\nS: 214 c\n", "-S ... 214-[ac]\n+S: 214-b\n0 updated"),
        ("S: 220 ready\nC: help\nS ...\nS: end\n", "-S ...\n+S: 214-a\n+S: 214-b\n+S: 214 c\n0 updated"),
        ("S: 220 ready\nC: close\nS~ bye\n", "-S~ bye\n+S EOF\n0 updated"),
    ] {
        let chats = Chats::with(format!("%timeout 1s\n{text}"));
        chats.update(&address, &["t.chat"]).run().reports(3, &["no longer matches", lines]);
    }
}

#[test]
fn each_change_is_shown_where_it_is() {
    let address = words();
    let middle = "C: a\nS: 250 a\n".repeat(3);
    let chats = Chats::with(format!("S: 220 hi\n{middle}C: help\nS: 214-a\n# c\nS: 214 x\n{middle}"));
    let run = chats.update(&address, &["t.chat"]).run();
    let expected = format!(
        "UPDATED t.chat\n--- expected t.chat\n+++ received {address}\n@@ line 1\n-S: 220 hi\n+S: 220 ready\n\
         @@ line 11\n C: help\n S: 214-a\n-S: 214 x\n+S: 214-b\n+S: 214 c\n{TOTALS}"
    );
    assert_eq!(run.report(), expected);
    for (format, start) in
        [("tap", "ok 1 - t.chat\n  ---\n  diff: |\n    --- expected"), ("junit", "\"><system-out>")]
    {
        chats.write("t.chat", "S: <\n");
        let run = chats.update(&address, &["t.chat"]).args(&["--report", format]).run();
        let text = run.report().replace(">\n    <", "><");
        assert!(
            text.contains(start) || format == "junit" && text.contains("<system-out>--- expected t.chat\n"),
            "{text}"
        );
        assert!(text.contains("+S: 220 ready\n"), "{text}");
    }
}
