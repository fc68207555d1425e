//! Other programs as clients and servers. A test is skipped if its program is not installed.

use std::fs;
use std::io::Write;
use std::iter;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::programs::{is_missing, is_openbsd_nc_missing};
use crate::support::run::Run;
use crate::support::server::TestServer;
use crate::support::wait::{DEADLINE, lines_of, wait_for_exit};

/// A program that runs while its test talks to it, killed with its children when it is dropped.
struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Peer {
    fn start(program: &str, args: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let lines = lines_of(child.stdout.take().unwrap());
        Self { child, stdin, lines }
    }

    fn python(script: &str, args: &[&str]) -> Self {
        Self::start("python3", &[&["-c", script], args].concat())
    }

    #[track_caller]
    fn send(&mut self, bytes: &str) {
        let stdin = self.stdin.as_mut().expect("an open standard input");
        stdin.write_all(bytes.as_bytes()).unwrap();
    }

    /// The next line on standard output.
    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line")
    }

    /// The remaining lines on standard output.
    #[track_caller]
    fn rest(&self) -> Vec<String> {
        let next = || match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no EOF in time"),
        };
        iter::from_fn(next).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Runs a program to the end.
#[track_caller]
fn run(program: &str, args: &[&str], stdin: &'static [u8]) -> Output {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    thread::spawn(move || drop(input.write_all(stdin)));
    let group = Pid::from_child(&child);
    let (sender, output) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = output.recv_timeout(DEADLINE) else {
        let _ = kill_process_group(group, Signal::KILL);
        panic!("{program} did not exit in time");
    };
    output.unwrap()
}

/// The program exited 0 with this on standard output, and nothing on standard error.
#[track_caller]
fn succeeds_with(output: &Output, stdout: &str) {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn serves_nc() {
    if is_openbsd_nc_missing() {
        return;
    }
    let server = TestServer::start(&[]);
    let port = server.port().to_string();
    let output = run("nc", &["-N", "127.0.0.1", &port], b"one\ntwo\n");
    succeeds_with(&output, "ONE\nTWO\n");
    let output = run("nc", &["127.0.0.1", &port], b"one\nCLOSE SOCKET\ntwo\n");
    succeeds_with(&output, "ONE\n");
}

#[test]
fn serves_ncat() {
    if is_missing("ncat") {
        return;
    }
    let server = TestServer::start(&[]);
    let port = server.port().to_string();
    let output = run("ncat", &["127.0.0.1", &port], b"one\ntwo\n");
    succeeds_with(&output, "ONE\nTWO\n");
    let output = run("ncat", &["-C", "127.0.0.1", &port], b"one\ntwo\n");
    succeeds_with(&output, "ONE\r\nTWO\r\n");
}

#[test]
fn serves_socat() {
    if is_missing("socat") {
        return;
    }
    let server = TestServer::start(&[]);
    let address = format!("TCP:{}", server.address());
    let output = run("socat", &["-t5", "-", &address], b"one\ntwo\n");
    succeeds_with(&output, "ONE\nTWO\n");
}

/// telnet exits at the end of its input, so that stays open until the reply is there.
#[test]
fn serves_telnet() {
    if is_missing("telnet") {
        return;
    }
    let server = TestServer::start(&[]);
    let mut telnet = Peer::start("telnet", &["127.0.0.1", &server.port().to_string()]);
    telnet.send("hello\n");
    // telnet prints what it does before the reply.
    while telnet.line() != "HELLO" {}
    telnet.send("CLOSE SOCKET\n");
    wait_for_exit(&mut telnet.child);
    server.log_line_with("(CLOSE SOCKET)");
}

/// Every byte, and more of them than the buffers between two programs hold.
fn anything() -> Vec<u8> {
    let all = (0..=u8::MAX).collect::<Vec<_>>();
    all.iter().copied().cycle().take(all.len() * 4096).collect()
}

/// A socket in a directory, as capchat's address and as a path.
fn socket_in(folder: &Path) -> (String, String) {
    let path = folder.join("socket").to_str().unwrap().to_owned();
    (format!("unix:{path}"), path)
}

#[test]
fn talks_to_ncat() {
    if is_missing("ncat") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (address, path) = socket_in(folder.path());
    let _server = Peer::start("ncat", &["-l", "--keep-open", "-U", &path, "-e", "/bin/cat"]);
    // In lockstep, because ncat drops what its command has not written yet when the client closes its sending side.
    let lines = "a line\n".repeat(1000);
    Run::connect(&address).args(&["--lockstep", "--retry", "10s"]).stdin(&lines).run().succeeds_with(&lines);
}

#[test]
fn talks_to_socat() {
    if is_missing("socat") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (address, path) = socket_in(folder.path());
    let listen = format!("UNIX-LISTEN:{path},fork");
    let _server = Peer::start("socat", &["-t5", &listen, "EXEC:cat"]);
    let connect = || Run::connect(&address).args(&["--retry", "10s"]);
    connect().stdin("one\ntwo").run().succeeds_with("one\ntwo");
    connect().stdin(anything()).run().succeeds_with(anything());
    let lockstep = connect().args(&["--lockstep"]).stdin("one\ntwo\n").run();
    lockstep.succeeds_with("one\ntwo\n");
}

/// A chat, with a person at each program.
#[test]
fn talks_to_nc() {
    if is_openbsd_nc_missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (address, path) = socket_in(folder.path());
    let mut nc = Peer::start("nc", &["-N", "-l", "-U", &path]);
    let mut connect = Run::connect(&address).args(&["--retry", "10s"]).start();
    connect.stdin.write_all(b"who is there?\n").unwrap();
    assert_eq!(nc.line(), "who is there?");
    nc.send("me\n");
    assert_eq!(connect.line(), "me\n");
    nc.stdin = None;
    assert_eq!(connect.wait(), (Some(0), String::new()));
}

/// A server that takes each `recv` for a message. Prints its port, and then each message.
const RECV_SERVER: &str = r#"
import socket, sys

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
while True:
    message = connection.recv(1024).decode()
    print(repr(message), flush=True)
    if "strips" in sys.argv:
        message = message.strip()
    if message in ("", "CLOSE SOCKET"):
        break
    connection.sendall(message.upper().encode())
connection.close()
"#;

#[test]
fn converses_with_a_recv_server() {
    if is_missing("python3") {
        return;
    }
    let server = Peer::python(RECV_SERVER, &["strips"]);
    Run::connect(&server.line())
        .args(&["--lockstep", "-w", "10s"])
        .stdin("hello\nstraße\nCLOSE SOCKET\n")
        .run()
        // It strips the line feed from its replies too.
        .succeeds_with("HELLOSTRASSE");
    assert_eq!(server.rest(), [r"'hello\n'", r"'straße\n'", r"'CLOSE SOCKET\n'"]);
}

#[test]
fn converses_with_a_recv_server_that_wants_no_line_feeds() {
    if is_missing("python3") {
        return;
    }
    let server = Peer::python(RECV_SERVER, &[]);
    Run::connect(&server.line())
        .args(&["--lockstep", "--eol", "none", "-w", "10s"])
        .stdin("hello\nstraße\nCLOSE SOCKET\n")
        .run()
        .succeeds_with("HELLOSTRASSE");
    assert_eq!(server.rest(), ["'hello'", "'straße'", "'CLOSE SOCKET'"]);
}

/// A client that sends messages without line feeds, and waits for each reply.
const RECV_CLIENT: &str = r#"
import socket, sys

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30)
for message in "hello", "straße", "please CLOSE SOCKET now":
    connection.send(message.encode())
    print(connection.recv(1024).decode())
