//! `capchat serve`: a server that answers every message in capitals, and never ends because of a client.
//!
//! One thread runs everything: a task for each client, one that accepts them, and the main flow, which waits
//! for a signal and then sees all clients off. Nearly all of the cost is the kernel's, and a second thread
//! would mostly take turns with the first.

mod accept;
mod clients;
mod connection;
mod log;
mod play;
mod records;
mod scratch;

use std::future::pending;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::failure::{Failure, Status};
use crate::output;
use crate::playing::open;
use crate::transcript::{Item, Side};
use crate::transport::{Address, Family, Listener};
use accept::{Acceptor, Service};
use clients::Clients;
use connection::Terms;
use log::{Event, Log};
pub use log::{Format, Level};
use play::Mock;
use records::Records;

/// How long the clients may take to leave once the server has been told to stop.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// What a server is started with.
#[derive(Debug)]
pub struct Options {
    /// Where it listens.
    pub address: Address,
    /// Which addresses of the host it listens on.
    pub family: Family,
    /// How long an unfinished message waits before it is answered as it is; `None` for ever.
    pub message_gap: Option<Duration>,
    /// How many clients it serves at once; `None` for no limit.
    pub max_clients: Option<NonZeroUsize>,
    /// How long a client may send nothing before it is seen off; `None` for ever.
    pub idle_timeout: Option<Duration>,
    /// The transcript that is played instead; `None` for capitals.
    pub play: Option<PathBuf>,
    /// How many clients it is played to; `None` for any number.
    pub connections: Option<NonZeroUsize>,
    /// The folder in which conversations are recorded, where they are.
    pub record: Option<PathBuf>,
    /// How much is told of the clients.
    pub log_level: Level,
    /// How it is told.
    pub log_format: Format,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Where an address cannot be listened on, or the system refuses what any program needs. Nothing that a
/// client does is an error.
pub fn run(options: &Options) -> Result<()> {
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("could not start the server")?;
    let result = runtime.block_on(serve(options));
    // A host's look-up that hangs is not waited for.
    runtime.shutdown_background();
    result
}

async fn serve(options: &Options) -> Result<()> {
    let mut signals = Signals::new().context("could not listen for signals")?;
    let mock = options.play.as_deref().map(|path| mock(path, options)).transpose()?;
    let records = options.record.as_deref().map(Records::open).transpose()?;
    let listeners = tokio::select! {
        listeners = Listener::bind(&options.address, options.family) => listeners?,
        _ = signals.next() => return Ok(()),
    };
    let log = Log::start(options.log_level, options.log_format);
    for listener in &listeners {
        output::announce(format_args!("listening on {}", listener.address()));
    }

    let (stop, stopping) = watch::channel(false);
    let clients = Arc::new(Clients::new(options.max_clients));
    let service = match &mock {
        Some(mock) => Service::Mock(Arc::clone(mock)),
        None => Service::Capitals(Arc::new(Terms {
            message_gap: options.message_gap,
            idle_timeout: options.idle_timeout,
            stopping: stopping.clone(),
            log: log.clone(),
        })),
    };
    let acceptor = Acceptor::new(listeners, Arc::clone(&clients), service, records, log.clone(), stopping);
    let accepting = tokio::spawn(acceptor.run());

    let is_signalled = tokio::select! {
        name = signals.next() => {
            log.tell(&Event::Stopping { signal: name, clients: clients.count() });
            true
        }
        () = played_out(mock.as_deref()) => false,
    };
    stop.send_replace(true);
    let all_gone = async {
        // The acceptor takes in those who had connected before it was told to stop.
        let _ = accepting.await;
        clients.wait_until_none().await;
    };
    tokio::select! {
        _ = timeout(SHUTDOWN_LIMIT, all_gone) => {}
        _ = signals.next() => {}
    }
    log.tell(&Event::Stopped { clients: clients.count() });
    log.finish();
    match mock {
        Some(mock) if !is_signalled => mock.result(),
        _ => Ok(()),
    }
}

fn mock(path: &Path, options: &Options) -> Result<Arc<Mock>> {
    let playable = open(path, Side::Server)?;
    let reset = playable.transcript().entries.iter().find(|entry| entry.item == Item::Reset);
    if let (Some(entry), Address::Unix(_)) = (reset, &options.address) {
        let message = format_args!("{}:{}: a Unix socket cannot play 'S RST'", path.display(), entry.line);
        return Err(Failure::new(Status::Usage, message).into());
    }
    Ok(Arc::new(Mock::new(playable, options.connections)))
}

/// Waits until a mock has played to all clients that it is to play to.
async fn played_out(mock: Option<&Mock>) {
    match mock {
        Some(mock) => mock.wait_until_done().await,
        None => pending().await,
    }
}

/// The signals that stop the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next signal; says which one it was.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Lets the server have as many descriptors as the system allows it: each client is one.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where this is refused, the server serves as many as it may.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
