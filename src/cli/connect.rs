//! The options of `capchat connect`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueHint};

use super::{
    AddressArgs, CONNECTION, ClientTlsArgs, DialArgs, FamilyArgs, HELP, LIMITS, OUTPUT, TRANSCRIPTS,
};
use crate::connect::Eol;
use crate::duration;
use crate::playing::{SecretName, Setting};

const SENDING: &str = "Sending";
const PROMPT: &str = "Prompt";

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    pub(crate) address: AddressArgs,

    #[command(flatten)]
    pub(crate) family: FamilyArgs,

    /// Wait for one connection instead of making one
    ///
    /// Standard error says 'listening on ADDRESS' once a client can connect. The first one is taken, and no more.
    /// This side is then the server, in a recording too.
    #[arg(
        short,
        long,
        conflicts_with_all = ["retry", "connect_timeout", "prologue"],
        help_heading = CONNECTION
    )]
    pub(crate) listen: bool,

    #[command(flatten)]
    pub(crate) dial: DialArgs,

    #[command(flatten)]
    pub(crate) tls: ClientTlsArgs,

    /// Give up after TIME without a reply (status 124)
    ///
    /// A reply is outstanding from the time that something is sent until anything is received, and from the end of
    /// input until the server closes the connection. Time in which standard output is not read does not count.
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

    /// Line ending to send: lf, crlf, cr or none
    ///
    /// In the input, a line ends with LF or CRLF. None removes line endings, for servers that take each recv as a
    /// message. By default they are sent as in the input, and as LF at the prompt.
    #[arg(long, value_name = "EOL", hide_possible_values = true, help_heading = SENDING)]
    pub(crate) eol: Option<Eol>,

    /// Send CRLF line endings (same as --eol crlf)
    #[arg(short = 'C', long, conflicts_with = "eol", help_heading = SENDING)]
    pub(crate) crlf: bool,

    /// Wait for a reply to each line before sending the next
    ///
    /// A reply is one line, or bytes followed by a quiet gap of 50 ms. If the server closes the connection before
    /// all lines were sent, the exit status is 3.
    #[arg(long, help_heading = SENDING)]
    pub(crate) lockstep: bool,

    /// With --lockstep, wait for the server to speak first
    ///
    /// Without this option, the first line is sent immediately, and a greeting counts as its reply.
    #[arg(long, help_heading = SENDING)]
    pub(crate) greeting: bool,

    /// With --lockstep, end each reply after TIME of silence
    ///
    /// A reply is then whatever arrives until nothing has arrived for TIME: several lines, or none, which is not an
    /// error. TIME must be longer than the server takes to reply.
    #[arg(long, value_name = "TIME", value_hint = ValueHint::Other, value_parser = duration::parse_positive, help_heading = SENDING)]
    pub(crate) gap: Option<Duration>,

    /// Send input to its end, even after the server's EOF
    ///
    /// Without this option, input that is open and quiet for 250 ms counts as ended once the server has closed its
    /// sending side.
    #[arg(long, conflicts_with = "lockstep", help_heading = SENDING)]
    pub(crate) until_eof: bool,

    /// Prompt to show [default: "enter your message: "]
    #[arg(
        long,
        value_name = "TEXT",
        value_hint = ValueHint::Other,
        default_value = "enter your message: ",
        hide_default_value = true,
        help_heading = PROMPT
    )]
    pub(crate) prompt: String,

    /// Do not read or save history
    #[arg(long, help_heading = PROMPT)]
    pub(crate) no_history: bool,

    /// Play the client side of a transcript first
    ///
    /// Input is read once its last item is done. What the server says during it is not printed; what it says beyond
    /// the last item is. If the server departs from it, standard error shows a diff and the status is 3.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = TRANSCRIPTS)]
    pub(crate) prologue: Option<PathBuf>,

    /// Set a variable of the prologue (may be repeated)
    ///
    /// The value is bound from the start: it is sent where the client sends the variable, and compared where the server
    /// does.
    #[arg(long, value_name = "NAME=VALUE", value_hint = ValueHint::Other, help_heading = TRANSCRIPTS)]
    pub(crate) set: Vec<Setting>,

    /// Save the conversation as a transcript
    ///
    /// The file is replaced at the end, even if the conversation is interrupted.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = TRANSCRIPTS)]
    pub(crate) record: Option<PathBuf>,

    /// Hide the secret of environment variable NAME
    ///
    /// The recording, and what is shown of the prologue, have \{NAME} in place of the value of the environment variable.
    /// The prologue can send it as with --set. It has at least 4 bytes. May be repeated; requires --record or --prologue.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other, help_heading = TRANSCRIPTS)]
    pub(crate) secret: Vec<SecretName>,

    /// Report connection events on standard error
    ///
    /// These are failed attempts, the connection, each line of the prologue with the time since its start in seconds,
    /// and at the end the number of bytes sent and received.
    #[arg(short, long, help_heading = OUTPUT)]
    pub(crate) verbose: bool,

    /// Print help (-h is shorter)
    #[arg(short, long, action = ArgAction::Help, help_heading = HELP)]
    help: Option<bool>,
}
