//! TLS: clients, servers, certificates, and the end of a connection.

use std::io::{Read, Write};
use std::process::Command;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::client::Client;
use crate::support::custom_server::custom_server;
use crate::support::data::random_bytes;
use crate::support::programs::{capchat, is_missing};
use crate::support::run::Run;
use crate::support::server::TestServer;
use crate::support::tls::Certificates;
use crate::support::wait::{DEADLINE, lines_of, wait_for_exit};

/// Reads to the end, and replies with what it has read.
const ECHO_AT_END: &str = "
c = tls(raw)
received = b''
while part := c.recv(65536):
    received += part
c.sendall(received)
c.unwrap()
";

#[test]
fn a_pipe_goes_through_tls_in_each_version() {
    let Some(certificates) = Certificates::new() else { return };
    for version in ["-tls1_2", "-tls1_3"] {
        let server = certificates.openssl_server(&[version, "-rev"]);
        let run = certificates.connect(&server.address).args(&["--lockstep"]).stdin("one\ntwo\n").run();
        assert_eq!(run.report(), "eno\nowt\n", "{version}: {}", run.errors());
    }
}

#[test]
fn replies_are_read_after_the_end_of_input() {
    let Some(certificates) = Certificates::new() else { return };
    let Some(server) = certificates.python_server(ECHO_AT_END) else { return };
    let bytes = random_bytes(3_000_000);
    certificates.connect(&server.address).stdin(&bytes).run().succeeds_with(&bytes);
}

#[test]
fn a_server_must_be_trusted_and_be_the_one_that_was_meant() {
    let Some(certificates) = Certificates::new() else { return };
    let Some(server) = certificates.python_server(ECHO_AT_END) else { return };
    let port = server.address.rsplit_once(':').unwrap().1;
    let connect = |options: &[&str]| {
        let mut command = capchat();
        command.args(["connect", "--tls"]).args(options).current_dir(certificates.path("."));
        Run::of(command).stdin("hi\n").run()
    };
    let (by_name, by_address) = (format!("localhost:{port}"), &server.address);
    connect(&["--cacert", "ca.pem", &by_name]).succeeds_with("hi\n");
    connect(&["--cacert", "ca.pem", by_address]).succeeds_with("hi\n");
    connect(&["--cacert", "localhost.pem", by_address]).succeeds_with("hi\n");
    connect(&["-k", "--server-name", "any.example", by_address]).succeeds_with("hi\n");
    let failed = "could not connect to 127.0.0.1:";
    for (options, reason) in [
        (
            &["--cacert", "ca.pem", "--server-name", "other.example"][..],
            "certificate is for localhost, 127.0.0.1, not for other.example",
        ),
        (&["--cacert", "self.pem"], "certificate is from an unknown issuer"),
        (&[], "certificate is from an unknown issuer"),
    ] {
        let run = connect(&[options, &[by_address]].concat());
        run.fails_with(1, &[failed, &format!(": TLS failed: {reason}\n")]);
    }
}

#[test]
fn a_certificate_may_be_at_fault_by_itself() {
    let Some(certificates) = Certificates::new() else { return };
    for (own, trusted, reason) in [
        ("expired", "expired", Some("expired")),
        ("self", "ca", Some("self-signed")),
        ("self", "self", None),
        ("client", "ca", Some("not for this purpose")),
    ] {
        let serve = ECHO_AT_END.replace("tls(raw)", &format!("tls(raw, '{own}')"));
        let Some(server) = certificates.python_server(&serve) else { return };
        let trusted = format!("{trusted}.pem");
        let run = certificates.client(&server.address).args(&["--cacert", &trusted]).stdin("hi\n").run();
        match reason {
            Some(reason) => run.fails_with(1, &[&format!("TLS failed: certificate is {reason}\n")]),
            None => run.succeeds_with("hi\n"),
        }
    }
}

