//! How much of what was sent the peer's kernel has not acknowledged.
//!
//! The kernel reports it by an ioctl (SIOCOUTQ, tcp(7)), which has no safe interface, and in its table of
//! connections, which is read here.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;

/// The bytes in a connection's send queue (proc(5), `/proc/net/tcp`). Returns an error if the table cannot be read, or
/// does not have the connection.
pub(super) fn unacknowledged(stream: &TcpStream) -> io::Result<usize> {
    let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
    let table = if local.is_ipv4() { "/proc/self/net/tcp" } else { "/proc/self/net/tcp6" };
    let (local, peer) = (in_table(local), in_table(peer));
    let table = fs::read_to_string(table)?;
    let queue = table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let is_it = fields.next() == Some(&local) && fields.next() == Some(&peer);
        let queues = fields.nth(1).filter(|_| is_it)?;
        usize::from_str_radix(queues.split(':').next()?, 16).ok()
    });
    queue.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// An address as in the table: in words of four bytes, each in the machine's byte order.
fn in_table(address: SocketAddr) -> String {
    let word = |bytes: &[u8]| {
        let mut word = [0; 4];
        word.copy_from_slice(bytes);
        format!("{:08X}", u32::from_ne_bytes(word))
    };
    let host: String = match address.ip() {
        IpAddr::V4(ip) => word(&ip.octets()),
        IpAddr::V6(ip) => ip.octets().chunks(4).map(word).collect(),
    };
    format!("{host}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn finds_a_connection_and_what_is_in_its_queue() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = tokio::net::TcpListener::bind(address).await.unwrap();
            let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            assert_eq!(unacknowledged(&stream).unwrap(), 0);
            // Nobody reads: the peer's buffer fills, and then this side's queue.
            let chunk = vec![0; 65536];
            while stream.try_write(&chunk).is_ok() {}
            assert!(unacknowledged(&stream).unwrap() > 0);
            stream.shutdown().await.unwrap();
        }
    }
}
