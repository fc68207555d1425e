//! The program: reads the command line, runs a subcommand, and ends with its status.

use std::env;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use clap::error::ErrorKind;

use capchat::cli::{self, AddressArgs, Cli, Command, ConnectArgs, ServeArgs};
use capchat::failure::{Failure, Status, status_of};
use capchat::transport::{Address, Dialer, Family};
use capchat::{connect, output, serve};

fn main() -> ExitCode {
    let status = match Cli::try_parse() {
        Ok(cli) => match run(cli) {
            Ok(()) => Status::Success,
            Err(error) => {
                output::tell(format_args!("{error:#}"));
                status_of(&error)
            }
        },
        Err(error) => explain(&error),
    };
    ExitCode::from(status as u8)
}

fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Serve(args) => serve::run(&serve_options(&args)?),
        Command::Connect(args) => connect::run(&connect_options(args)?),
    }
}

/// Prints help where it was asked for, and otherwise one line that says what is wrong.
fn explain(error: &clap::Error) -> Status {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match error.print() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                output::tell(format_args!("could not write to standard output: {error}"));
                Status::Failure
            }
            _ => Status::Success,
        },
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            output::tell("which subcommand? 'serve' or 'connect'; see 'capchat --help'");
            Status::Usage
        }
        _ => {
            let text = error.render().to_string();
            let first = text.split("\n\n").next().unwrap_or_default();
            let line = first.split_whitespace().collect::<Vec<_>>().join(" ");
            output::tell(format_args!("{}; see --help", line.trim_start_matches("error: ")));
            Status::Usage
        }
    }
}

fn serve_options(args: &ServeArgs) -> Result<serve::Options> {
    let family = family(&args.address);
    Ok(serve::Options {
        address: address(&args.address, family)?,
        family,
        message_gap: match args.message_gap {
            cli::Gap::After(gap) => Some(gap),
            cli::Gap::Never => None,
        },
        max_clients: args.max_clients,
        idle_timeout: args.idle_timeout,
        play: args.play.clone(),
        connections: args.connections,
        record: args.record.clone(),
        log_level: match (args.quiet, args.verbose) {
            (true, _) => serve::Level::Quiet,
            (_, true) => serve::Level::Verbose,
            _ => serve::Level::Normal,
        },
        log_format: match args.log {
            cli::LogFormat::Text => serve::Format::Text,
            cli::LogFormat::Json => serve::Format::Json,
        },
    })
}

fn connect_options(args: ConnectArgs) -> Result<connect::Options> {
    let family = family(&args.address);
    let address = address(&args.address, family)?;
    if matches!(address, Address::Tcp { port: 0, .. }) {
        return Err(usage("port 0 is for servers, and cannot be connected to"));
    }
    let check = check_options(&args);
    Ok(connect::Options {
        dialer: Dialer { address, family, timeout: args.connect_timeout, retry: args.retry },
        lockstep: args.lockstep,
        eol: match args.eol {
            None if args.crlf => connect::Eol::Crlf,
            None => connect::Eol::AsIs,
            Some(cli::Eol::Lf) => connect::Eol::Lf,
            Some(cli::Eol::Crlf) => connect::Eol::Crlf,
            Some(cli::Eol::None) => connect::Eol::None,
        },
        timeout: args.timeout,
        max_time: args.max_time,
        check,
        record: args.record,
        prompt: args.prompt,
        history: !args.no_history,
        verbose: args.verbose,
    })
}

fn check_options(args: &ConnectArgs) -> Option<connect::CheckOptions> {
    let paths = [args.check.as_slice(), &args.update].concat();
    (!paths.is_empty()).then(|| connect::CheckOptions {
        paths,
        updates: !args.update.is_empty(),
        jobs: args.jobs,
        format: match args.report {
            cli::Report::Text => connect::Format::Text,
            cli::Report::Tap => connect::Format::Tap,
            cli::Report::Junit => connect::Format::Junit,
        },
        color: match args.color {
            cli::Color::Always => true,
            cli::Color::Never => false,
            // See <https://no-color.org>.
            cli::Color::Auto => {
                io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        },
    })
}

fn family(args: &AddressArgs) -> Family {
    match (args.ipv4, args.ipv6) {
        (true, _) => Family::V4,
        (_, true) => Family::V6,
        _ => Family::Any,
    }
}

fn address(args: &AddressArgs, family: Family) -> Result<Address> {
    let built_in = Address::built_in(family);
    let default = match env::var("CAPCHAT_ADDRESS") {
        Ok(text) if !text.is_empty() => Address::from_text(&text, &built_in, family)
            .map_err(|error| usage(&error))
            .context("CAPCHAT_ADDRESS")?,
        Err(env::VarError::NotUnicode(_)) => return Err(usage("CAPCHAT_ADDRESS is not UTF-8")),
        _ => built_in,
    };
    Address::from_words(args.host.as_deref(), args.port.as_deref(), &default, family)
        .map_err(|error| usage(&error))
}

fn usage(message: impl std::fmt::Display) -> anyhow::Error {
    Failure::new(Status::Usage, message).into()
}