#[test]
fn files_that_cannot_be_used_are_usage_errors() {
    let Some(certificates) = Certificates::new() else { return };
    certificates.write("text.pem", "This is not PEM.\n");
    certificates.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let encrypt = ["ec", "-in", "client.key", "-aes128", "-passout", "pass:secret", "-out", "old.key"];
    certificates.run(Command::new("openssl").args(encrypt));
    let encrypt = ["pkey", "-in", "client.key", "-aes128", "-passout", "pass:secret", "-out", "new.key"];
    certificates.run(Command::new("openssl").args(encrypt));
    let encrypted = "the private key is encrypted; decrypt it with 'openssl pkey'";
    for (options, expected) in [
        (&["--cacert", "none.pem"][..], "cannot read none.pem: no such file or directory"),
        (&["--cacert", "."], "cannot read .: is a directory"),
        (&["--cacert", "text.pem"], "text.pem: no certificate in PEM format"),
        (&["--cacert", "client.key"], "client.key: no certificate in PEM format"),
        (&["--cacert", "broken.pem"], "broken.pem: "),
        (&["--cert", "broken.pem", "--key", "client.key"], "broken.pem: "),
        (&["--cert", "client.pem"], "client.pem: no private key in PEM format"),
        (&["--cert", "client.pem", "--key", "none.key"], "cannot read none.key: no such file or directory"),
        (&["--cert", "client.pem", "--key", "text.pem"], "text.pem: no private key in PEM format"),
        (&["--cert", "client.pem", "--key", "old.key"], &format!("old.key: {encrypted}")),
        (&["--cert", "client.pem", "--key", "new.key"], &format!("new.key: {encrypted}")),
        (
            &["--cert", "client.pem", "--key", "self.key"],
            "the private key in self.key is not that of the certificate in client.pem",
        ),
    ] {
        let run = certificates.client("127.0.0.1:1").args(options).run();
        run.fails_with(2, &[&format!("capchat: {expected}")]);
    }
}

#[test]
fn options_need_tls_and_a_name() {
    for (options, expected) in [
        (&["-k", "localhost"][..], "--insecure requires --tls"),
        (&["--cacert", "x", "localhost"], "--cacert requires --tls"),
        (&["--cert", "x", "localhost"], "--cert requires --tls"),
        (&["--key", "x", "localhost"], "--key requires --tls"),
        (&["--server-name", "x", "localhost"], "--server-name requires --tls"),
        (&["--tls", "--key", "x", "localhost"], "--key requires --cert"),
        (&["--tls", "-k", "--cacert", "x", "localhost"], "--insecure cannot be used with --cacert"),
        (&["--tls", "./socket"], "TLS on a Unix socket requires --server-name"),
        (&["--tls", "a b:1"], "'a b' cannot be in a certificate; use --server-name"),
        (&["-l", "--tls", "-k"], "--insecure cannot be used with --listen"),
        (&["-l", "--tls", "--cacert", "x"], "--cacert cannot be used with --listen"),
        (&["-l", "--tls", "--server-name", "x"], "--server-name cannot be used with --listen"),
    ] {
        let mut command = capchat();
        command.arg("connect").args(options);
        Run::of(command).run().fails_with(2, &[&format!("capchat: {expected}\n")]);
    }
}

#[test]
fn a_client_can_have_a_certificate() {
    let Some(certificates) = Certificates::new() else { return };
    for version in ["-tls1_2", "-tls1_3"] {
        let options = [version, "-rev", "-Verify", "1", "-CAfile", "ca.pem", "-verify_return_error"];
        let server = certificates.openssl_server(&options);
        let own = ["--lockstep", "--cert", "client.pem", "--key", "client.key"];
        certificates.connect(&server.address).args(&own).stdin("abc\n").run().reports(0, &["cba\n"]);
        let none = certificates.connect(&server.address).args(&["--lockstep"]).stdin("abc\n").run();
        none.fails_with(1, &["TLS failed: the peer "]);
        let other = ["--lockstep", "--cert", "self.pem", "--key", "self.key"];
        let other = certificates.connect(&server.address).args(&other).stdin("abc\n").run();
        other.fails_with(1, &["TLS failed: the peer "]);
    }
}

#[test]
fn a_cut_is_not_the_end() {
    let Some(certificates) = Certificates::new() else { return };
    let cut = "
c = tls(raw)
c.recv(100)
c.sendall(b'some')
# This is FIN alone.
c.shutdown(socket.SHUT_WR)
c.recv(100)
";
    let Some(server) = certificates.python_server(cut) else { return };
    for options in [&[][..], &["--lockstep"]] {
        let run = certificates.connect(&server.address).args(options).stdin("hi\n").run();
        let expected = format!("capchat: {}: TLS connection cut (no close_notify)\n", server.address);
        run.fails_with(1, &[&expected]);
        assert_eq!(run.report(), "some", "{options:?}");
    }
}

