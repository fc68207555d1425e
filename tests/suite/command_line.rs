//! The command line: usage errors, help, and the default address.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::support::programs::capchat;
use crate::support::server::TestServer;

/// The command fails with status 2, and one line on standard error that contains `text`.
#[track_caller]
fn expect_usage_error(command: &mut Command, text: &str) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{command:?}: {errors}");
    assert!(errors.starts_with("capchat: ") && errors.contains(text), "{command:?}: {errors}");
    assert_eq!(errors.matches('\n').count(), 1, "{command:?}: {errors}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{command:?}");
}

#[test]
fn a_usage_error_of_connect_is_one_line_and_status_2() {
    for (arguments, text) in [
        (&["65536"][..], "invalid port '65536' (expected a service name or 0-65535)"),
        (&["0"], "cannot connect to port 0"),
        (&["localhost:"], "missing port after ':' in 'localhost:'"),
        (&[""], "the address is empty"),
        (&["host:1", "2"], "unexpected port '2': 'host:1' already has one"),
        (&["-w", "5x"], "invalid value '5x' for --timeout: expected a duration such as 500ms, 10s, 5m or 2h"),
        (&["--retry", "soon"], "invalid value 'soon' for --retry: expected a duration"),
        (&["--eol", "lfcr"], "invalid value 'lfcr' for --eol (expected lf, crlf, cr or none)"),
        (&["--greeting"], "--greeting requires --lockstep"),
        (&["--gap", "1s"], "--gap requires --lockstep"),
        (&["--lockstep", "--gap", "0"], "invalid value '0' for --gap: must be longer than zero"),
        (&["--lockstep", "--gap", "1s", "-w", "1s"], "--timeout must be longer than --gap"),
        (&["--lockstep", "--until-eof"], "--lockstep cannot be used with --until-eof"),
        (&["-C", "--eol", "lf"], "--crlf cannot be used with --eol"),
        (&["-4", "-6"], "-4 cannot be used with -6"),
    ] {
        expect_usage_error(capchat().arg("connect").args(arguments), text);
    }
    expect_usage_error(capchat().args(["connect", "1:\n\x1b[31m2:x"]), "1:\\n\\u{1b}[31m2:x");

    let usage = capchat().output().unwrap();
    let text = String::from_utf8_lossy(&usage.stderr).into_owned();
    assert_eq!((usage.status.code(), usage.stdout.len()), (Some(2), 0), "{text}");
    assert!(text.contains("Usage: capchat <COMMAND>"), "{text}");
}

#[test]
fn the_environment_provides_the_default_address_of_connect() {
    let server = TestServer::start(&[]);
    let port = server.port().to_string();
    for (environment, arguments) in [
        (server.address(), &[][..]),
        (&format!("127.0.0.1 {port}"), &[]),
        (&format!(":{port}"), &["127.0.0.1"]),
        ("localhost:1", &[port.as_str()]),
        ("", &[port.as_str()]),
    ] {
        let mut command = capchat();
        command.env("CAPCHAT_ADDRESS", environment).arg("connect").args(arguments).arg("-4");
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{environment:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn help_on_a_full_disk_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output =
        capchat().arg("--help").stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output();
    assert_eq!(output.unwrap().status.code(), Some(1));
}

#[test]
fn a_usage_error_of_serve_is_one_line_and_status_2() {
    for (arguments, text) in [
        (&["65536"][..], "invalid port '65536' (expected a service name or 0-65535)"),
        (&["127.0.0.1:99999"], "invalid port '99999' (expected"),
        (&["localhost:"], "missing port after ':' in 'localhost:'"),
        (&[""], "the address is empty"),
        (&["unix:"], "missing path after 'unix:'"),
        (&["1:2:3"], "invalid address '1:2:3' (IPv6 with a port: [::1]:5605)"),
        (
            &["--idle-timeout", "5x"],
            "invalid value '5x' for --idle-timeout: expected a duration such as 500ms, 10s, 5m or 2h",
        ),
        (&["--idle-timeout", "0"], "must be longer than zero"),
        (&["--message-gap", "soon"], "invalid value 'soon' for --message-gap: expected a duration"),
        (&["--max-clients", "0"], "invalid value '0' for --max-clients: must be at least 1"),
        (&["--log-format", "xml"], "invalid value 'xml' for --log-format (expected text or json)"),
        (&["-4", "-6"], "-4 cannot be used with -6"),
        (&["--nonsense"], "unknown option '--nonsense'"),
    ] {
        expect_usage_error(capchat().arg("serve").args(arguments), text);
    }
}

#[test]
fn the_environment_provides_the_default_address_of_serve() {
    let mut command = capchat();
    command.env("CAPCHAT_ADDRESS", "127.0.0.3:0").arg("serve");
    assert!(TestServer::start_with(&mut command, 1).address().starts_with("127.0.0.3:"));
    let mut command = capchat();
    command.env("CAPCHAT_ADDRESS", "127.0.0.3 1").args(["serve", "0"]);
    assert!(TestServer::start_with(&mut command, 1).address().starts_with("127.0.0.3:"));
    let mut command = capchat();
    command.env("CAPCHAT_ADDRESS", "host:").arg("serve");
    expect_usage_error(&mut command, "capchat: CAPCHAT_ADDRESS: missing port after ':' in 'host:'\n");
}

/// What the system reports is said in words, without its numbers.
#[test]
fn a_failure_names_what_was_attempted_and_why_it_failed() {
    for (arguments, status, message) in [
        ("connect 127.0.0.1:1", 1, "could not connect to 127.0.0.1:1: connection refused"),
        ("connect /no/socket", 1, "could not connect to unix:/no/socket: no such file or directory"),
        ("connect x.invalid", 1, "could not connect to x.invalid:5605: unknown host"),
        ("connect --record /no/t 1", 1, "cannot create /no/t: no such file or directory"),
        ("connect --record / 1", 1, "cannot create /: not a regular file"),
        ("connect -l 192.0.2.1:80", 1, "could not listen on 192.0.2.1:80: cannot assign requested address"),
        ("serve 192.0.2.1:80", 1, "could not listen on 192.0.2.1:80: cannot assign requested address"),
        ("serve /no/socket", 1, "could not listen on unix:/no/socket: no such file or directory"),
        ("serve /etc/passwd", 1, "could not listen on unix:/etc/passwd: exists and is not a socket"),
        ("serve x.invalid", 1, "could not listen on x.invalid:5605: unknown host"),
        ("serve --play /no/t 0", 2, "cannot read /no/t: no such file or directory"),
        ("serve --play / 0", 2, "cannot read /: is a directory"),
        ("serve --record /proc/no 0", 1, "cannot create directory /proc/no: no such file or directory"),
        ("check /no/t", 2, "cannot read /no/t: no such file or directory"),
        ("check /dev/null", 2, "/dev/null: not a regular file"),
    ] {
        let output = capchat().args(arguments.split(' ')).stdin(Stdio::null()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(errors, format!("capchat: {message}\n"), "{arguments}");
        assert_eq!(output.status.code(), Some(status), "{arguments}");
    }
}
