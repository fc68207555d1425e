//! The command line: clap definitions alone. The man pages and the shell completions are made from them.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::check::ReportFormat;
use crate::connect::Eol;
use crate::duration;
use crate::serve::LogFormat;

/// A scriptable netcat for line-based protocols
#[derive(Debug, Parser)]
#[command(name = "capchat", version, arg_required_else_help = true, subcommand_required = true)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
// Deferred: only the options of the subcommand that runs are built, which is a part of every start.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Command {
    /// Run a server that replies in capitals, or a mock server
    ///
    /// Serve any number of clients, reply to every message (a line, or what was sent before a quiet gap) with the
    /// same text in Unicode capitals, and keep each connection open until a message contains CLOSE SOCKET. The
    /// line 'listening on ADDRESS' on standard output says that the server is ready.
    Serve(ServeArgs),
    /// Connect to a server from a prompt, a pipe or a script
    ///
    /// If standard input and output are both terminals, show a prompt with line editing and history. Otherwise be
    /// a lossless pipe: send standard input, print every reply, and exit when the server closes the connection
    /// and all input is sent.
    Connect(ConnectArgs),
    /// Check a server against transcripts, or update them
    ///
    /// Play the client side of each transcript on a connection of its own, and compare what the server says. A
    /// directory stands for all *.chat files in it. The format is described in capchat-transcript(5).
    Check(CheckArgs),
}

// No doc comments on these structs: clap would show them in place of the subcommand's own.
#[derive(Args, Debug)]
pub(crate) struct AddressArgs {
    /// Server address [default: 127.0.0.1:5605]
    ///
    /// Server address [default: 127.0.0.1:5605]: HOST, PORT, HOST PORT, HOST:PORT, :PORT, an IPv6 address,
    /// [IPV6]:PORT or unix:PATH. Missing parts default to 127.0.0.1:5605.
    #[arg(value_name = "HOST")]
    pub(crate) host: Option<String>,

    /// Port, if not given in HOST
    #[arg(value_name = "PORT")]
    pub(crate) port: Option<String>,
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct FamilyArgs {
    /// Use IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6')]
    pub(crate) ipv6: bool,
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct DialArgs {
    /// Time limit for each connection attempt (status 1)
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse_positive)]
    pub(crate) connect_timeout: Duration,

