//! Listening on TCP and Unix sockets.

use std::fs::{self, TryLockError};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::{Instant, sleep};

use super::address::{resolve, socket_reason};
use super::vanished::{limit_unacknowledged, probe_silence};
use super::{Address, Family, Peer, Stream};
use crate::messages;

/// How many clients may wait to be accepted. More than that wait for TCP's retransmissions, which takes seconds.
/// The kernel lowers this to its own limit (Linux: `net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// How long, and how often, a lock on a socket's directory is tried for that another program holds: a server holds it
/// for a moment, and anybody who may read the directory could hold it forever.
const LOCK_LIMIT: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// How many ports are tried until one is free on all addresses of a host.
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
    pub(crate) async fn bind(address: &Address, family: Family) -> Result<Vec<Self>> {
        let listeners = match address {
            Address::Unix(path) => bind_unix(path).await.map(|listener| vec![listener]),
            Address::Tcp { host, port } => bind_tcp(host, *port, family).await,
        };
        listeners.map_err(|error| {
            let hint = address.hint().map_or(String::new(), |hint| format!("; {hint}"));
            anyhow!("could not listen on {address}: {}{hint}", messages::with_causes(&error))
        })
    }

    /// Gives up clients that take nothing for two minutes, or for `patience` if that is longer, while bytes for them are
    /// on their way.
    ///
    /// Returns an error if the kernel refuses this.
    pub(crate) fn limit_unacknowledged(&self, patience: Option<Duration>) -> io::Result<()> {
        match &self.kind {
            Kind::Tcp(listener) => limit_unacknowledged(listener, patience),
            // The client's kernel is this one, and cannot vanish alone.
            Kind::Unix { .. } => Ok(()),
        }
    }

    /// The address, with the port that the system chose if it was 0.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Accepts the next client. Returns an error of accept(2), such as a lack of descriptors or memory.
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

impl Listener {
    /// Accepts the first client on any of these, and closes them all. Cancel-safe.
    pub(crate) async fn accept_one(mut listeners: Vec<Self>) -> io::Result<(Stream, Peer)> {
        poll_fn(|cx| {
            for listener in &mut listeners {
                match listener.poll_accept(cx) {
                    // This client is gone already: wait for the next.
                    Poll::Ready(Err(error)) if is_the_clients(&error) => {
                        cx.waker().wake_by_ref();
                    }
                    Poll::Ready(accepted) => return Poll::Ready(accepted),
                    Poll::Pending => {}
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Whether accept(2) failed because of the client that it would have accepted, or the network to it: the next one may
/// succeed.
pub(crate) fn is_the_clients(error: &io::Error) -> bool {
    // As accept(2) has them, for Linux; EPERM is a firewall's.
    const ERRORS: [Errno; 13] = [
        Errno::CONNABORTED,
        Errno::CONNRESET,
        Errno::HOSTDOWN,
        Errno::HOSTUNREACH,
        Errno::INTR,
        Errno::NETDOWN,
        Errno::NETUNREACH,
        Errno::NONET,
        Errno::NOPROTOOPT,
        Errno::OPNOTSUPP,
        Errno::PERM,
        Errno::PROTO,
        Errno::TIMEDOUT,
    ];
    Errno::from_io_error(error).is_some_and(|error| ERRORS.contains(&error))
}

async fn bind_tcp(host: &str, port: u16, family: Family) -> Result<Vec<Listener>> {
    let mut addresses = resolve(host, port, family).await?;
    let mut attempt = 1;
    loop {
        match listen_on_all(&addresses, family) {
            // The port was free on the first address but is in use on another: try a new one.
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

/// Listens on each address, on the port of the first one. Returns the index of the address that failed.
fn listen_on_all(addresses: &[SocketAddr], family: Family) -> Result<Vec<Listener>, (usize, io::Error)> {
    let mut listeners = Vec::new();
    let mut shared_port = None;
    for (index, &address) in addresses.iter().enumerate() {
        let mut address = address;
        address.set_port(shared_port.unwrap_or(address.port()));
        // `::` accepts IPv4 clients too, if that is the system's default, unless IPv4 has a listener of its own
        // here or is unwanted.
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
    // Lets a new server use the port while connections of the last one are in TIME_WAIT. A second server still
    // fails (Linux socket(7)).
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && v6_alone {
        socket.set_only_v6(true)?;
    }
    // Accepted connections inherit these, which saves system calls (Linux tcp(7)).
    socket.set_tcp_nodelay(true)?;
    probe_silence(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from_std(socket.into())?;
    let local = listener.local_addr()?;
    Ok((listener, local))
}

async fn bind_unix(path: &Path) -> Result<Listener> {
    let address = SockAddr::unix(path).map_err(|error| anyhow!(socket_reason(&error)))?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let _lock = lock_directory(path).await;
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

/// Keeps other servers from this directory while the file exists and nobody listens on it yet: they would take it
/// for stale. If the directory cannot be locked, two servers that start in the same microsecond may collide.
async fn lock_directory(path: &Path) -> Option<fs::File> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = fs::File::open(parent).ok()?;
    let deadline = Instant::now() + LOCK_LIMIT;
    loop {
        match directory.try_lock() {
            Ok(()) => return Some(directory),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(LOCK_PAUSE).await,
            Err(_) => return None,
        }
    }
}

/// Removes a socket's file that no server listens on.
fn remove_stale(path: &Path, address: &SockAddr) -> Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        bail!("exists and is not a socket");
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Otherwise a server with a full backlog would block the probe.
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        _ => Err(io::Error::from(io::ErrorKind::AddrInUse).into()),
    }
}

/// A socket's file. Dropping this removes it, unless another server has replaced it.
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
            // If this fails, the next server replaces the stale file.
            let _ = fs::remove_file(&self.path);
        }
    }
}
