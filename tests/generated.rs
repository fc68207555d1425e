//! The committed man pages and shell completions match the command line's definitions. `scripts/generate` runs this
//! test to write them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::env;
use std::fs;
use std::path::Path;

use clap::builder::PossibleValue;
use clap::{Arg, Command, CommandFactory};
use clap_complete::Shell;

use capchat::cli::Cli;

/// If set, the tests write the files instead of comparing them.
const GENERATE: &str = "CAPCHAT_GENERATE";

/// Compares `content` with the committed file, or writes it.
#[track_caller]
fn is_committed(path: &str, content: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os(GENERATE).is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        return;
    }
    let committed = fs::read(&path).unwrap_or_default();
    assert!(committed == content, "{} is out of date: run scripts/generate", path.display());
}

/// The options of a command as items of an mdoc(7) list, with the text of `--help`.
fn options(command: &Command) -> String {
    command
        .get_arguments()
        .map(|option| format!(".It {}\n{}", names(option), meaning(option)))
        .collect::<Vec<_>>()
        .join("\n")
}

fn names(option: &Arg) -> String {
    let short = option.get_short().map(|short| format!("Fl {short}"));
    let long = option.get_long().map(|long| format!("Fl -{long}"));
    let value = option.get_value_names().filter(|_| option.get_action().takes_values());
    let value = value.map_or(String::new(), |names| format!("Ar {}", names.join(" ")));
    let names = short.into_iter().chain(long).collect::<Vec<_>>().join(" , ");
    if names.is_empty() { value } else { format!("{names} {value}").trim_end().to_owned() }
}

fn meaning(option: &Arg) -> String {
    let text = option.get_long_help().or(option.get_help()).unwrap().to_string();
    let mut meaning = text.split("\n\n").map(mdoc).collect::<Vec<_>>().join("\n.Pp\n");
    if option.get_action().takes_values() {
        let defaults = option.get_default_values().iter().map(|value| value.to_string_lossy());
        let default = defaults.collect::<Vec<_>>().join(" ");
        if !default.is_empty() && !option.is_hide_default_value_set() {
            let quote = if default.contains(' ') { "\"" } else { "" };
            meaning += &mdoc(&format!("\n[default: {quote}{default}{quote}]"));
        }
        let possible = option.get_possible_values();
        if !possible.is_empty() {
            let possible: Vec<_> = possible.iter().map(PossibleValue::get_name).collect();
            meaning += &mdoc(&format!("\n[possible values: {}]", possible.join(", ")));
        }
    }
    meaning
}

/// A paragraph as mdoc(7): each sentence starts on a new line, and nothing in it is a request or an escape.
fn mdoc(paragraph: &str) -> String {
    let text =
        paragraph.replace('\\', "\\e").replace("--", "\\-\\-").replace('"', "\\[dq]").replace(". ", ".\n");
    let lines = text.split('\n').map(|line| match line.chars().next() {
        Some('.' | '\'') => format!("\\&{line}"),
        _ => line.to_owned(),
    });
    let end = if text.ends_with(['.', ']']) { "" } else { "." };
    lines.collect::<Vec<_>>().join("\n") + end
}

/// A man page is a template, written by hand, with the options from the command line's definitions filled in.
#[track_caller]
fn man_page_is_committed(page: &str, command: &Command) {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scripts/man/{page}.in"));
    let template = fs::read_to_string(template).unwrap();
    let content =
        template.replace("@VERSION@", env!("CARGO_PKG_VERSION")).replace("@OPTIONS@", &options(command));
    is_committed(&format!("man/{page}"), content.as_bytes());
}

#[test]
fn man_pages() {
    let mut cli = Cli::command();
    cli.build();
    man_page_is_committed("capchat.1", &cli);
    man_page_is_committed("capchat-transcript.5", &cli);
    for subcommand in cli.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        man_page_is_committed(&format!("capchat-{}.1", subcommand.get_name()), subcommand);
    }
}

#[test]
fn completions() {
    for (shell, file) in
        [(Shell::Bash, "capchat.bash"), (Shell::Zsh, "_capchat"), (Shell::Fish, "capchat.fish")]
    {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "capchat", &mut script);
        is_committed(&format!("scripts/completions/{file}"), &script);
    }
}
