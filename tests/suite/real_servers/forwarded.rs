//! Recordings that a forwarder makes of real clients with real servers: a mock server that plays one satisfies the same
//! client, which gets the same input and prints the same output.

use std::fs::{self, File};
use std::process::Command;

use super::several_clients::{start_ngircd, start_vsftpd};
use super::{Server, start_dovecot, start_exim, start_redis};
use crate::support::programs::is_missing;
use crate::support::server::TestServer;

struct Client<'a> {
    program: &'a str,
    /// `HOST` and `PORT` stand for those of the server.
    args: &'a [&'a str],
    input: &'a str,
    /// A line of the recording.
    recorded: &'a str,
}

impl Client<'_> {
    /// What the client of the server at this address prints.
    #[track_caller]
    fn run(&self, address: &str) -> String {
        let (host, port) = address.rsplit_once(':').unwrap();
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("input");
        fs::write(&input, self.input).unwrap();
        let output = Command::new("timeout")
            .args(["60", self.program])
            .args(self.args.iter().map(|arg| arg.replace("HOST", host).replace("PORT", port)))
            .stdin(File::open(input).unwrap())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {:?}: {errors}", self.program, self.args);
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Each client is satisfied by its recording, after `edit`, as it was by the server. Returns the recordings.
#[track_caller]
fn recordings_satisfy(server: &Server, clients: &[Client], edit: fn(&str) -> String) -> Vec<String> {
    let installed = clients.iter().filter(|client| !is_missing(client.program));
    installed.map(|client| recording_satisfies(server, client, edit)).collect()
}

#[track_caller]
fn recording_satisfies(server: &Server, client: &Client, edit: fn(&str) -> String) -> String {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap();
    let mut forwarder =
        TestServer::start(&["--forward", &server.address, "--record", directory, "--connections", "1"]);
    let output = client.run(forwarder.address());
    assert_eq!(forwarder.wait().code(), Some(0), "{:?}", forwarder.remaining_log());

    let mut files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let (Some(file), None) = (files.next(), files.next()) else { panic!("not exactly one recording") };
    let recording = fs::read_to_string(&file).unwrap();
    assert!(recording.lines().any(|line| line == client.recorded), "{}\n{recording}", client.recorded);
    let recording = edit(&recording);
    fs::write(&file, &recording).unwrap();

    let mut mock = TestServer::start(&["--play", file.to_str().unwrap(), "--connections", "1"]);
    assert_eq!(client.run(mock.address()), output, "{recording}");
    assert_eq!(mock.wait().code(), Some(0), "{:?}\n{recording}", mock.remaining_log());
    recording
}

#[test]
fn thousands_of_commands_of_redis_cli() {
    let Some(redis) = start_redis() else { return };
    let commands: Vec<String> =
        (1..=2750).map(|number| format!("SET key-{number} value-{number}\n")).collect();
    let input = commands.concat();
    let client = Client {
        program: "redis-cli",
        args: &["-h", "HOST", "-p", "PORT"],
        input: &input,
        recorded: "C: value-2750",
    };
    for recording in recordings_satisfy(&redis, &[client], str::to_owned) {
        let lines = recording.lines().count();
        assert!(lines >= 22_000, "{lines}");
    }
}

#[test]
fn clients_of_exim() {
    let Some(exim) = start_exim("") else { return };
    let curl = Client {
        program: "curl",
        args: &[
            "--silent",
            "--show-error",
            "--crlf",
            "--upload-file",
            "-",
            "--mail-from",
            "smith@bar.com",
            "--mail-rcpt",
            "jones@foo.com",
            "smtp://HOST:PORT/bar.com",
        ],
        input: "Subject: dots\n\n.hidden\n",
        recorded: "C: ..hidden",
    };
    let smtplib = Client {
        program: "python3",
        args: &[
            "-c",
            r#"
import smtplib
smtp = smtplib.SMTP("HOST", PORT, local_hostname="bar.com")
print(smtp.sendmail("smith@bar.com", ["jones@foo.com", "green@foo.com"], "Subject: dots\n\n.hidden\n"))
print(smtp.quit())
"#,
        ],
        input: "",
        recorded: "C: ..hidden",
    };
    recordings_satisfy(&exim, &[curl, smtplib], str::to_owned);
}

#[test]
fn clients_of_dovecot_with_pop3() {
    let Some(dovecot) = start_dovecot("pop3", "") else { return };
    let curl = Client {
        program: "curl",
        args: &["--silent", "--show-error", "pop3://mrose:tanstaaf@HOST:PORT/1"],
        input: "",
        recorded: "C: RETR 1",
    };
    let poplib = Client {
        program: "python3",
        args: &[
            "-c",
            r#"
import poplib
pop3 = poplib.POP3("HOST", PORT)
pop3.user("mrose")
pop3.pass_("tanstaaf")
print(pop3.stat(), pop3.uidl(), pop3.retr(1), pop3.quit())
"#,
        ],
        input: "",
        recorded: "S: ..hidden",
    };
    recordings_satisfy(&dovecot, &[curl, poplib], str::to_owned);
}

/// Puts a hole where imaplib's tags have letters that differ in each session.
fn with_any_tag(recording: &str) -> String {
    let (before, _) = recording.split_once(" CAPABILITY\n").unwrap();
    let (_, tag) = before.rsplit_once(": ").unwrap();
    let letters = tag.trim_end_matches('0');
    recording.replace(&format!(": {letters}"), r"\ \{letters}")
}

#[test]
fn clients_of_dovecot_with_imap() {
    let Some(dovecot) = start_dovecot("imap", "") else { return };
    let curl = Client {
        program: "curl",
        args: &["--silent", "--show-error", "imap://mrose:tanstaaf@HOST:PORT/INBOX;MAILINDEX=1"],
        input: "",
        recorded: "S: .hidden",
    };
    recordings_satisfy(&dovecot, &[curl], str::to_owned);
    let imaplib = Client {
        program: "python3",
        args: &[
            "-c",
            r#"
import imaplib
imap = imaplib.IMAP4("HOST", PORT)
imap.login("mrose", "tanstaaf")
print(imap.select("INBOX"), imap.fetch("1", "(FLAGS BODY[])"), imap.noop())
print(imap.logout())
"#,
        ],
        input: "",
        recorded: "S: .hidden",
    };
    recordings_satisfy(&dovecot, &[imaplib], with_any_tag);
}

#[test]
fn a_client_of_ngircd() {
    let Some(ngircd) = start_ngircd() else { return };
    let client = Client {
        program: "python3",
        args: &[
            "-c",
            r#"
import socket
stream = socket.create_connection(("HOST", PORT)).makefile("rw", newline="\r\n")
def ask(request, awaited):
    print(request, file=stream, flush=True)
    for line in stream:
        print(line)
        if awaited in line.split():
            return
    raise EOFError(awaited)
ask("NICK alice\nUSER alice 0 * :Alice", "376")
ask("JOIN #tea", "366")
ask("PRIVMSG #tea :hello\nPING here", "PONG")
ask("QUIT :bye", "ERROR")
"#,
        ],
        input: "",
        recorded: "C: PRIVMSG #tea :hello",
    };
    recordings_satisfy(&ngircd, &[client], str::to_owned);
}

#[test]
fn the_control_connection_of_curl_with_vsftpd() {
    let Some(vsftpd) = start_vsftpd() else { return };
    let curl = Client {
        program: "curl",
        args: &["--silent", "--show-error", "--head", "ftp://HOST:PORT/hello.txt"],
        input: "",
        recorded: "C: SIZE hello.txt",
    };
    recordings_satisfy(&vsftpd, &[curl], str::to_owned);
}
