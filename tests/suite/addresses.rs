//! Addresses in every form, from the command line to the socket.

use std::fs;
use std::process::Stdio;

use crate::support::custom_server::Nobody;
use crate::support::programs::{capchat, skipped};
use crate::support::run::Run;
use crate::support::server::TestServer;

/// A server listens on `address`, and a client reaches it in each of these forms, in the given directory.
#[track_caller]
fn meet(directory: &std::path::Path, address: &str, forms: &[&[&str]]) {
    let _server = TestServer::start_with(capchat().args(["serve", address]).current_dir(directory), 1);
    for form in forms {
        let mut command = capchat();
        command.arg("connect").args(*form).current_dir(directory);
        Run::of(command).stdin("hi\n").run().succeeds_with("HI\n");
    }
}

#[test]
fn a_path_is_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b:1").display().to_string();
    let forms: &[&[&str]] = &[&[&path], &["./a b:1"], &["unix:a b:1"]];
    meet(folder.path(), &path, forms);
    meet(folder.path(), "./a b:1", forms);
    fs::create_dir(folder.path().join("below")).unwrap();
    let mut command = capchat();
    command.args(["serve", "../a b:1"]).current_dir(folder.path().join("below"));
    assert_eq!(TestServer::start_with(&mut command, 1).address(), "unix:../a b:1");
}

#[test]
fn a_tcp_url_is_an_address() {
    let server = TestServer::start(&[]);
    let url = format!("tcp://{}", server.address());
    Run::connect(&url).stdin("hi\n").run().succeeds_with("HI\n");
    let run = Run::of(capchat()).args(&["connect", "tcp://127.0.0.1", &server.port().to_string()]);
    run.stdin("hi\n").run().succeeds_with("HI\n");
}

#[test]
fn a_service_has_a_port() {
    let services = fs::read_to_string("/etc/services").unwrap_or_default();
    if !services.contains("postgresql") {
        skipped("no postgresql in /etc/services");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // An address of its own, so that the port is free.
    meet(
        folder.path(),
        "127.0.0.77:postgresql",
        &[&["127.0.0.77", "postgresql"], &["127.0.0.77:postgresql"], &["127.0.0.77:5432"]],
    );
}

#[test]
fn a_likely_mistake_gets_a_hint() {
    let hint = "; for port 25 on ::1, use [::1]:25\n";
    Run::connect("::1:25").run().fails_with(1, &["could not connect to [::1:25]:5605: ", hint]);
    let serve = capchat().args(["serve", "::1:25"]).stderr(Stdio::piped()).output().unwrap();
    let errors = String::from_utf8(serve.stderr).unwrap();
    assert!(errors.starts_with("capchat: could not listen on [::1:25]:5605: "), "{errors}");
    assert!(errors.ends_with(hint), "{errors}");
    // Only a client without a server at the default address hears of `capchat serve`.
    let nobody = Nobody::new();
    let run = Run::connect(&nobody.address()).run();
    assert_eq!(
        run.errors(),
        format!("capchat: could not connect to {}: connection refused\n", nobody.address())
    );
}

#[test]
fn a_socket_path_has_a_limit() {
    let path = format!("/{}", "x".repeat(200));
    let reason = format!("unix:{path}: socket path too long\n");
    Run::connect(&path).run().fails_with(1, &[&format!("capchat: could not connect to {reason}")]);
    let run = Run::of(capchat()).args(&["serve", &path]).run();
    run.fails_with(1, &[&format!("capchat: could not listen on {reason}")]);
}
