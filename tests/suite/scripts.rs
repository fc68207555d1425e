//! Runs the scripts in `tests/transcripts`, which use capchat as a user's scripts would.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::programs::{path_with_capchat, skipped};
use crate::support::wait::DEADLINE;

/// Sourced by the scripts, not a script itself.
const LIBRARY: &str = "lib.sh";

/// A script that passes exits 0, and prints nothing but lines that say what was skipped.
#[test]
fn scripts_pass() {
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

/// Runs a script. The error is a report.
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
        // A process group, so that its background processes are killed with it.
        .process_group(0)
        .spawn()
        .unwrap();
    let end = end_of(child);
    let output = String::from_utf8_lossy(&fs::read(&output_path).unwrap()).into_owned();
    let name = script.file_name().unwrap_or_default().display();
    let report = || format!("{name} {end}; its output:\n{output}");
    if end != "exited with exit status: 0" {
        return Err(report());
    }
    for line in output.lines() {
        let reason = line.strip_prefix("skipped: ").ok_or_else(report)?;
        skipped(format_args!("{name}: {reason}"));
    }
    let left: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().display().to_string())
        .filter(|name| name != "output")
        .collect();
    if left.is_empty() { Ok(()) } else { Err(format!("{name} left behind: {left:?}")) }
}

/// Waits for a process to exit, and kills its group at the deadline. Says how it ended.
fn end_of(mut child: Child) -> String {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return format!("exited with {status}");
        }
        if start.elapsed() > DEADLINE {
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            let _ = child.wait();
            return "did not exit in time".to_owned();
        }
        thread::sleep(Duration::from_millis(5));
    }
}
