//! Help: what `-h` and `--help` show, and that `-h` fits on a screen.

use std::process::Stdio;

use crate::support::programs::capchat;

/// The help that these arguments print.
#[track_caller]
fn help(arguments: &[&str]) -> String {
    let output = capchat().args(arguments).stdin(Stdio::null()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn fits(text: &str, width: usize, height: usize) {
    for line in text.lines() {
        assert!(line.chars().count() <= width, "more than {width} columns: {line}");
    }
    assert!(text.lines().count() <= height, "more than {height} lines:\n{text}");
}

/// The headings, and how many lines are below each.
fn sections(text: &str) -> Vec<(&str, usize)> {
    let mut sections = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(heading) = line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            sections.push((heading, 0));
        } else if let Some((_, lines)) = sections.last_mut() {
            *lines += 1;
        }
    }
    sections
}

#[test]
fn short_help_has_a_line_per_option_and_fits_on_a_screen() {
    for (command, headings) in [
        (
            "serve",
            &["Arguments", "Connection", "TLS", "Limits", "Replies", "Transcripts", "Logging", "Help"][..],
        ),
        (
            "connect",
            &[
                "Arguments",
                "Connection",
                "TLS",
                "Limits",
                "Sending",
                "Prompt",
                "Transcripts",
                "Output",
                "Help",
            ],
        ),
        ("check", &["Arguments", "Connection", "TLS", "Limits", "Transcripts", "Output", "Help"]),
    ] {
        let text = help(&[command, "-h"]);
        fits(&text, 80, 60);
        let found: Vec<_> = sections(&text).into_iter().map(|(heading, _)| heading).collect();
        let is_built = |heading: &&str| cfg!(feature = "tls") || *heading != "TLS";
        let headings: Vec<_> = headings.iter().copied().filter(is_built).collect();
        assert_eq!(found, headings, "{text}");
        for line in text.lines().filter(|line| line.starts_with(' ')) {
            let words = line.trim_start();
            assert!(words.starts_with(['-', '[', '<']), "not one line per option: {line}");
            let (_, meaning) = words.split_once("  ").unwrap();
            assert!(meaning.trim_start().starts_with(char::is_uppercase), "{line}");
        }
    }
    fits(&help(&["-h"]), 80, 24);
}

#[test]
fn long_help_ends_with_examples_the_environment_and_statuses() {
    for (command, ends) in [
        ("serve", &["Examples", "Environment", "Exit status"][..]),
        ("connect", &["Examples", "Keys at the prompt", "Environment", "Exit status"]),
        ("check", &["Examples", "Environment", "Exit status, the first that applies"]),
    ] {
        let text = help(&[command, "--help"]);
        fits(&text, 80, usize::MAX);
        let found: Vec<_> = sections(&text).into_iter().map(|(heading, _)| heading).collect();
        assert!(found.ends_with(ends), "{found:?}");
        let examples = text.split("\nExamples:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let is_title = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
        assert_eq!(examples.lines().filter(is_title).count(), 3, "{examples}");
        assert_eq!(text, help(&["help", command]));
    }
    let text = help(&["connect", "--help"]);
    for key in ["Ctrl-D", "Ctrl-C", "Ctrl-R", "Ctrl-Z", "Ctrl-V", "Tab"] {
        assert!(text.contains(&format!("\n  {key} ")), "no {key} in {text}");
    }
}

#[test]
fn a_wide_terminal_does_not_widen_it() {
    let output = capchat().args(["connect", "--help"]).env("COLUMNS", "200").output().unwrap();
    fits(&String::from_utf8(output.stdout).unwrap(), 80, usize::MAX);
}

#[test]
fn help_is_shown_as_asked() {
    assert_eq!(help(&["help"]), help(&["--help"]));
    assert!(help(&["--version"]).starts_with("capchat 0."));
    // Without arguments it is a usage error.
    let output = capchat().stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
    assert!(errors.contains("Usage: capchat <COMMAND>\n"), "{errors}");
}
