//! From the command line to settings. Nothing else reads the environment, or asks whether a stream is a terminal.

#[cfg(not(feature = "tls"))]
#[path = "settings/no_tls.rs"]
mod tls;
#[cfg(feature = "tls")]
mod tls;

use std::collections::HashSet;
use std::env;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::check;
use crate::cli::{AddressArgs, CheckArgs, ColorChoice, ConnectArgs, DialArgs, FamilyArgs, ServeArgs};
use crate::connect::{self, Eol, Lockstep, Mode, Opening, PrologueSettings, PromptSettings};
use crate::playing::{SecretName, Values, is_standard_input};
use crate::serve::{self, LogLevel};
use crate::status::Failure;
use crate::transcript::{Secret, Secrets};
use crate::transport::{Address, Dialer, Family, Tls};

/// How long a forwarder tries to connect.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn serve(args: ServeArgs) -> Result<serve::Settings> {
    let family = family(args.family);
    standard_input_once(&args.play)?;
    if args.play.is_empty() && args.record.is_none() && !args.secret.is_empty() {
        return Err(Failure::usage("--secret requires --play or --record"));
    }
    let address = address(&args.address, family)?;
    let forward = args.forward.map(|target| forward(&target, &address)).transpose()?;
    Ok(serve::Settings {
        tls: tls::of_server(args.tls, &address)?,
        address,
        family,
        message_gap: args.message_gap.0,
        max_clients: args.max_clients,
        idle_timeout: args.idle_timeout,
        max_connection_time: args.max_connection_time,
        play: args.play,
        values: Values::new(args.set, secrets(&args.secret)?, args.record.is_some())?,
        forward,
        connections: args.connections,
        record: args.record,
        log_level: match (args.quiet, args.verbose) {
            (true, _) => LogLevel::Quiet,
            (_, true) => LogLevel::Verbose,
            _ => LogLevel::Normal,
        },
        log_format: args.log_format,
    })
}

pub(crate) fn connect(args: ConnectArgs) -> Result<connect::Settings> {
    let family = family(args.family);
    let address = address(&args.address, family)?;
    if args.record.as_deref().is_some_and(is_standard_input) {
        return Err(Failure::usage("cannot record to '-' (for a file of that name, use ./-)"));
    }
    if args.prologue.as_deref().is_some_and(is_standard_input) {
        return Err(Failure::usage("the prologue cannot be '-' (for a file of that name, use ./-)"));
    }
    if args.prologue.is_none() {
        required_by("--set", !args.set.is_empty(), "--prologue")?;
        if args.record.is_none() {
            required_by("--secret", !args.secret.is_empty(), "--record or --prologue")?;
        }
    }
    if !args.lockstep {
        required_by("--greeting", args.greeting, "--lockstep")?;
        required_by("--gap", args.gap.is_some(), "--lockstep")?;
    }
    if let (Some(gap), Some(timeout)) = (args.gap, args.timeout)
        && timeout <= gap
    {
        return Err(Failure::usage("--timeout must be longer than --gap"));
    }
    let is_interactive = io::stdin().is_terminal() && io::stdout().is_terminal();
    let lockstep = args.lockstep.then_some(Lockstep { greeting: args.greeting, gap: args.gap });
    let mode = if is_interactive {
        let history = if args.no_history { None } else { history() };
        let is_dumb = is_dumb();
        let has_colors = !is_dumb && !is_color_refused();
        Mode::Prompt(PromptSettings { text: args.prompt, history, lockstep, is_dumb, has_colors })
    } else if let Some(lockstep) = lockstep {
        Mode::Lockstep(lockstep)
    } else {
        Mode::Pipe { until_eof: args.until_eof }
    };
    let values = Values::new(args.set, secrets(&args.secret)?, args.record.is_some())?;
    let secrets = values.secrets().clone();
    let prologue = args.prologue.map(|path| {
        let has_colors = io::stderr().is_terminal() && !is_dumb() && !is_color_refused();
        PrologueSettings { path, values, has_colors }
    });
    Ok(connect::Settings {
        prologue,
        opening: if args.listen {
            Opening::Listen { tls: tls::of_listener(args.tls, &address)?, address, family }
        } else {
            let tls = tls::of_client(args.tls, &address)?;
            Opening::Dial(dialer(address, family, args.dial, tls, args.verbose)?)
        },
        mode,
        eol: if args.crlf { Some(Eol::Crlf) } else { args.eol },
        timeout: args.timeout,
        max_time: args.max_time,
        record: args.record,
        secrets,
        verbose: args.verbose,
    })
}

