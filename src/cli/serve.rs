//! The options of `capchat serve`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueHint};

use super::{AddressArgs, FamilyArgs, HELP, LIMITS, ServerTlsArgs, TRANSCRIPTS, parse_count};
use crate::duration;
use crate::playing::{SecretName, Setting};
use crate::serve::LogFormat;

const REPLIES: &str = "Replies";
const LOGGING: &str = "Logging";

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) address: AddressArgs,

    #[command(flatten)]
    pub(crate) family: FamilyArgs,

    #[command(flatten)]
    pub(crate) tls: ServerTlsArgs,

    /// Serve N clients at a time; others wait
    #[arg(long, value_name = "N", value_hint = ValueHint::Other, value_parser = parse_count, help_heading = LIMITS)]
    pub(crate) max_clients: Option<NonZeroUsize>,

    /// Disconnect clients idle for TIME
    ///
    /// A client is idle if it neither sends anything nor takes any of its replies. The connection is closed cleanly; if
    /// replies are left that the client did not take, it is reset.
    #[arg(long, value_name = "TIME", value_hint = ValueHint::Other, value_parser = duration::parse_positive, help_heading = LIMITS)]
    pub(crate) idle_timeout: Option<Duration>,

    /// Disconnect clients after TIME in any case
    ///
    /// The connection is closed cleanly, which may take another 10 seconds.
    #[arg(long, value_name = "TIME", value_hint = ValueHint::Other, value_parser = duration::parse_positive, help_heading = LIMITS)]
    pub(crate) max_connection_time: Option<Duration>,

    /// Exit after N clients
    ///
    /// With --play, the exit status is 3 if any client did not complete the transcript.
    #[arg(long, value_name = "N", value_hint = ValueHint::Other, value_parser = parse_count, help_heading = LIMITS)]
    pub(crate) connections: Option<NonZeroUsize>,

    /// Reply to an unfinished line after TIME, or never
    ///
    /// If nothing arrives for TIME, what was received of a line gets its reply, for clients that send no line
    /// endings. The default is 50ms.
    #[arg(
        long,
        value_name = "TIME", value_hint = ValueHint::Other,
        default_value = "50ms",
        hide_default_value = true,
        value_parser = parse_gap,
        help_heading = REPLIES
    )]
    pub(crate) message_gap: MessageGap,

    /// Pass bytes between each client and ADDRESS
    ///
    /// Each client gets a connection of its own to the server at ADDRESS, which has the same forms as HOST. EOF and
    /// resets are passed on too. With --record, this records a real client with a real server.
    #[arg(
        long,
        value_name = "ADDRESS",
        value_hint = ValueHint::Hostname,
        conflicts_with_all = ["message_gap", "play"],
        help_heading = REPLIES
    )]
    pub(crate) forward: Option<String>,

    /// Act as a mock server: play a transcript to each client
    ///
    /// A client that departs from the transcript is disconnected, and the log shows the difference. If the option is
    /// repeated, the first client gets the first file, the second client the second one, and so on; the last file
    /// repeats.
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        conflicts_with = "message_gap",
        help_heading = TRANSCRIPTS
    )]
    pub(crate) play: Vec<PathBuf>,

    /// Give a variable a value (may be repeated)
    ///
    /// The value is bound from the start, for each client of --play.
    #[arg(
        long,
        value_name = "NAME=VALUE",
        value_hint = ValueHint::Other,
        requires = "play",
        help_heading = TRANSCRIPTS
    )]
    pub(crate) set: Vec<Setting>,

    /// Take a secret from the environment variable NAME
    ///
    /// The value of the variable NAME is that of the environment variable. It is used as with --set, but not shown:
    /// recordings and the log have \{NAME} in its place. It has at least 4 bytes. May be repeated; requires --play or
    /// --record.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other, help_heading = TRANSCRIPTS)]
    pub(crate) secret: Vec<SecretName>,

    /// Record each connection as a transcript in DIR
    ///
    /// The directory is created if needed. Files are named by start time, client address and a number.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = TRANSCRIPTS)]
    pub(crate) record: Option<PathBuf>,

    /// Do not log client activity
    #[arg(short, long, conflicts_with = "verbose", help_heading = LOGGING)]
    pub(crate) quiet: bool,

    /// Log more detail
    #[arg(short, long, help_heading = LOGGING)]
    pub(crate) verbose: bool,

    /// Log format: text or json
    ///
    /// Text is one line per event, json one object per line.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true,
        help_heading = LOGGING
    )]
    pub(crate) log_format: LogFormat,

    /// Print help (-h is shorter)
    #[arg(short, long, action = ArgAction::Help, help_heading = HELP)]
    help: Option<bool>,
}

/// How much silence it takes to reply to an unfinished message; `None` means never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageGap(pub(crate) Option<Duration>);

fn parse_gap(text: &str) -> Result<MessageGap, String> {
    match text {
        "never" => Ok(MessageGap(None)),
        text => duration::parse(text).map(|gap| MessageGap(Some(gap))),
    }
}