    /// Keep trying to connect for up to TIME
    #[arg(long, value_name = "TIME", default_value = "0s", hide_default_value = true, value_parser = duration::parse)]
    pub(crate) retry: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) address: AddressArgs,

    #[command(flatten)]
    pub(crate) family: FamilyArgs,

    /// Reply to an unfinished line after TIME of silence, or never
    #[arg(long, value_name = "TIME|never", default_value = "50ms", value_parser = parse_gap)]
    pub(crate) message_gap: Gap,

    /// Serve at most N clients at a time; others wait [default: no limit]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) max_clients: Option<NonZeroUsize>,

    /// Disconnect clients that send nothing for TIME [default: never]
    ///
    /// The connection is closed cleanly. A client with unsent replies is not idle.
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive)]
    pub(crate) idle_timeout: Option<Duration>,

    /// Act as a mock server: play a transcript to each client
    ///
    /// A client that departs from the transcript is disconnected, and the log shows the difference.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["message_gap", "idle_timeout"])]
    pub(crate) play: Option<PathBuf>,

    /// Exit after N clients
    ///
    /// With --play, the exit status is 3 if any client did not complete the transcript.
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) connections: Option<NonZeroUsize>,

    /// Record each connection as a transcript in DIR
    ///
    /// The directory is created if needed. Files are named by start time, client address and a number.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) record: Option<PathBuf>,

    /// Do not log client activity
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Log more detail
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Log format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    pub(crate) address: AddressArgs,

    /// Wait for one connection instead of making one
    ///
    /// Standard error says 'listening on ADDRESS' once clients can connect. The first one is taken, and no more.
    /// This side is then the server, in a recording too.
    #[arg(short, long, conflicts_with_all = ["retry", "connect_timeout"])]
    pub(crate) listen: bool,

    #[command(flatten)]
    pub(crate) family: FamilyArgs,

    #[command(flatten)]
    pub(crate) dial: DialArgs,

    /// Give up after TIME without a reply (status 124)
    ///
    /// A reply is outstanding from the time that something is sent until anything is received, and from the end of
    /// input until the server closes the connection. Time in which standard output is not read does not count.
    #[arg(short = 'w', long, value_name = "TIME", value_parser = duration::parse_positive)]
    pub(crate) timeout: Option<Duration>,

    /// Give up if the run exceeds TIME (status 124)
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive)]
    pub(crate) max_time: Option<Duration>,

    /// Wait for a reply to each line before sending the next
    ///
    /// A reply is one line, or bytes followed by a quiet gap of 50 ms. If the server closes the connection before
    /// all lines were sent, the exit status is 3.
    #[arg(long)]
    pub(crate) lockstep: bool,

    /// In lockstep, wait for the server to speak first
    ///
    /// Without this option, the first line is sent immediately, and a greeting counts as its reply.
    #[arg(long)]
    pub(crate) greeting: bool,

    /// In lockstep, end a reply after TIME of silence
    ///
    /// A reply is then whatever arrives until nothing has arrived for TIME: several lines, or none, which is not an
    /// error. TIME must be longer than the server takes to reply.
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive)]
    pub(crate) gap: Option<Duration>,

    /// Send input to its end, even after the server has ended
    ///
    /// Without this option, input that is open and quiet for 250 ms counts as ended once the server has ended its
    /// side of the connection.
    #[arg(long, conflicts_with = "lockstep")]
    pub(crate) until_eof: bool,

    /// Line ending to send [default: as in the input; lf at the prompt]
    #[arg(long, value_name = "EOL")]
    pub(crate) eol: Option<Eol>,

    /// Send CRLF line endings (same as --eol crlf)
    #[arg(short = 'C', long, conflicts_with = "eol")]
    pub(crate) crlf: bool,

    /// Save the conversation as a transcript
    ///
    /// The file is replaced at the end, even if the conversation is interrupted.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) record: Option<PathBuf>,

    /// Prompt to show on a terminal
    #[arg(long, value_name = "TEXT", default_value = "enter your message: ")]
    pub(crate) prompt: String,

    /// Do not read or save history
    #[arg(long)]
    pub(crate) no_history: bool,

    /// Report what happens to the connection on standard error
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// Transcripts, and directories of *.chat files
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<PathBuf>,

    /// Server address [default: 127.0.0.1:5605]
    ///
    /// In the same forms as the HOST of 'capchat connect'.
    #[arg(short, long, value_name = "ADDRESS")]
    pub(crate) address: Option<String>,

    #[command(flatten)]
    pub(crate) family: FamilyArgs,

    #[command(flatten)]
    pub(crate) dial: DialArgs,

    /// Give up after TIME without a reply (status 124)
    ///
    /// Applies if it is shorter than a transcript's own %timeout.
    #[arg(short = 'w', long, value_name = "TIME", value_parser = duration::parse_positive)]
    pub(crate) timeout: Option<Duration>,

    /// Give up if the run exceeds TIME (status 124)
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive)]
    pub(crate) max_time: Option<Duration>,

    /// Rewrite the server side of the transcripts to what the server says
    ///
    /// Only literal lines, S EOF and S RST are rewritten. A file that needs other changes is left unchanged (status
    /// 3).
    #[arg(long)]
    pub(crate) update: bool,

    /// Run N transcripts in parallel
    #[arg(short, long, value_name = "N", default_value = "1", value_parser = parse_count)]
    pub(crate) jobs: NonZeroUsize,

    /// Report format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) report: ReportFormat,

    /// When to use color
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,

    /// Report failed connection attempts on standard error
    #[arg(short, long)]
    pub(crate) verbose: bool,
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

/// How much silence it takes to reply to an unfinished message; `None` means never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap(pub(crate) Option<Duration>);

fn parse_gap(text: &str) -> Result<Gap, String> {
    match text {
        "never" => Ok(Gap(None)),
        text => duration::parse(text).map(|gap| Gap(Some(gap))),
    }
}

fn parse_count(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<usize>() {
        Ok(count) => NonZeroUsize::new(count).ok_or_else(|| "must be at least 1".to_owned()),
        Err(_) => Err("expected a number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }
}
