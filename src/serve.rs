//! `capchat serve`: a server that replies to every message in capitals, a mock server or a forwarder, and that no
//! client can bring down.
//!
//! One thread runs everything: a task per client, one that accepts them, and the main flow, which waits for a
//! signal and then sees all clients off. Nearly all of the cost is the kernel's, and a second thread would mostly
//! take turns with the first.

mod accept;
mod client;
mod clients;
mod limits;
mod log;
mod records;
mod scratch;
mod service;
mod time_slice;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::memory;
use crate::messages;
use crate::playing::Values;
use crate::runtime;
use crate::signals::{self, Signal, Signals};
use crate::transport::{Address, Dialer, Family, Listener, Tls};
use accept::Acceptor;
use clients::Clients;
use log::{Log, LogEvent};
pub(crate) use log::{LogFormat, LogLevel};
use service::Service;

/// How long clients may take to disconnect once the server stops.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// Server settings.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) address: Address,
    /// Which addresses of a host to listen on.
    pub(crate) family: Family,
    /// TLS with clients from the start, if any.
    pub(crate) tls: Option<Tls>,
    /// How much silence it takes to reply to an unfinished message; `None` means never.
    pub(crate) message_gap: Option<Duration>,
    /// How many clients are served at a time; `None` means no limit.
    pub(crate) max_clients: Option<NonZeroUsize>,
    /// How long a client may neither send nor take anything; `None` means no limit.
    pub(crate) idle_timeout: Option<Duration>,
    /// How long a client may stay connected; `None` means no limit.
    pub(crate) max_connection_time: Option<Duration>,
    /// The transcripts to play, in place of capitals: one per client in turn, and the last one to all others.
    pub(crate) play: Vec<PathBuf>,
    /// The values of their variables.
    pub(crate) values: Values,
    /// The server to forward clients to, in place of capitals.
    pub(crate) forward: Option<Dialer>,
    /// How many clients to serve in all; `None` means no limit.
    pub(crate) connections: Option<NonZeroUsize>,
    /// The directory in which connections are recorded, if any.
    pub(crate) record: Option<PathBuf>,
    pub(crate) log_level: LogLevel,
    pub(crate) log_format: LogFormat,
}

/// Serves until a signal, or until all [`Settings::connections`] were served.
///
/// Nothing that a client does is an error, but for a mock's client that departed from the transcript, which is
/// reported at the end.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    raise_descriptor_limit();
    let runtime = runtime::start().context("could not start the server")?;
    runtime.block_on(serve(settings))
}

async fn serve(settings: &Settings) -> Result<()> {
    let mut signals = Signals::listen(&[Signal::Hangup, Signal::Interrupt, Signal::Terminate])
        .context("could not listen for signals")?;
    signals::survive_file_size_limit().context("could not handle a signal")?;
    memory::keep_reserve().and_then(|()| scratch::prepare()).context("could not start the server")?;
    let log = Log::start(settings.log_level, settings.log_format)?;
    let (stop, stopping) = watch::channel(false);
    let opening = async {
        let service = Service::open(settings, &log, &stopping).await?;
        Ok::<_, Error>((service, Listener::bind(&settings.address, settings.family).await?))
    };
    let (service, listeners) = tokio::select! {
        opened = opening => opened?,
        _ = signals.next() => return Ok(()),
    };
    if let Some(sha256) = settings.tls.as_ref().and_then(Tls::fingerprint) {
        log.add(&LogEvent::Certificate { sha256: sha256.to_owned() });
    }
    for listener in &listeners {
        // How long a client takes nothing is the target's business, if there is one.
        if settings.forward.is_none() || settings.idle_timeout.is_some() {
            // If this fails, clients that vanish are found later.
            let _ = listener.limit_unacknowledged(settings.idle_timeout);
        }
        let announced = messages::announce(format_args!("listening on {}", listener.address()));
        announced.context("could not write to standard output")?;
    }

    let clients = Arc::new(Clients::new(settings.max_clients, settings.connections));
    let acceptor = Acceptor::new(listeners, Arc::clone(&clients), service.clone(), log.clone(), stopping);
    let accepting = tokio::spawn(acceptor.run());
    let is_signaled = tokio::select! {
        signal = signals.next() => {
            log.add(&LogEvent::Stopping { signal: signal.name(), clients: clients.count() });
            true
        }
        () = clients.wait_until_all_served() => false,
    };

    stop.send_replace(true);
    let all_gone = async {
        // The acceptor still accepts those who had connected before.
        let _ = accepting.await;
        clients.wait_until_none().await;
    };
    tokio::select! {
        _ = timeout(SHUTDOWN_LIMIT, all_gone) => {}
        _ = signals.next() => {}
    }
    log.add(&LogEvent::Stopped { clients: clients.count() });
    log.finish();
    if is_signaled { Ok(()) } else { service.result(clients.served()) }
}

/// Raises the limit of descriptors to the most that the system allows: each client needs one.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // If this is refused, the server serves as many clients as it may.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
