//! What is wrong with a command line, in one line.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The message for an error of the parser. Its own is several lines long.
pub(crate) fn message(error: &clap::Error) -> String {
    let found = |kind| error.get(kind).map(text).unwrap_or_default();
    let argument = name(&found(ContextKind::InvalidArg)).to_owned();
    let value = found(ContextKind::InvalidValue);
    let hint = |kind| match found(kind) {
        suggestion if suggestion.is_empty() => String::new(),
        suggestion => format!(" (did you mean '{suggestion}'?)"),
    };
    match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            format!("unknown option '{argument}'{}", hint(ContextKind::SuggestedArg))
        }
        ErrorKind::UnknownArgument => format!("unexpected argument '{argument}'"),
        ErrorKind::InvalidSubcommand => {
            let subcommand = found(ContextKind::InvalidSubcommand);
            format!("unknown subcommand '{subcommand}'{}", hint(ContextKind::SuggestedSubcommand))
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("{argument} requires a value"),
        ErrorKind::InvalidValue => {
            let expected = found(ContextKind::ValidValue);
            format!("invalid value '{value}' for {argument} (expected {expected})")
        }
        ErrorKind::ValueValidation => {
            let reason = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            format!("invalid value '{value}' for {argument}: {reason}")
        }
        ErrorKind::ArgumentConflict => {
            let other = name(&found(ContextKind::PriorArg)).to_owned();
            if other == argument {
                format!("{argument} can be given only once")
            } else {
                format!("{argument} cannot be used with {other}")
            }
        }
        ErrorKind::MissingRequiredArgument => format!("missing {argument}"),
        _ => {
            let rendered = error.render().to_string();
            let first = rendered.split("\n\n").next().unwrap_or_default();
            let line = first.split_whitespace().collect::<Vec<_>>().join(" ");
            line.trim_start_matches("error: ").to_owned()
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
