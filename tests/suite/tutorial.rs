//! The tutorial in capchat-transcript(5): every command is run as it is there, and prints what it says.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;

use regex::Regex;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::programs::{is_missing, path_with_capchat};
use crate::support::wait::{DEADLINE, eventually, lines_of};

/// The ports in the text. The commands get others, which are free.
const PORTS: [&str; 3] = ["7000", "7001", "7002"];

/// What is printed last after each command that does not run in the background.
const DONE: &str = "-- done --";

/// The commands of the tutorial, each with what it prints.
fn steps() -> Vec<(String, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/capchat-transcript.5");
    let page = fs::read_to_string(path).unwrap();
    let section = page.split(".Sh TUTORIAL\n").nth(1).unwrap().split("\n.Sh ").next().unwrap();
    let blocks = section.split(".Bd -literal -offset indent\n").skip(1);
    let text: String = blocks.map(|block| block.split(".Ed").next().unwrap().replace("\\e", "\\")).collect();
    let step = |step: &str| {
        let mut lines = step.lines().map(str::to_owned);
        (lines.next().unwrap(), lines.collect())
    };
    let text = format!("\n{text}");
    text.split("\n$ ").skip(1).map(step).collect()
}

/// A shell, killed with everything that it started when it is dropped.
struct Shell {
    child: Child,
    output: Receiver<String>,
}

impl Shell {
    fn start(directory: &Path) -> Self {
        let mut child = Command::new("sh")
            .env("PATH", path_with_capchat())
            .env_remove("CAPCHAT_ADDRESS")
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let output = lines_of(child.stdout.take().unwrap());
        let mut shell = Self { child, output };
        shell.enter("exec 2>&1");
        shell
    }

    fn enter(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Runs a command as a person would: the next one is entered when this one has printed what is expected of it.
    fn run(&mut self, command: &str, expected: usize) -> Vec<String> {
        self.enter(command);
        if !command.ends_with('&') {
            self.enter(&format!("echo '{DONE}'"));
        }
        let next = || self.output.recv_timeout(DEADLINE).expect("a line");
        if command.ends_with('&') {
            return (0..expected).map(|_| next()).collect();
        }
        std::iter::from_fn(|| Some(next()).filter(|line| line != DONE)).collect()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

#[test]
fn every_command_prints_what_it_says() {
    if is_missing("redis-server") || is_missing("redis-cli") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut shell = Shell::start(directory.path());
    let listeners = PORTS.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let ports = listeners.map(|listener| listener.local_addr().unwrap().port().to_string());
    let entry = Regex::new("[0-9]{13}-[0-9]").unwrap();
    let steps = steps();
    assert!(steps.len() > 10, "{steps:?}");
    for (command, expected) in steps {
        let replace = |text: &str| {
            PORTS.iter().zip(&ports).fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
        };
        let printed = shell.run(&replace(&command), expected.len());
        // The name of an entry is the time.
        let expected: Vec<_> =
            expected.iter().map(|line| replace(&entry.replace_all(line, "ENTRY"))).collect();
        let printed: Vec<_> =
            printed.iter().map(|line| entry.replace_all(line, "ENTRY").into_owned()).collect();
        assert_eq!(printed, expected, "{command}");
        if command.starts_with("redis-server") {
            eventually("the server listens", || {
                std::net::TcpStream::connect(format!("127.0.0.1:{}", ports[0])).ok()
            });
        }
    }
}
