//! The committed man pages and shell completions match the command line's definitions. `scripts/generate` runs this
//! test to write them.

// Without a feature, options are missing.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::env;
use std::fs;
use std::path::Path;

use clap::builder::PossibleValue;
use clap::{Arg, Command, CommandFactory, ValueHint};
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

const PAGES: [&str; 5] =
    ["capchat.1", "capchat-serve.1", "capchat-connect.1", "capchat-check.1", "capchat-transcript.5"];

#[test]
fn man_pages() {
    let mut cli = Cli::command();
    cli.build();
    for page in PAGES {
        let name = page.strip_prefix("capchat-").and_then(|name| name.strip_suffix(".1"));
        let subcommand = name.and_then(|name| cli.find_subcommand(name));
        man_page_is_committed(page, subcommand.unwrap_or(&cli));
    }
    for subcommand in cli.get_subcommands().map(Command::get_name).filter(|name| *name != "help") {
        assert!(PAGES.contains(&format!("capchat-{subcommand}.1").as_str()), "no page for {subcommand}");
    }
}

/// Options in the manual and the README that are still being built. Delete those that are there.
const PLANNED: [&str; 0] = [];

/// Options of other programs: cargo, `scripts/install`, redis-server, and the made-up ones in examples.
const OTHERS: [&str; 5] = ["--locked", "--port", "--save", "--server", "--uninstall"];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The options of a command as they are typed.
fn option_names(command: &Command) -> Vec<String> {
    let long = |option: &Arg| option.get_long().map(|long| format!("--{long}"));
    let short = |option: &Arg| option.get_short().map(|short| format!("-{short}"));
    command.get_arguments().flat_map(|option| long(option).into_iter().chain(short(option))).collect()
}

/// The options that a text mentions: the long ones, and in mdoc(7) also `Fl w`.
fn mentioned(text: &str) -> Vec<String> {
    let mut words = text.split(|c: char| c.is_whitespace() || "`\"[]().,|=/".contains(c)).peekable();
    let mut options = Vec::new();
    while let Some(word) = words.next() {
        if word == "Fl" {
            options.extend(words.peek().map(|name| format!("-{name}")));
        } else if word.starts_with("--") && word.chars().nth(2).is_some_and(char::is_alphabetic) {
            options.push(word.to_owned());
        }
    }
    options
}

#[test]
fn prose_mentions_options_that_exist() {
    let mut cli = Cli::command();
    cli.build();
    let all: Vec<String> = cli.get_subcommands().chain([&cli]).flat_map(option_names).collect();
    let is_known = |option: &String| {
        let option = option.as_str();
        all.iter().any(|is| is == option) || PLANNED.contains(&option) || OTHERS.contains(&option)
    };
    let pages = PAGES.map(|page| format!("scripts/man/{page}.in"));
    for path in pages.iter().map(String::as_str).chain(["README.md", "CHANGELOG.md"]) {
        let unknown: Vec<_> = mentioned(&read(path)).into_iter().filter(|option| !is_known(option)).collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
    }
    let built: Vec<_> = PLANNED.into_iter().filter(|option| all.iter().any(|is| is == option)).collect();
    assert!(built.is_empty(), "delete {built:?} from PLANNED in {}", file!());
}

#[test]
fn every_option_is_in_the_manual_the_completions_and_the_help() {
    let mut cli = Cli::command();
    cli.build();
    let completions =
        ["capchat.bash", "_capchat", "capchat.fish"].map(|file| read(&format!("scripts/completions/{file}")));
    for subcommand in cli.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        let name = subcommand.get_name();
        let page = read(&format!("man/capchat-{name}.1"));
        let section = page.split(".Sh OPTIONS\n").nth(1).unwrap().split("\n.Sh ").next().unwrap();
        let documented = mentioned(section);
        let help = subcommand.clone().render_help().to_string();
        for option in option_names(subcommand) {
            assert!(documented.contains(&option), "{option} in capchat-{name}(1)");
            assert!(help.contains(&option), "{option} in capchat {name} -h");
            let bare = option.trim_start_matches('-');
            assert!(completions.iter().all(|script| script.contains(bare)), "{option} in the completions");
        }
    }
}

