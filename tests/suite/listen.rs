//! `capchat connect --listen`: one client, and this side is the server.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc::Receiver;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::chats::Chats;
use crate::support::client::Client;
use crate::support::programs::capchat;
use crate::support::run::{Run, Running};
use crate::support::terminal::Terminal;
use crate::support::wait::{DEADLINE, lines_of, wait_for_exit};

/// `capchat connect --listen`, running, and what it prints to standard error.
struct Listening {
    run: Running,
    errors: Receiver<String>,
    address: String,
}

impl Listening {
    #[track_caller]
    fn start(run: Run) -> Self {
        let mut run = run.start();
        let errors = lines_of(run.child.stderr.take().unwrap());
        let address = address(&errors.recv_timeout(DEADLINE).unwrap());
        Self { run, errors, address }
    }

    fn send_signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.run.child), signal).unwrap();
    }

    /// Waits for it to exit. Returns the exit status and the rest of standard error.
    #[track_caller]
    fn wait(mut self) -> (Option<i32>, Vec<String>) {
        let status = wait_for_exit(&mut self.run.child);
        (status.code(), self.errors.iter().collect())
    }
}

#[track_caller]
fn address(announcement: &str) -> String {
    announcement.strip_prefix("listening on ").expect("an announcement").to_owned()
}

fn listen(args: &[&str]) -> Run {
    Run::of(capchat()).args(&["connect", "--listen"]).args(args)
}

#[test]
fn the_first_client_gets_the_pipe() {
    let mut listening = Listening::start(listen(&["127.0.0.1:0"]));
    let mut client = Client::connect(&listening.address);
    listening.run.stdin.write_all(b"hello\n").unwrap();
    client.expect("hello\n");
    client.send("hi\nthere\n");
    assert_eq!(listening.run.line(), "hi\n");
    assert_eq!(listening.run.line(), "there\n");
    // There is no second one.
    TcpStream::connect(&listening.address).unwrap_err();
    listening.run.close_stdin();
    client.expect_end("");
    drop(client);
    assert_eq!(listening.wait(), (Some(0), Vec::new()));
}

#[test]
fn a_host_with_several_addresses_is_listened_on_at_each() {
    let addresses = ("localhost", 0).to_socket_addrs().unwrap().count();
    for chosen in 0..addresses {
        let listening = Listening::start(listen(&["-v", "localhost", "0"]));
        let mut all = vec![listening.address.clone()];
        while all.len() < addresses {
            all.push(address(&listening.errors.recv_timeout(DEADLINE).unwrap()));
        }
        let client = Client::connect(&all[chosen]);
        let peer = client.stream.local_addr().unwrap();
        let line = listening.errors.recv_timeout(DEADLINE).unwrap();
        assert_eq!(line, format!("capchat: connection from {peer}"));
        for address in &all {
            TcpStream::connect(address).unwrap_err();
        }
        drop(client);
        assert_eq!(listening.wait().0, Some(0));
    }
}

#[test]
fn a_conversation_is_recorded_from_the_server_s_side() {
    let chats = Chats::new();
    let args = ["127.0.0.1:0", "--lockstep", "--greeting", "--record", "t.chat"];
    let mut listening = Listening::start(listen(&args).current_dir(&chats.path(".")));
    listening.run.stdin.write_all(b"HI\nBYE\n").unwrap();
    listening.run.close_stdin();
    let mut client = Client::connect(&listening.address);
    client.send("hi\n");
    client.expect("HI\n");
    client.send("bye\n");
    client.expect("BYE\n");
    client.send("more\n");
    client.expect_end("");
    drop(client);
    assert_eq!(listening.wait(), (Some(0), Vec::new()));
    assert_eq!(chats.read("t.chat"), "C: hi\nS: HI\nC: bye\nS: BYE\nC: more\nS EOF\n");
}

#[test]
fn it_works_at_a_prompt() {
    let mut command = capchat();
    command.args(["connect", "-l", "127.0.0.1:0"]);
    let mut terminal = Terminal::with(command).start();
    terminal.wait_for("listening on 127.0.0.1:");
    let screen = terminal.screen();
    let line = screen.lines().find(|line| line.starts_with("listening on ")).unwrap();
    let mut client = Client::connect(&address(line));
    terminal.wait_for("enter your message:");
    terminal.type_keys("hello\r");
    client.expect("hello\n");
    client.send("hi\n");
    terminal.wait_for("\nhi\n");
    drop(client);
    let screen = terminal.expect_exit(0);
    assert!(screen.contains("closed the connection"), "{screen}");
}

/// `capchat connect --listen` on a Unix socket in a directory, with these options.
#[track_caller]
fn listen_in(directory: &Path, args: &[&str]) -> Listening {
    let listening = Listening::start(listen(&["./socket"]).args(args).current_dir(directory));
    assert_eq!(listening.address, "unix:./socket");
    assert!(fs::symlink_metadata(directory.join("socket")).is_ok());
    listening
}

#[test]
fn the_file_of_a_unix_socket_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let is_removed = || fs::symlink_metadata(folder.path().join("socket")).is_err();

    let mut listening = listen_in(folder.path(), &["-v"]);
    listening.run.close_stdin();
    let mut command = capchat();
    command.args(["connect", "./socket"]).current_dir(folder.path());
    Run::of(command).stdin("hi\n").run().succeeds_with("");
    assert_eq!(listening.run.line(), "hi\n");
    let (status, errors) = listening.wait();
    assert_eq!((status, errors[0].as_str()), (Some(0), "capchat: connection from unix:./socket"));
    assert!(is_removed());

    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)]
    {
        let listening = listen_in(folder.path(), &[]);
        listening.send_signal(signal);
        assert_eq!(listening.wait().0, Some(status));
        assert!(is_removed());
    }

    let listening = listen_in(folder.path(), &["--max-time", "200ms"]);
    let message = "capchat: timed out: not finished after 200ms (--max-time)".to_owned();
    assert_eq!(listening.wait(), (Some(124), vec![message]));
    assert!(is_removed());
}

#[test]
fn a_wait_for_a_client_can_be_ended() {
    let listening = Listening::start(listen(&["127.0.0.1:0"]));
    listening.send_signal(Signal::TERM);
    assert_eq!(listening.wait(), (None, Vec::new()));
    // The file that would have been replaced stays as it is.
    let chats = Chats::with("C: old\n");
    let args = ["127.0.0.1:0", "--record", "t.chat"];
    let listening = Listening::start(listen(&args).current_dir(&chats.path(".")));
    listening.send_signal(Signal::TERM);
    assert_eq!(listening.wait(), (Some(143), vec!["capchat: terminated".to_owned()]));
    assert_eq!((chats.names(), chats.read("t.chat")), (vec!["t.chat".to_owned()], "C: old\n".to_owned()));
    // Only the server's silence counts as a missing reply, and there is no server here yet.
    let listening = Listening::start(listen(&["127.0.0.1:0", "-w", "100ms", "--max-time", "600ms"]));
    assert_eq!(listening.wait().0, Some(124));
}

#[test]
fn an_address_in_use_is_an_error() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let run = listen(&[&address]).run();
    run.fails_with(1, &[&format!("capchat: could not listen on {address}: address already in use\n")]);
}

#[test]
fn options_of_dialing_are_usage_errors() {
    for (args, text) in [
        (&["--retry", "1s"][..], "--listen cannot be used with --retry"),
        (&["--connect-timeout", "1s"], "--listen cannot be used with --connect-timeout"),
    ] {
        listen(args).run().fails_with(2, &[text]);
    }
}
