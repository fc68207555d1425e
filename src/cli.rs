//! The command line: clap definitions alone. The man pages and the shell completions are made from them.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::duration;

/// A scriptable, line-oriented netcat: a server that answers in CAPITALS, and a client for people, pipes and
/// tests.
#[derive(Debug, Parser)]
#[command(name = "capchat", version, arg_required_else_help = false, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    #[expect(missing_docs)]
    pub command: Command,
}

/// What capchat is asked to do.
// Deferred: only the options of the subcommand that is run are built, which is a part of every start.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Answer every message with the same text in CAPITALS
    ///
    /// Serve any number of clients, answer every message (a line, or what was sent before a quiet gap) with
    /// the same text in Unicode capitals, and keep each connection open until a message contains CLOSE
    /// SOCKET. The line 'listening on ADDRESS' on standard output says when the server is ready.
    Serve(ServeArgs),
    /// Talk to a server: at a prompt, or in a pipe
    ///
    /// Where standard input and output are both a terminal, show a prompt with line editing and history.
    /// Otherwise be a lossless pipe: send standard input, print every reply, and exit when the server has
    /// closed. With --check or --update, play the client's side of transcripts, see capchat-transcript(5).
    Connect(ConnectArgs),
}

// No doc comments on these structs: clap would show them in place of the subcommand's own.
#[derive(Args, Debug)]
#[expect(missing_docs)]
pub struct AddressArgs {
    /// The host, or the whole address
    #[arg(
        value_name = "HOST",
        help = "HOST, PORT, HOST:PORT, [IPV6]:PORT or unix:PATH [default: 127.0.0.1:5605]"
    )]
    pub host: Option<String>,

    /// The port, where HOST has none
    #[arg(value_name = "PORT")]
    pub port: Option<String>,

    /// Use IPv4 addresses only
    #[arg(short = '4', conflicts_with = "ipv6")]
    pub ipv4: bool,

    /// Use IPv6 addresses only
    #[arg(short = '6')]
    pub ipv6: bool,
}

#[derive(Args, Debug)]
#[expect(missing_docs)]
pub struct ServeArgs {
    #[command(flatten)]
    #[expect(missing_docs)]
    pub address: AddressArgs,

    /// Answer an unfinished message once nothing has come for so long, or never
    #[arg(long, value_name = "DURATION|never", default_value = "50ms", value_parser = parse_gap)]
    pub message_gap: Gap,

    /// Serve so many clients at once; more wait until one leaves [default: no limit]
    #[arg(long, value_name = "N")]
    pub max_clients: Option<NonZeroUsize>,

    /// Close the connection of a client that has sent nothing for so long [default: never]
    ///
    /// The connection is closed in order. A client that has replies to take is not idle.
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_positive)]
    pub idle_timeout: Option<Duration>,

    /// Play the server's side of a transcript to each client, instead of answering in capitals
    ///
    /// A client that says something else gets its connection closed, and the log shows the difference.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["message_gap", "idle_timeout"])]
    pub play: Option<PathBuf>,

    /// Play to so many clients, then leave; with exit status 3 where any did not follow the transcript
    #[arg(long, value_name = "N", requires = "play")]
    pub connections: Option<NonZeroUsize>,

    /// Record each connection as a transcript of its own in a folder
    ///
    /// The folder is made where it is missing. The files are called by the time, the client and a number.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub record: Option<PathBuf>,

    /// Tell nothing of the clients
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Tell more of the clients
    #[arg(short, long)]
    pub verbose: bool,

    /// How events are written to standard error
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log: LogFormat,
}

#[derive(Args, Debug)]
#[expect(missing_docs)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct ConnectArgs {
    #[command(flatten)]
    #[expect(missing_docs)]
    pub address: AddressArgs,

    /// Send one line, wait for its reply, send the next
    ///
    /// A reply is one line, or bytes followed by a quiet gap of 50 ms. A server that closes before all lines
    /// were sent is exit status 3.
    #[arg(long)]
    pub lockstep: bool,

    /// How each line that is sent ends [default: as in the input; lf from the prompt]
    #[arg(long, value_name = "EOL")]
    pub eol: Option<Eol>,

    /// The same as --eol crlf
    #[arg(short = 'C', conflicts_with = "eol")]
    pub crlf: bool,

    /// Give up (exit status 124) when a reply is owed and nothing was sent or received for so long
    ///
    /// A reply is owed from what is sent until anything is received, and from the end of the input until the
    /// server closes. While standard output takes nothing, the server is not to blame.
    #[arg(short = 'w', long, value_name = "DURATION", value_parser = duration::parse_positive)]
    pub timeout: Option<Duration>,

    /// Give up (exit status 124) when the whole run takes longer
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_positive)]
    pub max_time: Option<Duration>,

    /// Give up (exit status 1) when one attempt to connect takes longer
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse_positive)]
    pub connect_timeout: Duration,

    /// Keep trying for so long while the server is not there yet
    #[arg(long, value_name = "DURATION", default_value = "0s", hide_default_value = true, value_parser = duration::parse)]
    pub retry: Duration,

    /// Check the server by transcripts: files, and folders of *.chat
    ///
    /// Takes all words up to the next option; the address stands before it. Each transcript has a connection
    /// of its own. What the server says otherwise is shown as a difference (exit status 3).
    #[arg(long, value_name = "FILE", num_args = 1.., group = "transcripts", conflicts_with_all = CONVERSATION)]
    pub check: Vec<PathBuf>,

    /// Check, and rewrite the server's side of the transcripts to what it says now
    ///
    /// Only literal lines, S EOF and S RST are rewritten. A file that needs more is left as it is (exit
    /// status 3).
    #[arg(long, value_name = "FILE", num_args = 1.., group = "transcripts", conflicts_with_all = CONVERSATION)]
    pub update: Vec<PathBuf>,

    /// Play so many transcripts at a time
    #[arg(long, value_name = "N", default_value = "1", requires = "transcripts")]
    pub jobs: NonZeroUsize,

    /// How the results are written to standard output
    #[arg(long, value_name = "FORMAT", default_value = "text", requires = "transcripts")]
    pub report: Report,

    /// When the report is coloured; auto is on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", default_value = "auto", requires = "transcripts")]
    pub color: Color,

    /// Record the conversation as a transcript
    ///
    /// The file is replaced in the end, also where the conversation is interrupted.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub record: Option<PathBuf>,

    /// The prompt, on a terminal
    #[arg(long, value_name = "TEXT", default_value = "enter your message: ")]
    pub prompt: String,

    /// Neither read nor keep the history of the prompt
    #[arg(long)]
    pub no_history: bool,

    /// Tell on standard error what happens to the connection
    #[arg(short, long)]
    pub verbose: bool,
}

/// What makes no sense where transcripts say what is sent.
const CONVERSATION: [&str; 6] = ["lockstep", "eol", "crlf", "record", "prompt", "no_history"];

/// How results are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Report {
    /// For people
    Text,
    /// The Test Anything Protocol, version 13
    Tap,
    /// JUnit's XML
    Junit,
}

/// When something is coloured.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// When an unfinished message is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// After a silence of this long.
    After(Duration),
    /// Not before its end.
    Never,
}

fn parse_gap(text: &str) -> Result<Gap, String> {
    match text {
        "never" => Ok(Gap::Never),
        text => duration::parse(text).map(Gap::After),
    }
}

/// How events are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// A sentence a line
    Text,
    /// A JSON object a line
    Json,
}

/// How a line ends.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Eol {
    /// With a line feed
    Lf,
    /// With a carriage return and a line feed
    Crlf,
    /// With nothing, for servers that take each recv as a message
    None,
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
