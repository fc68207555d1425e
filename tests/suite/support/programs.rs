//! The programs that tests start: capchat, its checks, and those that may not be installed.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::iter::once;
use std::path::Path;
use std::process::Command;

const CAPCHAT: &str = env!("CARGO_BIN_EXE_capchat");

/// The program under test, without the caller's default address.
pub(crate) fn capchat() -> Command {
    let mut command = Command::new(CAPCHAT);
    command.env_remove("CAPCHAT_ADDRESS");
    command
}

/// The program under test, run by a shell after `setup`, such as `ulimit -f 1`.
pub(crate) fn capchat_after(setup: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{setup}; exec \"$0\" \"$@\""), CAPCHAT]).env_remove("CAPCHAT_ADDRESS");
    command
}

/// The program under test, with system calls that fail: `injection` is that of strace(1). `None`, if there is no
/// strace or it is not permitted; says then that the test is skipped.
pub(crate) fn capchat_traced(injection: &str) -> Option<Command> {
    if is_missing("strace") {
        return None;
    }
    let tried = Command::new("strace").args(["-o", "/dev/null", "true"]).output().unwrap();
    if !tried.status.success() {
        skipped("strace is not permitted");
        return None;
    }
    let mut command = Command::new("strace");
    // With -D, the tracer is the child, and the program under test keeps the identifier that is known here.
    command.args(["-D", "-f", "-qq", "-o", "/dev/null"]);
    command.args(["-e", &format!("inject={injection}"), CAPCHAT]).env_remove("CAPCHAT_ADDRESS");
    Some(command)
}

/// A check of `files` against the server at `address`. More options may follow.
pub(crate) fn check(address: &str, files: &[&str]) -> Command {
    transcripts(Some(address), None, files)
}

/// A check of `files` against the server at the default address.
pub(crate) fn check_default(files: &[&str]) -> Command {
    transcripts(None, None, files)
}

/// An update of `files` from the server at `address`. More options may follow.
pub(crate) fn update(address: &str, files: &[&str]) -> Command {
    transcripts(Some(address), Some("--update"), files)
}

/// The one place that knows how the command line of a check is put together.
fn transcripts(address: Option<&str>, option: Option<&str>, files: &[&str]) -> Command {
    let mut command = capchat();
    command.arg("check").args(address.map(|address| format!("--address={address}"))).args(option).args(files);
    command
}

/// `PATH` with the program under test in front.
pub(crate) fn path_with_capchat() -> OsString {
    let folder = Path::new(CAPCHAT).parent().unwrap().to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths(once(folder).chain(env::split_paths(&path))).unwrap()
}

/// Whether a program is not installed. If so, says that the test is skipped.
pub(crate) fn is_missing(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_missing = !env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if is_missing {
        skipped(format_args!("no {program}"));
    }
    is_missing
}

/// Whether `nc` is not OpenBSD's, the one with `-N` and `-U`. If so, says that the test is skipped.
pub(crate) fn is_openbsd_nc_missing() -> bool {
    if is_missing("nc") {
        return true;
    }
    let help = Command::new("nc").arg("-h").output().unwrap();
    let is_missing = !String::from_utf8_lossy(&help.stderr).contains("OpenBSD");
    if is_missing {
        skipped("nc is not OpenBSD's");
    }
    is_missing
}

/// Says that a test, or a part of it, is skipped.
pub(crate) fn skipped(reason: impl Display) {
    note(format_args!("skipped: {reason}"));
}

/// Prints something for whoever reads the output of the test.
#[expect(clippy::print_stdout, reason = "this is the output")]
pub(crate) fn note(text: impl Display) {
    println!("{text}");
}
