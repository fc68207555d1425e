//! Runs the scripts in `tests/transcripts`, which use capchat as anybody's scripts would.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::iter::once;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::{DEADLINE, capchat, skipped};

/// What the scripts share, and no script itself.
const LIBRARY: &str = "lib.sh";

/// A script says nothing and exits 0 where all is well, or says that it was skipped.
#[test]
fn scripts_find_what_they_expect() {
    let scripts = scripts();
    assert!(!scripts.is_empty(), "no scripts");
    let failures: Vec<String> = thread::scope(|scope| {
        let runs: Vec<_> = scripts.iter().map(|script| scope.spawn(|| run(script))).collect();
        runs.into_iter().filter_map(|run| run.join().unwrap().err()).collect()
    });
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut scripts: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "sh"))
        .filter(|path| !path.ends_with(LIBRARY))
        .collect();
    scripts.sort();
    scripts
}

/// Runs a script; the error is a report.
fn run(script: &Path) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let output_path = folder.path().join("output");
    let output = File::create(&output_path).unwrap();
    let child = Command::new("sh")
        .arg(script)
        .env("PATH", path_with_capchat())
        .env("TMPDIR", folder.path())
        .env_remove("CAPCHAT_ADDRESS")
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        // So that its background processes are ended with it.
        .process_group(0)
        .spawn()
        .unwrap();
    let end = end_of(child);
    let output = String::from_utf8_lossy(&fs::read(&output_path).unwrap()).into_owned();
    let name = script.file_name().unwrap_or_default().display();
    let said = || format!("{name} {end}; it said:\n{output}");
    if end != "ended with exit status: 0" {
        return Err(said());
    }
    for line in output.lines() {
        let reason = line.strip_prefix("skipped: ").ok_or_else(said)?;
        skipped(format_args!("{name}: {reason}"));
    }
    let left: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().display().to_string())
        .filter(|name| name != "output")
        .collect();
    if left.is_empty() { Ok(()) } else { Err(format!("{name} left behind: {left:?}")) }
}

fn path_with_capchat() -> OsString {
    let capchat = capchat();
    let folder = Path::new(capchat.get_program()).parent().unwrap().to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths(once(folder).chain(env::split_paths(&path))).unwrap()
}

/// Waits for a process to end, and kills its group where it does not; says how it ended.
fn end_of(mut child: Child) -> String {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return format!("ended with {status}");
        }
        if start.elapsed() > DEADLINE {
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            let _ = child.wait();
            return "did not end in time".to_owned();
        }
        thread::sleep(Duration::from_millis(5));
    }
}