#[test]
fn the_end_is_announced_however_the_client_ends() {
    let Some(certificates) = Certificates::new() else { return };
    let observe = "
c = tls(raw)
c.sendall(b'hello\\n')
while part := c.recv(100):
    pass
print('orderly end', flush=True)
c.unwrap()
";
    let Some(server) = certificates.python_server(observe) else { return };
    // At the end of input.
    certificates.connect(&server.address).stdin("hi\n").run().succeeds_with("hello\n");
    server.line_with("orderly end");
    // By a signal.
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut client = certificates.connect(&server.address).start();
        assert_eq!(client.line(), "hello\n");
        kill_process(Pid::from_child(&client.child), signal).unwrap();
        server.line_with("orderly end");
        assert_eq!(client.wait().0, Some(128 + signal.as_raw()));
    }
    // At a time limit.
    let run = certificates.connect(&server.address).args(&["--max-time", "300ms"]).start();
    server.line_with("orderly end");
    assert_eq!(run.wait().0, Some(124));
    // When nobody reads.
    let mut client = certificates.connect(&server.address).start();
    assert_eq!(client.line(), "hello\n");
    client.close_stdout();
    server.line_with("orderly end");
    assert_eq!(client.wait().0, Some(0));
}

#[test]
fn in_tls_1_2_the_end_of_the_server_ends_the_upload() {
    let Some(certificates) = Certificates::new() else { return };
    let serve = "
c = tls(raw, maximum_version=ssl.TLSVersion.TLSv1_2)
c.sendall(b'bye\\n')
c.unwrap()
";
    let Some(server) = certificates.python_server(serve) else { return };
    certificates.connect(&server.address).run().succeeds_with("bye\n");
    let mut client = certificates.connect(&server.address).args(&["--until-eof"]).start();
    assert_eq!(client.line(), "bye\n");
    // Standard output is closed once the server's end is known.
    assert_eq!(client.line(), "");
    client.stdin.write_all(b"more\n").unwrap();
    let (status, errors) = client.wait();
    assert_eq!(status, Some(3), "{errors}");
    assert!(errors.ends_with("closed the connection before all input was sent\n"), "{errors}");
}

#[test]
fn a_client_that_listens_is_a_server() {
    let Some(certificates) = Certificates::new() else { return };
    let bytes = random_bytes(3_000_000);
    let own = ["--cert", "localhost.pem", "--key", "localhost.key"];
    // The listener's end comes first: in TLS 1.3, the upload goes on.
    let mut command = capchat();
    command.args(["connect", "-l", "--tls", "127.0.0.1:0"]).args(own).current_dir(certificates.path("."));
    let mut listener = Run::of(command).start();
    let errors = lines_of(listener.child.stderr.take().unwrap());
    let address = errors.recv_timeout(DEADLINE).unwrap().strip_prefix("listening on ").unwrap().to_owned();
    listener.close_stdin();
    let client = certificates.connect(&address).args(&["--until-eof"]).stdin(&bytes);
    let client = thread::spawn(move || client.run().succeeds_with(""));
    let mut received = Vec::new();
    listener.stdout.read_to_end(&mut received).unwrap();
    assert!(received == bytes, "{} bytes", received.len());
    client.join().unwrap();
    assert_eq!(wait_for_exit(&mut listener.child).code(), Some(0));
    assert_eq!(errors.iter().count(), 0);
}