pub(crate) fn check(args: CheckArgs) -> Result<check::Settings> {
    let family = family(args.family);
    let address = match &args.address {
        Some(text) => Address::from_text(text, &default_address(family)?, family).map_err(Failure::usage)?,
        None => default_address(family)?,
    };
    if standard_input_once(&args.files)? && args.update {
        return Err(Failure::usage("--update cannot be used with standard input ('-')"));
    }
    let tls = tls::of_client(args.tls, &address)?;
    Ok(check::Settings {
        dialer: dialer(address, family, args.dial, tls, args.verbose)?,
        paths: args.files,
        values: Values::new(args.set, secrets(&args.secret)?, false)?,
        updates: args.update,
        jobs: args.jobs,
        format: args.report,
        color: match args.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => io::stdout().is_terminal() && !is_color_refused(),
        },
        // Both on one terminal would be hard to read.
        progress: io::stderr().is_terminal() && !args.verbose,
        verbose: args.verbose,
        timeout: args.timeout,
        max_time: args.max_time,
    })
}

/// The server at `target`, to which a server at `address` forwards.
fn forward(target: &str, address: &Address) -> Result<Dialer> {
    // The server's own family may be another one: a forwarder can lead from IPv6 to IPv4.
    let family = Family::Any;
    let target = Address::from_text(target, &default_address(family)?, family)
        .map_err(Failure::usage)
        .context("--forward")?;
    if target == *address {
        return Err(Failure::usage(format_args!(
            "cannot forward to {target}: it is the server's own address"
        )));
    }
    let dial = DialArgs { connect_timeout: FORWARD_TIMEOUT, retry: Duration::ZERO };
    dialer(target, family, dial, None, false)
}

/// Whether one of these files is standard input. Fails if several are.
fn standard_input_once(files: &[PathBuf]) -> Result<bool> {
    match files.iter().filter(|path| is_standard_input(path)).count() {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Failure::usage("standard input ('-') can be given only once")),
    }
}

fn dialer(
    address: Address,
    family: Family,
    dial: DialArgs,
    tls: Option<Tls>,
    verbose: bool,
) -> Result<Dialer> {
    if matches!(address, Address::Tcp { port: 0, .. }) {
        return Err(Failure::usage("cannot connect to port 0"));
    }
    let DialArgs { connect_timeout: timeout, retry } = dial;
    Ok(Dialer { address, family, timeout, retry, tls, verbose })
}

/// Fails if an option is given without the one that it needs. The parser could do that, but not say it.
fn required_by(option: &str, is_given: bool, needed: &str) -> Result<()> {
    if is_given { Err(Failure::usage(format_args!("{option} requires {needed}"))) } else { Ok(()) }
}

fn family(args: FamilyArgs) -> Family {
    match (args.ipv4, args.ipv6) {
        (true, _) => Family::V4,
        (_, true) => Family::V6,
        _ => Family::Any,
    }
}

fn address(args: &AddressArgs, family: Family) -> Result<Address> {
    let default = default_address(family)?;
    Address::from_words(args.host.as_deref(), args.port.as_deref(), &default, family).map_err(Failure::usage)
}

/// `CAPCHAT_ADDRESS`, if it is set and not empty.
fn default_address(family: Family) -> Result<Address> {
    let built_in = Address::built_in(family);
    match env::var("CAPCHAT_ADDRESS") {
        Ok(text) if !text.is_empty() => {
            Address::from_text(&text, &built_in, family).map_err(Failure::usage).context("CAPCHAT_ADDRESS")
        }
        Err(env::VarError::NotUnicode(_)) => Err(Failure::usage("CAPCHAT_ADDRESS is not UTF-8")),
        Ok(_) | Err(env::VarError::NotPresent) => Ok(built_in),
    }
}

/// The values of secrets. Each is that of the environment variable of its name.
fn secrets(names: &[SecretName]) -> Result<Secrets> {
    let mut seen = HashSet::new();
    if let Some(name) = names.iter().map(SecretName::as_str).find(|name| !seen.insert(*name)) {
        return Err(Failure::usage(format_args!("--secret {name} is given twice")));
    }
    let secret = |name: &SecretName| {
        let name = name.as_str();
        let fail = |what: &str| {
            Failure::usage(format_args!("--secret {name}: the environment variable {name} {what}"))
        };
        let value = env::var_os(name).ok_or_else(|| fail("is not set"))?;
        Secret::new(name, value.as_bytes()).map_err(|what| fail(&what))
    };
    names.iter().map(secret).collect()
}

/// See <https://no-color.org>.
fn is_color_refused() -> bool {
    env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Whether the terminal is one of those on which rustyline edits nothing.
fn is_dumb() -> bool {
    let dumb = ["dumb", "cons25", "emacs"];
    env::var("TERM").is_ok_and(|term| dumb.iter().any(|dumb| dumb.eq_ignore_ascii_case(&term)))
}

/// The history's file, as in the XDG Base Directory Specification: `$XDG_STATE_HOME/capchat/history`, or, if that
/// variable is not set or not absolute, `~/.local/state/capchat/history`. `None` without a home directory.
fn history() -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(env::home_dir()?.join(".local/state")))?;
    Some(state.join("capchat/history"))
}
