//! What is wrong with a command line, in one line.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Where to look, if the message itself does not say what to write.
const SEE_HELP: &str = "; see --help";

/// The message for an error of the parser, whose own has several lines.
pub(crate) fn message(error: &clap::Error) -> String {
    let found = |kind| error.get(kind).map(text).unwrap_or_default();
    let argument = name(&found(ContextKind::InvalidArg)).to_owned();
    let value = found(ContextKind::InvalidValue);
    let hint = |kind| match error.get(kind).and_then(closest) {
        Some(suggestion) => format!(" (did you mean '{suggestion}'?)"),
        None => SEE_HELP.to_owned(),
    };
    match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            format!("unknown option '{argument}'{}", hint(ContextKind::SuggestedArg))
        }
        ErrorKind::UnknownArgument => format!("unexpected argument '{argument}'{SEE_HELP}"),
        ErrorKind::InvalidSubcommand => {
            let subcommand = found(ContextKind::InvalidSubcommand);
            format!("unknown subcommand '{subcommand}'{}", hint(ContextKind::SuggestedSubcommand))
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("{argument} requires a value"),
        ErrorKind::InvalidValue => {
            let expected = error.get(ContextKind::ValidValue).map(alternatives).unwrap_or_default();
            format!("invalid value '{value}' for {argument} (expected {expected})")
        }
        ErrorKind::ValueValidation => {
            let reason = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            format!("invalid value '{value}' for {argument}: {reason}")
        }
        ErrorKind::TooManyValues => format!("{argument} takes no value"),
        ErrorKind::ArgumentConflict => {
            let other = name(&found(ContextKind::PriorArg)).to_owned();
            if other == argument {
                format!("{argument} can be given only once")
            } else {
                format!("{argument} cannot be used with {other}")
            }
        }
        ErrorKind::MissingRequiredArgument => format!("missing {argument}{SEE_HELP}"),
        ErrorKind::InvalidUtf8 => "an argument is not valid UTF-8".to_owned(),
        // None of these occurs with the options that there are.
        _ => {
            let rendered = error.render().to_string();
            let first = rendered.split("\n\n").next().unwrap_or_default();
            let line = first.split_whitespace().collect::<Vec<_>>().join(" ");
            line.trim_start_matches("error: ").to_owned() + SEE_HELP
        }
    }
}

/// An argument without its value's name: `--timeout <TIME>` is `--timeout`.
fn name(argument: &str) -> &str {
    if argument.starts_with('-') { argument.split([' ', '=']).next().unwrap_or(argument) } else { argument }
}

fn text(value: &ContextValue) -> String {
    match value {
        ContextValue::Strings(strings) => strings.join(", "),
        other => other.to_string(),
    }
}

/// The most similar of several suggestions, which is the last one.
fn closest(suggestions: &ContextValue) -> Option<&str> {
    match suggestions {
        ContextValue::String(suggestion) => Some(suggestion),
        ContextValue::Strings(suggestions) => suggestions.last().map(String::as_str),
        _ => None,
    }
}

/// `a, b or c`.
fn alternatives(values: &ContextValue) -> String {
    match values {
        ContextValue::Strings(values) => match values.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
            None => String::new(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_mistake_is_one_line() {
        for (arguments, expected) in [
            (&["conect"][..], "unknown subcommand 'conect' (did you mean 'connect'?)"),
            (&["chek"], "unknown subcommand 'chek' (did you mean 'check'?)"),
            (&["talk"], "unknown subcommand 'talk'; see --help"),
            (&["help", "talk"], "unknown subcommand 'talk'; see --help"),
            (&["--lockstep"], "unknown option '--lockstep'; see --help"),
            (&["connect", "--lockstp"], "unknown option '--lockstp' (did you mean '--lockstep'?)"),
            (&["connect", "--retr=1s"], "unknown option '--retr' (did you mean '--retry'?)"),
            (&["serve", "--log", "json"], "unknown option '--log' (did you mean '--log-format'?)"),
            (&["connect", "--nonsense"], "unknown option '--nonsense'; see --help"),
            (&["connect", "-Z"], "unknown option '-Z'; see --help"),
            (&["connect", "-4x"], "unknown option '-x'; see --help"),
            (&["connect", "a", "b", "c"], "unexpected argument 'c'; see --help"),
            (&["check"], "missing <FILE>...; see --help"),
            (&["connect", "-w"], "--timeout requires a value"),
            (&["connect", "--eol"], "--eol requires a value"),
            (&["connect", "--until-eof=x"], "--until-eof takes no value"),
            (&["connect", "--eol", "x"], "invalid value 'x' for --eol (expected lf, crlf, cr or none)"),
            (&["serve", "--log-format", "x"], "invalid value 'x' for --log-format (expected text or json)"),
            (
                &["connect", "--timeout="],
                "invalid value '' for --timeout: expected a duration such as 500ms, 10s, 5m or 2h",
            ),
            (&["serve", "--max-clients", "0"], "invalid value '0' for --max-clients: must be at least 1"),
            (&["check", "--jobs", "x", "t"], "invalid value 'x' for --jobs: expected a number"),
            (&["connect", "-l", "--retry", "1s"], "--listen cannot be used with --retry"),
            (&["serve", "-q", "-v"], "--quiet cannot be used with --verbose"),
            (&["connect", "-4", "-6"], "-4 cannot be used with -6"),
            (&["connect", "-w", "1", "-w", "2"], "--timeout can be given only once"),
        ] {
            let error = Cli::try_parse_from(["capchat"].iter().chain(arguments)).unwrap_err();
            assert_eq!(message(&error), expected, "{arguments:?}");
        }
        let arguments = ["capchat", "connect"].map(OsStr::new);
        let error = Cli::try_parse_from(arguments.into_iter().chain([OsStr::from_bytes(b"\xff")]));
        assert_eq!(message(&error.unwrap_err()), "an argument is not valid UTF-8");
    }
}