"#;

#[test]
fn answers_a_recv_client() {
    if is_missing("python3") {
        return;
    }
    let server = TestServer::start(&[]);
    let mut client = Peer::python(RECV_CLIENT, &[&server.port().to_string()]);
    assert_eq!(client.rest(), ["HELLO", "STRASSE", ""]);
    assert_eq!(wait_for_exit(&mut client.child).code(), Some(0));
}

/// Every character on a line of its own, answered as Python itself would. Their versions of Unicode may differ, so
/// characters that Python does not know, or whose capitals it does not know, are left out (for example U+019B, whose
/// capital U+A7DC was added in Unicode 16).
const EVERY_CHARACTER: &str = r#"
import socket, sys, threading, unicodedata

def is_unassigned(text):
    return any(unicodedata.category(character) == "Cn" for character in text)

surrogates = range(0xD800, 0xE000)
characters = [chr(code) for code in range(sys.maxunicode + 1) if code not in surrogates and code != ord("\n")]
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30)

def send():
    connection.sendall("".join(f"{character}\n" for character in characters).encode())
    connection.shutdown(socket.SHUT_WR)

threading.Thread(target=send, daemon=True).start()
replies = connection.makefile("rb").read().decode().split("\n")
if len(replies) != len(characters) + 1 or replies.pop():
    sys.exit(f"{len(replies)} replies to {len(characters)} messages")
compared = 0
for character, reply in zip(characters, replies):
    if is_unassigned(character + reply):
        continue
    compared += 1
    if reply != character.upper():
        print(f"U+{ord(character):04X}: {ascii(reply)}, not {ascii(character.upper())}")
print(compared > 250_000)
"#;

#[test]
fn agrees_with_the_capitals_of_python() {
    if is_missing("python3") {
        return;
    }
    let server = TestServer::start(&[]);
    let port = server.port().to_string();
    let output = run("python3", &["-c", EVERY_CHARACTER, &port], b"");
    succeeds_with(&output, "True\n");
}

#[test]
fn talks_to_redis() {
    if is_missing("redis-server") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (address, path) = socket_in(folder.path());
    let folder_path = folder.path().to_str().unwrap();
    let options = ["--port", "0", "--save", "", "--unixsocket", &path, "--dir", folder_path];
    let _server = Peer::start("redis-server", &options);
    Run::connect(&address)
        .args(&["--lockstep", "--retry", "10s"])
        .stdin("SET a 1\nGET a\nINCR a\nPING\n")
        .run()
        .succeeds_with("+OK\r\n$1\r\n1\r\n:2\r\n+PONG\r\n");
    let left: Vec<_> = fs::read_dir(&folder).unwrap().collect();
    assert_eq!(left.len(), 1, "more than the socket: {left:?}");
}
