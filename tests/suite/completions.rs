//! Completions, as a user sees them: in an interactive bash.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::programs::is_missing;
use crate::support::terminal::Terminal;

/// A bash with capchat's completions, in a directory with a few files.
fn bash() -> (Terminal, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["alpha.chat", "beta.chat", "with space.chat"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    fs::write(folder.path().join("hosts"), "192.0.2.1 capchat-test-host\n").unwrap();
    let mut command = Command::new("bash");
    command.args(["--norc", "--noprofile", "-i"]).current_dir(folder.path());
    let hosts = folder.path().join("hosts");
    let terminal =
        Terminal::with(command).env("PS1", "$ ").env("INPUTRC", "/dev/null").env("HOSTFILE", hosts).start();
    terminal.wait_for("$ ▏");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/completions/capchat.bash");
    terminal.type_keys(format!(". '{}' && clear\r", script.display()));
    terminal.wait_until("an empty screen", |screen| screen == "$ ▏");
    (terminal, folder)
}

/// Types a line, and Tab; expects this line.
#[track_caller]
fn completes(terminal: &Terminal, typed: &str, expected: &str) {
    // Clears the line before.
    terminal.type_keys(format!("\x15{typed}\t"));
    terminal.wait_for(&format!("$ {expected}▏"));
}

#[test]
fn bash_completes_every_file() {
    if is_missing("bash") {
        return;
    }
    let (terminal, _folder) = bash();
    for (typed, expected) in [
        ("capchat check al", "capchat check alpha.chat "),
        ("capchat check alpha.chat be", "capchat check alpha.chat beta.chat "),
        ("capchat check alpha.chat beta.chat al", "capchat check alpha.chat beta.chat alpha.chat "),
        ("capchat check w", "capchat check with\\ space.chat "),
        ("capchat check --update al", "capchat check --update alpha.chat "),
        ("capchat check -a localhost:1 -j 2 al", "capchat check -a localhost:1 -j 2 alpha.chat "),
        ("capchat serve --play al", "capchat serve --play alpha.chat "),
        ("capchat connect --record al", "capchat connect --record alpha.chat "),
        ("capchat connect ./al", "capchat connect ./alpha.chat "),
        ("capchat check alpha.chat --upd", "capchat check alpha.chat --update "),
        ("capchat che", "capchat check "),
        ("capchat connect --eol cr", "capchat connect --eol cr"),
    ] {
        completes(&terminal, typed, expected);
    }
    for start in ["check ", "check alpha.chat "] {
        terminal.type_keys(format!("\x15\x0ccapchat {start}\t\t"));
        terminal.wait_for("alpha.chat       beta.chat        hosts            with space.chat");
        assert!(!terminal.screen().contains("--"), "{}", terminal.screen());
    }
}

#[test]
fn bash_completes_hosts_by_itself() {
    if is_missing("bash") {
        return;
    }
    let (terminal, _folder) = bash();
    for start in ["connect ", "connect -4 ", "serve ", "check -a ", "check --address "] {
        let expected = format!("capchat {start}capchat-test-host ");
        completes(&terminal, &format!("capchat {start}capchat-t"), &expected);
    }
    // Nothing is offered for a time.
    terminal.type_keys("\x15\x0ccapchat connect -w \t\t5s");
    terminal.wait_for("$ capchat connect -w 5s▏");
    assert!(!terminal.screen().contains("alpha"), "{}", terminal.screen());
}
