//! Listening on TCP and Unix sockets.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, UnixListener};

use super::address::resolve;
use super::{Address, Family, Peer, Stream};

/// How many clients may wait to be accepted. A burst of clients beyond it waits for TCP's retransmissions,
/// seconds long. The kernel lowers it to its own limit (Linux: `net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// How a client that vanished without a word is found: after a silence of this long, so many probes this far
/// apart.
const KEEPALIVE_SILENCE: Duration = Duration::from_mins(1);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;

/// How often a free port is looked for that all addresses of a host have free.
const SHARED_PORT_ATTEMPTS: usize = 20;

/// A socket that accepts clients.
#[derive(Debug)]
pub(crate) struct Listener {
    kind: Kind,
    address: Address,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        accepted: u64,
        /// Removes the socket's file with the listener.
        _file: SocketFile,
    },
}

impl Listener {
    /// Listens on every address that `address` resolves to, all on one port.
    ///
    /// # Errors
    /// Where the host is unknown, or one of the addresses cannot be listened on.
    pub(crate) async fn bind(address: &Address, family: Family) -> Result<Vec<Self>> {
        let listeners = match address {
            Address::Unix(path) => bind_unix(path).map(|listener| vec![listener]),
            Address::Tcp { host, port } => bind_tcp(host, *port, family).await,
        };
        listeners.with_context(|| format!("could not listen on {address}"))
    }

    /// The address with the port that it really has.
    #[must_use]
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Accepts the next client.
    ///
    /// # Errors
    /// Those of accept(2), a lack of descriptors or memory among them.
    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Peer)>> {
        match &mut self.kind {
            Kind::Tcp(listener) => {
                let (stream, peer) = ready!(listener.poll_accept(cx))?;
                Poll::Ready(Ok((stream.into(), Peer::Tcp(peer))))
            }
            Kind::Unix { listener, accepted, .. } => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                *accepted += 1;
                Poll::Ready(Ok((stream.into(), Peer::Unix(*accepted))))
            }
        }
    }
}

async fn bind_tcp(host: &str, port: u16, family: Family) -> Result<Vec<Listener>> {
    let mut addresses = resolve(host, port, family).await?;
    let mut attempt = 1;
    loop {
        match listen_on_all(&addresses, family) {
            // The port was free on the first address and is taken on another: a new port, then.
            Err((index, error))
                if port == 0
                    && index > 0
                    && error.kind() == io::ErrorKind::AddrInUse
                    && attempt < SHARED_PORT_ATTEMPTS =>
            {
                attempt += 1;
                for address in &mut addresses {
                    address.set_port(0);
                }
            }
            Err((index, error)) if addresses.len() > 1 => {
                return Err(anyhow!(error)).with_context(|| addresses[index].to_string());
            }
            listeners => return Ok(listeners.map_err(|(_, error)| error)?),
        }
    }
}

/// Listens on each address; where it fails, says at which one. The first one's port is the port of all.
fn listen_on_all(addresses: &[SocketAddr], family: Family) -> Result<Vec<Listener>, (usize, io::Error)> {
    let mut listeners = Vec::new();
    let mut shared_port = None;
    for (index, &address) in addresses.iter().enumerate() {
        let mut address = address;
        address.set_port(shared_port.unwrap_or(address.port()));
        // `::` also takes IPv4 clients where the system does that by default, unless IPv4 has a listener of
        // its own here, or is not wanted.
        let v6_alone = addresses.len() > 1 || family == Family::V6;
        let (listener, local) = listen_on(address, v6_alone).map_err(|error| (index, error))?;
        shared_port = Some(local.port());
        listeners.push(Listener {
            kind: Kind::Tcp(listener),
            address: Address::Tcp { host: local.ip().to_string(), port: local.port() },
        });
    }
    Ok(listeners)
}

fn listen_on(address: SocketAddr, v6_alone: bool) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(socket2::Protocol::TCP))?;
    // Lets a new server take the port while connections of the last one are in TIME_WAIT; a second server
    // beside this one still fails (Linux socket(7)).
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && v6_alone {
        socket.set_only_v6(true)?;
    }
    // Accepted connections inherit these, which saves system calls for each of them (Linux tcp(7)).
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE_SILENCE)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_PROBES),
    )?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from_std(socket.into())?;
    let local = listener.local_addr()?;
    Ok((listener, local))
}

fn bind_unix(path: &Path) -> Result<Listener> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let _lock = lock_folder(path);
    if let Err(error) = socket.bind(&address) {
        if error.kind() != io::ErrorKind::AddrInUse {
            return Err(error.into());
        }
        remove_stale(path, &address)?;
        socket.bind(&address)?;
    }
    let file = SocketFile::of(path)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(Listener {
        kind: Kind::Unix { listener: UnixListener::from_std(socket.into())?, accepted: 0, _file: file },
        address: Address::Unix(path.to_owned()),
    })
}

/// Keeps other servers from this folder while the file is there and nobody listens on it yet, since to them it
/// would be stale. The lock goes with what is returned; where there can be none, a race is as likely as two
/// servers that start in the same microsecond.
fn lock_folder(path: &Path) -> Option<fs::File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::File::open(folder).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

/// Removes a socket's file on which no server answers.
fn remove_stale(path: &Path, address: &SockAddr) -> Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        bail!("the file exists and is no socket");
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A server whose backlog is full would block the probe, and is there all the same.
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        _ => Err(io::Error::from(io::ErrorKind::AddrInUse).into()),
    }
}

/// A socket's file, which goes when the server goes, unless another server's has taken its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: Self::identity(path)? })
    }

    fn identity(path: &Path) -> io::Result<(u64, u64)> {
        let metadata = fs::symlink_metadata(path)?;
        Ok((metadata.dev(), metadata.ino()))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if Self::identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // Nobody is left to tell where this fails, and the next server takes over a stale file.
            let _ = fs::remove_file(&self.path);
        }
    }
}