#[test]
fn completions() {
    let mut cli = Cli::command();
    cli.build();
    for (shell, file) in
        [(Shell::Bash, "capchat.bash"), (Shell::Zsh, "_capchat"), (Shell::Fish, "capchat.fish")]
    {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "capchat", &mut script);
        let mut script = String::from_utf8(script).unwrap();
        match shell {
            Shell::Bash => complete_words_in_bash(&mut script, &cli),
            Shell::Fish => complete_hosts_in_fish(&mut script, &cli),
            _ => {}
        }
        is_committed(&format!("scripts/completions/{file}"), script.as_bytes());
    }
}

/// The subcommands that take files or a host, and that hint.
fn subcommands_with_words(cli: &Command) -> impl Iterator<Item = (&Command, ValueHint)> {
    cli.get_subcommands()
        .filter_map(|subcommand| Some((subcommand, subcommand.get_positionals().next()?.get_value_hint())))
}

/// Completes host names with bash-completion's helper, which reads the configuration of ssh, or else with bash's own.
const BASH_HOSTS: &str = r#"_capchat_hosts() {
    if declare -F _known_hosts_real > /dev/null; then
        _known_hosts_real -- "${cur}"
    else
        COMPREPLY=($(compgen -A hostname -- "${cur}"))
    fi
}

"#;

/// In place of a file or a host, clap's script for bash offers the options. Without an offer, bash completes files.
fn complete_words_in_bash(script: &mut String, cli: &Command) {
    for (subcommand, hint) in subcommands_with_words(cli) {
        let start = script.find(&format!("        capchat__subcmd__{})\n", subcommand.get_name())).unwrap();
        let end = start + script[start..].find("            return 0\n            ;;\n").unwrap();
        let mut section = script[start..end].to_owned();
        let mut replace = |from: &str, to: &str| {
            assert_eq!(section.matches(from).count(), 1, "{from:?} in:\n{section}");
            section = section.replace(from, to);
        };
        replace(" || ${COMP_CWORD} -eq 2 ]]", " ]]");
        let words = if hint == ValueHint::Hostname { "            _capchat_hosts\n" } else { "" };
        let options = "            COMPREPLY=( $(compgen -W \"${opts}\" -- \"${cur}\") )\n";
        replace(&format!("            esac\n{options}"), &format!("            esac\n{words}"));
        for option in subcommand.get_opts().filter(|option| option.get_value_hint() == ValueHint::Hostname) {
            let long = option.get_long().map(|long| format!("--{long}"));
            let short = option.get_short().map(|short| format!("-{short}"));
            for name in long.into_iter().chain(short) {
                let case = format!("                {name})\n                    ");
                replace(
                    &format!("{case}COMPREPLY=($(compgen -f \"${{cur}}\"))"),
                    &format!("{case}_capchat_hosts"),
                );
            }
        }
        script.replace_range(start..end, &section);
    }
    // clap leaves the offers unsorted, files too.
    let registration = script.rfind("\nif [[ \"${BASH_VERSINFO[0]}\" -eq 4").unwrap();
    script.truncate(registration + 1);
    script.push_str("complete -F _capchat -o bashdefault -o default capchat\n");
    script.insert_str(0, BASH_HOSTS);
}

/// clap's script for fish knows options alone.
fn complete_hosts_in_fish(script: &mut String, cli: &Command) {
    for (subcommand, _) in subcommands_with_words(cli).filter(|(_, hint)| *hint == ValueHint::Hostname) {
        *script += "complete -c capchat -n \"__fish_capchat_using_subcommand ";
        *script += subcommand.get_name();
        *script += "\" -a \"(__fish_print_hostnames)\"\n";
    }
}