#[test]
fn a_server_without_tls_is_recognized() {
    let connect = |address: &str| {
        Run::connect(address).args(&["--tls", "-k", "--connect-timeout", "2s"]).stdin("hi\n").run()
    };
    let greeting = custom_server(|mut stream| {
        let _ = stream.write_all(b"220 ready\r\n");
        let _ = stream.read(&mut [0; 1000]);
    });
    // Its replies are the client's own words, unchanged or in capitals.
    let echo = custom_server(|mut stream| drop(std::io::copy(&mut stream.try_clone().unwrap(), &mut stream)));
    let capitals = TestServer::start(&["-q"]);
    for address in [&greeting, &echo, capitals.address()] {
        connect(address)
            .fails_with(1, &["could not connect to ", "TLS failed: the peer does not speak TLS\n"]);
    }
    let close = custom_server(|mut stream| drop(stream.read(&mut [0; 1000])));
    connect(&close).fails_with(1, &["TLS failed: connection closed during the handshake\n"]);
    // Held open by its thread.
    let silent = custom_server(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    connect(&silent).fails_with(1, &["TLS handshake not finished within 2s\n"]);
}

#[test]
fn a_record_that_was_changed_is_an_error() {
    let Some(certificates) = Certificates::new() else { return };
    let corrupt = "
c = tls(raw)
c.sendall(b'good\\n')
time.sleep(0.05)
os.write(c.fileno(), b'\\x17\\x03\\x03\\x00\\x20' + bytes(32))
c.recv(100)
";
    let Some(server) = certificates.python_server(corrupt) else { return };
    let run = certificates.connect(&server.address).stdin("").run();
    run.fails_with(1, &[&format!("{}: TLS failed: a record could not be decrypted\n", server.address)]);
    assert_eq!(run.report(), "good\n");
}

/// A server with `localhost.pem`.
#[track_caller]
fn serve(certificates: &Certificates, options: &[&str]) -> TestServer {
    let own = ["--tls", "--cert", "localhost.pem", "--key", "localhost.key"];
    let mut command = capchat();
    command.arg("serve").args(own).args(options).arg("127.0.0.1:0").current_dir(certificates.path("."));
    TestServer::start_with(&mut command, 1)
}

#[test]
fn a_server_replies_to_other_programs() {
    let Some(certificates) = Certificates::new() else { return };
    let server = serve(&certificates, &[]);
    let address = server.address();
    let ncat = format!("ncat --ssl --ssl-verify --ssl-trustfile ca.pem localhost {}", server.port());
    let socat = format!("socat -t 5 - OPENSSL:{address},cafile=ca.pem");
    let openssl = format!("openssl s_client -quiet -verify_return_error -CAfile ca.pem -connect {address}");
    let python = "
import socket, ssl, sys
context = ssl.create_default_context(cafile='ca.pem')
raw = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
c = context.wrap_socket(raw, server_hostname='localhost', suppress_ragged_eofs=False)
c.sendall(sys.stdin.buffer.read())
while part := c.recv(100):
    sys.stdout.buffer.write(part)
c.unwrap()
";
    let python = format!("python3 -c \"{python}\" {}", server.port());
    for (program, command) in [
        ("openssl", format!("{openssl} -tls1_2 2>/dev/null")),
        ("openssl", format!("{openssl} -tls1_3 2>/dev/null")),
        ("ncat", ncat),
        ("socat", socat),
        ("python3", python),
    ] {
        if is_missing(program) {
            continue;
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).current_dir(certificates.path("."));
        let run = Run::of(shell).stdin("stra\u{df}e\nCLOSE SOCKET\n").run();
        assert_eq!(run.report(), "STRASSE\n", "{command}: {}", run.errors());
        assert!(server.log_line().ends_with(" connected"));
        let line = server.log_line();
        assert!(line.contains(" disconnected (CLOSE SOCKET): 1 message"), "{command}: {line}");
    }
}

#[test]
fn a_server_may_require_certificates() {
    let Some(certificates) = Certificates::new() else { return };
    let server = serve(&certificates, &["--client-ca", "ca.pem"]);
    let own = ["--cert", "client.pem", "--key", "client.key"];
    certificates.connect(server.address()).args(&own).stdin("hi\n").run().succeeds_with("HI\n");
    server.log_line_with("disconnected");
    certificates.connect(server.address()).stdin("hi\n").run().fails_with(1, &["TLS failed: the peer says "]);
    assert!(server.log_line().ends_with(": TLS failed: the peer sent no certificate"));
    let other = ["--cert", "self.pem", "--key", "self.key"];
    let run = certificates.connect(server.address()).args(&other).stdin("hi\n").run();
    run.fails_with(1, &["TLS failed: the peer says "]);
    assert!(server.log_line().contains(": TLS failed: "));
}

#[test]
fn a_server_can_make_its_certificate() {
    let server = TestServer::start(&["--tls"]);
    let line = server.log_line();
    let fingerprint = line.strip_prefix("certificate SHA-256 fingerprint ").expect("a fingerprint");
    Run::connect(server.address()).args(&["--tls", "-k"]).stdin("hi\n").run().succeeds_with("HI\n");
    if is_missing("openssl") {
        return;
    }
    let command = format!(
        "openssl s_client -connect {} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256",
        server.address()
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]);
    let expected = format!("sha256 Fingerprint={fingerprint}\n");
    assert_eq!(Run::of(shell).run().report(), expected);
}

