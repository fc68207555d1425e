//! The options of `capchat check`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum, ValueHint};

use super::{
    CONNECTION, ClientTlsArgs, DialArgs, FamilyArgs, HELP, LIMITS, OUTPUT, TRANSCRIPTS, parse_count,
};
use crate::check::ReportFormat;
use crate::duration;
use crate::playing::{SecretName, Setting};

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(crate) struct CheckArgs {
    /// Transcripts, and directories of *.chat files
    ///
    /// The file - is standard input, which reports call <stdin>.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<PathBuf>,

    /// Server address [default: 127.0.0.1:5605]
    ///
    /// In the same forms as the HOST of 'capchat connect'.
    #[arg(
        short,
        long,
        value_name = "ADDRESS",
        value_hint = ValueHint::Hostname,
        help_heading = CONNECTION
    )]
    pub(crate) address: Option<String>,

    #[command(flatten)]
    pub(crate) family: FamilyArgs,

    #[command(flatten)]
    pub(crate) dial: DialArgs,

    #[command(flatten)]
    pub(crate) tls: ClientTlsArgs,

    /// Give up after TIME without a reply (status 124)
    ///
    /// Applies if it is shorter than a transcript's own %timeout.
    #[arg(
        short = 'w',
        long,
        value_name = "TIME", value_hint = ValueHint::Other,
        value_parser = duration::parse_positive,
        help_heading = LIMITS
    )]
    pub(crate) timeout: Option<Duration>,

    /// Give up if the run exceeds TIME (status 124)
    #[arg(long, value_name = "TIME", value_hint = ValueHint::Other, value_parser = duration::parse_positive, help_heading = LIMITS)]
    pub(crate) max_time: Option<Duration>,

    /// Rewrite the server side to what the server says
    ///
    /// Only literal lines, S EOF, S RST and the placeholder S ? are rewritten. A file that needs other changes is left
    /// unchanged (status 3).
    #[arg(long, help_heading = TRANSCRIPTS)]
    pub(crate) update: bool,

    /// Give a variable a value (may be repeated)
    ///
    /// The value is bound from the start: it is sent where the client sends the variable, and compared where the server
    /// does.
    #[arg(long, value_name = "NAME=VALUE", value_hint = ValueHint::Other, help_heading = TRANSCRIPTS)]
    pub(crate) set: Vec<Setting>,

    /// Take a secret from the environment variable NAME
    ///
    /// The value of the variable NAME is that of the environment variable. It is used as with --set, but not shown:
    /// reports have \{NAME} in its place, and an update that would write it is a conflict. It has at least 4 bytes. May
    /// be repeated.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other, help_heading = TRANSCRIPTS)]
    pub(crate) secret: Vec<SecretName>,

    /// Run N transcripts in parallel
    #[arg(
        short,
        long,
        value_name = "N", value_hint = ValueHint::Other,
        default_value = "1",
        value_parser = parse_count,
        help_heading = TRANSCRIPTS
    )]
    pub(crate) jobs: NonZeroUsize,

    /// Report format: text, tap or junit
    ///
    /// Text is for people, tap is TAP version 13, and junit is JUnit XML.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true,
        help_heading = OUTPUT
    )]
    pub(crate) report: ReportFormat,

    /// Use color: auto, always or never
    ///
    /// Auto means on a terminal, unless NO_COLOR is set.
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        help_heading = OUTPUT
    )]
    pub(crate) color: ColorChoice,

    /// Show each line of both sides on standard error
    ///
    /// Before a line come the file's name and the time since its start in seconds. Failed connection attempts are
    /// shown too.
    #[arg(short, long, help_heading = OUTPUT)]
    pub(crate) verbose: bool,

    /// Print help (-h is shorter)
    #[arg(short, long, action = ArgAction::Help, help_heading = HELP)]
    help: Option<bool>,
}

/// When to use color.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
