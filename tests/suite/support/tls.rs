//! Certificates, made by openssl, and peers that speak TLS and are not capchat.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;

use super::chats::Chats;
use super::programs::is_missing;
use super::run::Run;
use super::wait::{DEADLINE, lines_of};

/// A directory of certificates: `ca.pem` issued `localhost.pem` and `client.pem`; `self.pem` and `expired.pem`
/// issued themselves. The key of each is in `.key`.
pub(crate) struct Certificates(Chats);

impl Certificates {
    /// `None` if there is no openssl; says then that the test is skipped.
    #[track_caller]
    pub(crate) fn new() -> Option<Self> {
        if is_missing("openssl") {
            return None;
        }
        let certificates = Self(Chats::new());
        certificates.issue("ca", "capchat test CA", &[]);
        certificates.issue("self", "localhost", &["-addext", LOCALHOST]);
        let server = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", NO_AUTHORITY, "-addext", LOCALHOST];
        certificates.issue("localhost", "server", &server);
        certificates.issue("expired", "expired", &["-addext", LOCALHOST]);
        let expire = ["x509", "-in", "expired.pem", "-signkey", "expired.key", "-days", "-1"];
        certificates.run(Command::new("openssl").args(expire).args(["-out", "expired.pem"]));
        let client = &server[..6];
        certificates.issue(
            "client",
            "client",
            &[client, &["-addext", "extendedKeyUsage=clientAuth"]].concat(),
        );
        Some(certificates)
    }

    /// Issues a certificate. It is self-signed unless the options say otherwise.
    #[track_caller]
    fn issue(&self, name: &str, subject: &str, options: &[&str]) {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        openssl
            .args(["-subj", &format!("/CN={subject}"), "-keyout", &key, "-out", &certificate])
            .args(options);
        self.run(&mut openssl);
    }

    /// Runs openssl(1) in the directory.
    #[track_caller]
    pub(crate) fn run(&self, openssl: &mut Command) {
        let output = openssl.current_dir(self.0.path(".")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path(name).into_os_string().into_string().unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        self.0.write(name, text);
    }

    /// A TLS client in the directory.
    pub(crate) fn client(&self, address: &str) -> Run {
        self.0.connect(address).args(&["--tls"])
    }

    /// The same, and it trusts `ca.pem`.
    pub(crate) fn connect(&self, address: &str) -> Run {
        self.client(address).args(&["--cacert", "ca.pem"])
    }

    /// A server in Python that runs `serve` for each connection, a function body in which `raw` is the socket and
    /// `tls(raw)` makes the handshake. `None` if there is no Python.
    #[track_caller]
    pub(crate) fn python_server(&self, serve: &str) -> Option<Peer> {
        if is_missing("python3") {
            return None;
        }
        let script = PYTHON_SERVER.replace("BODY", &serve.trim().replace('\n', "\n    "));
        let mut python = Command::new("python3");
        python.args(["-c", &script]).current_dir(self.0.path("."));
        Some(Peer::start(&mut python, |line| Some(line.to_owned())))
    }

    /// `openssl s_server` with more options. It waits for the end of its input only if that is part of them.
    #[track_caller]
    pub(crate) fn openssl_server(&self, options: &[&str]) -> Peer {
        let mut openssl = Command::new("openssl");
        openssl.args([
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-cert",
            "localhost.pem",
            "-key",
            "localhost.key",
        ]);
        openssl.args(options).current_dir(self.0.path("."));
        Peer::start(&mut openssl, |line| line.strip_prefix("ACCEPT ").map(str::to_owned))
    }
}

const LOCALHOST: &str = "subjectAltName=DNS:localhost,IP:127.0.0.1";
const NO_AUTHORITY: &str = "basicConstraints=critical,CA:FALSE";

const PYTHON_SERVER: &str = "
import os, socket, ssl, time

def tls(raw, name='localhost', **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(name + '.pem', name + '.key')
    for name, value in options.items():
        setattr(context, name, value)
    return context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False)

def serve(raw):
    BODY

server = socket.create_server(('127.0.0.1', 0))
print('127.0.0.1:%d' % server.getsockname()[1], flush=True)
while True:
    raw, _ = server.accept()
    try:
        serve(raw)
    except (OSError, ssl.SSLError) as error:
        print(repr(error), flush=True)
    raw.close()
";

/// A server that is not capchat, killed when it is dropped.
pub(crate) struct Peer {
    child: Child,
    pub(crate) address: String,
    /// What it prints.
    pub(crate) output: Receiver<String>,
}

impl Peer {
    /// Starts it, and waits until a line on its standard output has its address.
    #[track_caller]
    fn start(command: &mut Command, address: impl Fn(&str) -> Option<String>) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = piped.spawn().unwrap();
        let output = lines_of(child.stdout.take().unwrap());
        let address = loop {
            let line = output.recv_timeout(DEADLINE).expect("the address of a peer");
            if let Some(address) = address(&line) {
                break address;
            }
        };
        Self { child, address, output }
    }

    /// The next line that it prints that contains `text`.
    #[track_caller]
    pub(crate) fn line_with(&self, text: &str) -> String {
        loop {
            let line = self.output.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("no line with {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
