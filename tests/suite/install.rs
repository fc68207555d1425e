//! `scripts/install` puts every file in its place, and takes away what it has put there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::programs::is_missing;

fn install(args: &[&str], directory: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/install");
    Command::new(script).args(args).current_dir(directory).env("HOME", directory).output().unwrap()
}

/// All files below a directory, relative to it.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push(path.strip_prefix(directory).unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

const PROGRAM: [&str; 2] = ["--program", env!("CARGO_BIN_EXE_capchat")];

#[test]
fn everything_is_installed_and_removed() {
    let work = tempfile::tempdir().unwrap();
    // A relative path, with a space, and with a file of somebody else.
    let prefix = work.path().join("my prefix");
    fs::create_dir_all(prefix.join("bin")).unwrap();
    fs::write(prefix.join("bin/other"), "").unwrap();

    let output = install(&[PROGRAM[0], PROGRAM[1], "my prefix"], work.path());
    assert!(output.status.success(), "{output:?}");
    let expected = [
        "bin/capchat",
        "bin/other",
        "share/bash-completion/completions/capchat",
        "share/fish/vendor_completions.d/capchat.fish",
        "share/man/man1/capchat-check.1",
        "share/man/man1/capchat-connect.1",
        "share/man/man1/capchat-serve.1",
        "share/man/man1/capchat.1",
        "share/man/man5/capchat-transcript.5",
        "share/zsh/site-functions/_capchat",
    ];
    assert_eq!(files(&prefix), expected.map(PathBuf::from));
    let version = Command::new(prefix.join("bin/capchat")).arg("--version").output().unwrap();
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("capchat "), "{version:?}");
    if !is_missing("man") {
        let manual = prefix.join("share/man");
        let found =
            Command::new("man").arg("-M").arg(&manual).args(["-w", "capchat-check"]).output().unwrap();
        let expected = manual.join("man1/capchat-check.1");
        assert_eq!(String::from_utf8_lossy(&found.stdout).trim(), expected.to_str().unwrap(), "{found:?}");
    }

    let output = install(&["--uninstall", "my prefix"], work.path());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(files(&prefix), [PathBuf::from("bin/other")]);
    // Nothing is left to remove.
    assert!(install(&["--uninstall", "my prefix"], work.path()).status.success());
}

#[test]
fn the_home_directory_is_the_default() {
    let home = tempfile::tempdir().unwrap();
    let output = install(&PROGRAM, home.path());
    assert!(output.status.success(), "{output:?}");
    assert!(home.path().join(".local/bin/capchat").is_file());
}

#[test]
fn mistakes_are_usage_errors() {
    let work = tempfile::tempdir().unwrap();
    for args in [&["--remove"][..], &["--program"], &["a", "b"], &[""]] {
        let output = install(args, work.path());
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        assert!(files(work.path()).is_empty(), "{args:?}");
    }
}
