//! Opens the connections of a transcript.

use std::collections::BTreeMap;
use std::future::ready;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::playing::{Dialing, Opener, Trace};
use crate::status::Failure;
use crate::text::printable;
use crate::transcript::{Connection, Item, Playable};
use crate::transport::{Address, Dialer, Stream};

/// The longest address that is tried, in bytes. A hole may have a longer value.
const LONGEST_ADDRESS: usize = 1024;

const NOT_A_PATH: &str = "expected a host and a port around holes, found the path of a Unix socket";

/// Opens the connections of one transcript, and knows their addresses.
pub(super) struct Connections {
    playable: Playable,
    dialer: Dialer,
    /// Whether standard error shows the conversation.
    verbose: bool,
    start: Instant,
    /// Those that are not the server's; safe to print.
    addresses: BTreeMap<Connection, String>,
}

impl Connections {
    pub(super) fn new(playable: Playable, dialer: Dialer, verbose: bool) -> Self {
        Self { playable, dialer, verbose, start: Instant::now(), addresses: BTreeMap::new() }
    }

    /// Opens the first connection, unless the transcript opens another one before it.
    pub(super) async fn open_first(&self) -> Result<Option<Stream>, String> {
        if self.playable.connections()[0] != Connection::FIRST {
            return Ok(None);
        }
        let stream = self.dialer.dial().await.map_err(|error| error.to_string())?;
        Ok(Some(observed(stream, self.trace(Connection::FIRST))))
    }

    /// Where a connection goes, or would have gone.
    pub(super) fn address(&self, connection: Connection) -> String {
        self.addresses.get(&connection).cloned().unwrap_or_else(|| self.dialer.address.to_string())
    }

    /// The address of a connection. What the server said may have chosen the host and the port, and no more than that.
    fn parse(&self, connection: Connection, text: &[u8]) -> Result<Address, String> {
        let has_holes = self.playable.transcript().entries.iter().any(|entry| match &entry.item {
            Item::Connect(Some(address)) => entry.connection == connection && address.constant().is_none(),
            _ => false,
        });
        match parse(text, &self.dialer)? {
            Address::Unix(_) if has_holes => Err(NOT_A_PATH.to_owned()),
            address => Ok(address),
        }
    }

    fn trace(&self, connection: Connection) -> Option<Trace> {
        self.verbose.then(|| Trace::new(&self.playable, connection, self.start))
    }
}

impl Opener for Connections {
    fn open(&mut self, connection: Connection, address: Option<&[u8]>) -> Dialing {
        let mut dialer = self.dialer.clone();
        if connection != Connection::FIRST {
            dialer.retry = Duration::ZERO;
        }
        if let Some(text) = address {
            let secrets = self.playable.secrets();
            let safe = |text: &str| printable(&secrets.mask_text(text));
            let shown = safe(&String::from_utf8_lossy(&text[..text.len().min(LONGEST_ADDRESS)]));
            match self.parse(connection, text) {
                Ok(address) => {
                    self.addresses.insert(connection, safe(&address.to_string()));
                    dialer.address = address;
                    // It begins in clear.
                    dialer.tls = None;
                }
                Err(error) => {
                    let error = format!("could not connect to '{shown}': {error}");
                    self.addresses.insert(connection, shown);
                    return Box::pin(ready(Err(error)));
                }
            }
        }
        let trace = self.trace(connection);
        let (address, secrets) = (self.address(connection), self.playable.secrets().clone());
        Box::pin(async move {
            let stream = dialer.dial().await.map_err(|error| secrets.mask_text(&error.to_string()))?;
            if let Some(trace) = &trace {
                trace.opened(&address);
            }
            Ok(observed(stream, trace))
        })
    }
}

fn observed(mut stream: Stream, trace: Option<Trace>) -> Stream {
    if let Some(trace) = trace {
        stream.observe(trace);
    }
    stream
}

/// Returns a usage failure if an address without holes is invalid, or one with holes is not that of a host.
pub(super) fn check_addresses(playable: &Playable, dialer: &Dialer) -> Result<()> {
    let transcript = playable.transcript();
    for entry in &transcript.entries {
        let Item::Connect(Some(template)) = &entry.item else { continue };
        let checked = match template.constant() {
            Some(text) => parse(text, dialer).map(drop),
            // Whatever is in the hole, the start may say that it is a path.
            None => match parse(&[template.start(), b"1"].concat(), dialer) {
                Ok(Address::Unix(_)) => Err(NOT_A_PATH.to_owned()),
                Ok(Address::Tcp { .. }) | Err(_) => Ok(()),
            },
        };
        checked.map_err(|error| {
            Failure::usage(format_args!("{}:{}: {error}", transcript.path.display(), entry.line))
        })?;
    }
    Ok(())
}

/// An address in a transcript. Missing parts default to the server's address.
fn parse(text: &[u8], dialer: &Dialer) -> Result<Address, String> {
    if text.len() > LONGEST_ADDRESS {
        return Err(format!("the address is longer than {LONGEST_ADDRESS} bytes"));
    }
    let text = std::str::from_utf8(text).map_err(|_| "the address is not UTF-8".to_owned())?;
    match Address::from_text(text, &dialer.address, dialer.family) {
        Ok(Address::Tcp { port: 0, .. }) => Err("cannot connect to port 0".to_owned()),
        Ok(address) => Ok(address),
        Err(error) => Err(error.to_string()),
    }
}