#[test]
fn a_large_text_goes_through_a_server_byte_for_byte() {
    let server = TestServer::start(&["--tls"]);
    let text = "The quick brown fox jumps over the lazy dog.\n".repeat(200_000);
    let run = Run::connect(server.address()).args(&["--tls", "-k"]).stdin(&text).run();
    run.succeeds_with(text.to_uppercase());
}

#[test]
fn clients_that_fail_do_not_disturb_others() {
    let Some(certificates) = Certificates::new() else { return };
    let server = serve(&certificates, &["--max-clients", "9", "--max-connection-time", "5s"]);
    let mut good = certificates.connect(server.address()).start();
    good.stdin.write_all(b"first\n").unwrap();
    assert_eq!(good.line(), "FIRST\n");
    // Without TLS.
    let mut plain = Client::connect(server.address());
    plain.send("hello\n");
    assert!(server.log_line_with("TLS").ends_with(": TLS failed: the peer does not speak TLS"));
    // In the middle of a handshake: gone, reset, silent.
    Client::connect(server.address()).send([0x16, 3, 1, 2, 0, 1]);
    server.log_line_with(": TLS failed: connection closed during the handshake");
    let mut reset = Client::connect(server.address());
    reset.send([0x16, 3, 1, 2, 0, 1]);
    reset.reset();
    server.log_line_with(": TLS failed: connection reset by peer");
    let mut silent: Vec<_> = (0..7).map(|_| Client::connect(server.address())).collect();
    // There is a place again once they ran into the limit.
    for _ in 0..7 {
        server.log_line_with(": TLS handshake not finished within 5s");
    }
    certificates.connect(server.address()).stdin("last\n").run().succeeds_with("LAST\n");
    silent.clear();
}

#[test]
fn an_unfinished_message_that_is_cut_has_no_reply() {
    let Some(certificates) = Certificates::new() else { return };
    if is_missing("python3") {
        return;
    }
    let server = serve(&certificates, &["--message-gap", "never"]);
    let script = "
import os, socket, ssl, sys
context = ssl.create_default_context(cafile='ca.pem')
raw = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
c = context.wrap_socket(raw, server_hostname='localhost')
c.sendall(b'one\\ntw')
print(c.recv(100))
c.shutdown(socket.SHUT_WR)
";
    let mut python = Command::new("python3");
    python.args(["-c", script, &server.port().to_string()]).current_dir(certificates.path("."));
    Run::of(python).run().succeeds_with("b'ONE\\n'\n");
    let line = server.log_line_with("disconnected");
    assert!(line.contains("(TLS connection cut, no close_notify): 1 message, 6 B in, 4 B out"), "{line}");
}

#[test]
fn a_tls_client_of_a_server_without_tls_is_logged() {
    let server = TestServer::start(&[]);
    let run = Run::connect(server.address()).args(&["--tls", "-k"]).stdin("hi\n").run();
    run.fails_with(1, &["could not connect to ", "TLS failed: "]);
    server.log_line_with("connected");
    assert!(server.log_line().ends_with(" speaks TLS, and this server does not (see --tls)"));
}

#[test]
fn three_hundred_clients_are_served_at_a_time() {
    let Some(certificates) = Certificates::new() else { return };
    if is_missing("python3") {
        return;
    }
    let server = serve(&certificates, &["-q"]);
    let script = "
import socket, ssl, sys
context = ssl.create_default_context(cafile='ca.pem')
def client():
    raw = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    return context.wrap_socket(raw, server_hostname='localhost')
clients = [client() for _ in range(300)]
for number, c in enumerate(clients):
    c.sendall(b'client %d\\n' % number)
print(all(c.recv(100) == b'CLIENT %d\\n' % number for number, c in enumerate(clients)))
";
    let mut python = Command::new("python3");
    python.args(["-c", script, &server.port().to_string()]).current_dir(certificates.path("."));
    Run::of(python).run().succeeds_with("True\n");
}
