//! The command line: clap definitions alone. The man pages and the shell completions are made from them.
//!
//! The first paragraph of an option is its line in `-h`, which must fit; all of it is shown by `--help` and in the
//! manual.

#![expect(
    rustdoc::broken_intra_doc_links,
    rustdoc::invalid_html_tags,
    reason = "clap shows these comments as they are: they are not Markdown"
)]

mod check;
mod connect;
mod help;
mod serve;
mod tls;

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueHint};

use crate::duration;
pub(crate) use check::{CheckArgs, ColorChoice};
pub(crate) use connect::ConnectArgs;
pub(crate) use serve::ServeArgs;
#[cfg(feature = "tls")]
pub(crate) use tls::IdentityArgs;
pub(crate) use tls::{ClientTlsArgs, ServerTlsArgs};

/// The widest that help is, even on a wide terminal, and where there is none.
const WIDTH: usize = 80;

// The headings of options.
const CONNECTION: &str = "Connection";
#[cfg(feature = "tls")]
const TLS: &str = "TLS";
const LIMITS: &str = "Limits";
const TRANSCRIPTS: &str = "Transcripts";
const OUTPUT: &str = "Output";
const HELP: &str = "Help";

/// A scriptable netcat for line-based protocols
#[derive(Debug, Parser)]
#[command(
    name = "capchat",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = WIDTH,
    after_long_help = help::CAPCHAT
)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
// Deferred: only the options of the subcommand that runs are built, which is a part of every start.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Command {
    /// Run a server that replies in capitals, a mock server or a forwarder
    ///
    /// Serve any number of clients, reply to every message (a line, or what was sent before a quiet gap) with the
    /// same text in Unicode capitals, and keep each connection open until a message contains CLOSE SOCKET. The
    /// line 'listening on ADDRESS' on standard output says that the server is ready.
    #[command(after_long_help = help::SERVE)]
    Serve(ServeArgs),
    /// Connect to a server from a prompt, a pipe or a script
    ///
    /// If standard input and output are both terminals, show a prompt with line editing and history. Otherwise be
    /// a lossless pipe: send standard input, print every reply, and exit when the server closes the connection
    /// and all input is sent.
    #[command(after_long_help = help::CONNECT)]
    Connect(ConnectArgs),
    /// Check a server against transcripts, or update them
    ///
    /// Play the client side of each transcript on connections of its own, and compare what the server says. A
    /// directory stands for all *.chat files in it. The format is described in capchat-transcript(5).
    #[command(after_long_help = help::CHECK)]
    Check(CheckArgs),
}

// No doc comments on the structs: clap would show them in place of the subcommand's own.
#[derive(Args, Debug)]
pub(crate) struct AddressArgs {
    /// Server address [default: 127.0.0.1:5605]
    ///
    /// HOST, PORT, HOST PORT, HOST:PORT, :PORT, tcp://HOST:PORT, an IPv6 address, [IPV6]:PORT, or a Unix socket
    /// as unix:PATH, /PATH or ./PATH. After a host, PORT can be the name of a service. Missing parts default to
    /// 127.0.0.1:5605.
    #[arg(value_name = "HOST", value_hint = ValueHint::Hostname)]
    pub(crate) host: Option<String>,

    /// Port, if not given in HOST
    #[arg(value_name = "PORT", value_hint = ValueHint::Other)]
    pub(crate) port: Option<String>,
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct FamilyArgs {
    /// Use IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6", help_heading = CONNECTION)]
    pub(crate) ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6', help_heading = CONNECTION)]
    pub(crate) ipv6: bool,
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct DialArgs {
    /// Time limit for each attempt (status 1)
    ///
    /// The time includes looking up the host. The default is 10s.
    #[arg(
        long,
        value_name = "TIME", value_hint = ValueHint::Other,
        default_value = "10s",
        hide_default_value = true,
        value_parser = duration::parse_positive,
        help_heading = CONNECTION
    )]
    pub(crate) connect_timeout: Duration,

    /// Keep trying to connect for up to TIME
    #[arg(
        long,
        value_name = "TIME", value_hint = ValueHint::Other,
        default_value = "0s",
        hide_default_value = true,
        value_parser = duration::parse,
        help_heading = CONNECTION
    )]
    pub(crate) retry: Duration,
}

fn parse_count(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<usize>() {
        Ok(count) => NonZeroUsize::new(count).ok_or_else(|| "must be at least 1".to_owned()),
        Err(_) => Err("expected a number".to_owned()),
    }
}

#[cfg(test)]
mod tests;
