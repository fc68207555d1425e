//! One direction of a forwarded connection, from a source to a destination.

use std::io::{self, BufRead, Cursor};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::memory;
use crate::serve::scratch;
use crate::serve::time_slice::TimeSlice;
use crate::transport::Stream;

/// How much is read at a time, and kept if the destination does not take it.
const READ: usize = 256 * 1024;

/// A direction.
#[derive(Debug, Default)]
pub(super) struct Direction {
    flow: Flow,
    passed: u64,
}

/// What is left to be done.
///
/// ```text
/// Open --the source ends--> Ending --the destination is told--> Ended
///   |
///   +--the source is reset--> Reset
/// ```
#[derive(Debug)]
enum Flow {
    Open(Unsent),
    Ending,
    Ended,
    /// Nothing more will come, not even EOF.
    Reset,
}

/// What was read and is not passed on yet. Nothing is read before it is gone.
#[derive(Debug, Default)]
struct Unsent {
    bytes: Cursor<Vec<u8>>,
    /// Whether the destination may have bytes in a buffer of its own.
    is_unflushed: bool,
}

/// Why a direction cannot go on.
#[derive(Debug)]
pub(super) enum Stuck {
    /// The source cannot be read from. Everything before that was passed on.
    Source,
    /// The destination takes no more.
    Destination,
    OutOfMemory,
}

impl Default for Flow {
    fn default() -> Self {
        Self::Open(Unsent::default())
    }
}

impl Direction {
    /// How many bytes the destination has taken.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.flow, Flow::Ended)
    }

    pub(super) fn has_unsent(&self) -> bool {
        match &self.flow {
            Flow::Open(unsent) => !unsent.is_empty(),
            Flow::Ending => true,
            Flow::Ended | Flow::Reset => false,
        }
    }

    /// Passes on what there is: sends some of what is unsent, or, if there is nothing, reads once. Pending if neither
    /// is possible now.
    pub(super) fn poll_pass(
        &mut self,
        from: &mut Stream,
        to: &mut Stream,
        slice: &mut TimeSlice,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stuck>> {
        match &mut self.flow {
            Flow::Open(unsent) if !unsent.is_empty() => {
                self.passed += ready!(unsent.poll_send_some(to, cx)).map_err(|_| Stuck::Destination)?;
            }
            Flow::Open(unsent) => {
                let start = slice.start();
                let sent = ready!(scratch::with(|input, _| {
                    let limit = slice.read_limit().min(READ);
                    let mut buffer = ReadBuf::new(&mut input.space()[..limit]);
                    ready!(Pin::new(from).poll_read(cx, &mut buffer)).map_err(|_| Stuck::Source)?;
                    let bytes = buffer.filled();
                    let sent = unsent.send_or_keep(bytes, to, cx)?;
                    slice.spend(bytes.len(), start);
                    Poll::Ready(Ok((!bytes.is_empty()).then_some(sent)))
                }));
                match sent {
                    Ok(Some(sent)) => self.passed += sent,
                    Ok(None) => self.flow = Flow::Ending,
                    Err(stuck) => {
                        if let Stuck::Source = stuck {
                            self.flow = Flow::Reset;
                        }
                        return Poll::Ready(Err(stuck));
                    }
                }
            }
            Flow::Ending => {
                ready!(Pin::new(to).poll_shutdown(cx)).map_err(|_| Stuck::Destination)?;
                self.flow = Flow::Ended;
            }
            Flow::Ended | Flow::Reset => return Poll::Pending,
        }
        Poll::Ready(Ok(()))
    }

    /// Whether the destination takes some of what is unsent, although its kernel has not said so.
    pub(super) fn send_unasked(&mut self, to: &mut Stream) -> bool {
        let Flow::Open(unsent) = &mut self.flow else { return false };
        let rest = unsent.bytes.fill_buf().unwrap_or_default();
        if rest.is_empty() {
            return false;
        }
        let Some(sent) = to.send_unasked(rest) else { return false };
        unsent.on_sent(sent);
        self.passed += sent as u64;
        true
    }
}

impl Unsent {
    fn is_empty(&self) -> bool {
        self.bytes.get_ref().is_empty() && !self.is_unflushed
    }

    /// Sends as much as the destination takes, and returns how much that was.
    fn poll_send_some(&mut self, to: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let mut total = 0;
        while !self.bytes.get_ref().is_empty() {
            match Pin::new(&mut *to).poll_write(cx, self.bytes.fill_buf()?)? {
                Poll::Ready(sent) => {
                    self.on_sent(sent);
                    total += sent as u64;
                }
                Poll::Pending if total > 0 => return Poll::Ready(Ok(total)),
                Poll::Pending => return Poll::Pending,
            }
        }
        ready!(Pin::new(to).poll_flush(cx))?;
        self.is_unflushed = false;
        Poll::Ready(Ok(total))
    }

    fn on_sent(&mut self, bytes: usize) {
        self.bytes.consume(bytes);
        if bytes > 0 && self.bytes.position() == self.bytes.get_ref().len() as u64 {
            // Frees the memory.
            self.bytes = Cursor::default();
            self.is_unflushed = true;
        }
    }

    /// Sends what the destination takes now, keeps the rest, and returns how much was sent.
    fn send_or_keep(&mut self, bytes: &[u8], to: &mut Stream, cx: &mut Context<'_>) -> Result<u64, Stuck> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match Pin::new(&mut *to).poll_write(cx, rest) {
                Poll::Ready(Ok(sent)) => rest = &rest[sent..],
                Poll::Ready(Err(_)) => return Err(Stuck::Destination),
                Poll::Pending => break,
            }
        }
        if rest.is_empty() {
            let flushed = Pin::new(to).poll_flush(cx).map_err(|_| Stuck::Destination)?;
            self.is_unflushed = flushed.is_pending();
        } else {
            let mut kept = mem::take(&mut self.bytes).into_inner();
            memory::reserve(&mut kept, rest.len()).map_err(|_| Stuck::OutOfMemory)?;
            kept.extend_from_slice(rest);
            self.bytes = Cursor::new(kept);
        }
        Ok((bytes.len() - rest.len()) as u64)
    }
}
