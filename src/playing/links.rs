//! The connections that a player plays on.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

use crate::transcript::Connection;
use crate::transport::{Event, Link, Stream};

/// The links of the connections that are open.
#[derive(Default)]
pub(super) struct Links {
    links: Vec<(Connection, Link)>,
    /// The one that is asked first: a busy connection does not keep the others waiting.
    first: usize,
}

impl Links {
    pub(super) fn add(&mut self, connection: Connection, stream: Stream) {
        self.links.push((connection, Link::new(stream)));
    }

    pub(super) fn get(&mut self, connection: Connection) -> Option<&mut Link> {
        self.links.iter_mut().find(|(same, _)| *same == connection).map(|(_, link)| link)
    }

    pub(super) fn connections(&self) -> impl Iterator<Item = Connection> {
        self.links.iter().map(|(connection, _)| *connection)
    }

    /// The link of a player with one connection.
    pub(super) fn only(self) -> Option<Link> {
        self.links.into_iter().next().map(|(_, link)| link)
    }

    /// Waits for the next event of any link; see [`Link::next`]. Bytes are received from those that `wants` them.
    /// Cancel-safe.
    pub(super) async fn next(
        &mut self,
        buffer: &mut Vec<u8>,
        wants: impl Fn(Connection) -> bool,
    ) -> (Connection, Event) {
        poll_fn(|cx| {
            let count = self.links.len();
            for index in (0..count).map(|offset| (self.first + offset) % count) {
                let (connection, link) = &mut self.links[index];
                let into = wants(*connection).then_some(&mut *buffer);
                if let Poll::Ready(event) = poll(link, into, cx) {
                    self.first = index + 1;
                    return Poll::Ready((*connection, event));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// What has happened on a link, if anything has.
    pub(super) async fn try_next(&mut self, connection: Connection, buffer: &mut Vec<u8>) -> Option<Event> {
        let link = self.get(connection)?;
        poll_fn(|cx| match poll(link, Some(buffer), cx) {
            Poll::Ready(event) => Poll::Ready(Some(event)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}

/// A link holds nothing between two polls, so each poll may have a new future.
fn poll(link: &mut Link, into: Option<&mut Vec<u8>>, cx: &mut Context<'_>) -> Poll<Event> {
    pin!(link.next(into)).poll(cx)
}
