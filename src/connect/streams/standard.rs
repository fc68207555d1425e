//! The standard streams around a conversation.

use std::io;

use anyhow::{Context, Error, Result};

use super::stdio::{Sink, Source};
use crate::connect::conversation::{Conversation, Progress};

/// Standard input.
#[derive(Debug)]
pub(super) struct StandardInput {
    source: Source,
    /// Why the input ended before its end. Reported last: the replies to what came before are outstanding.
    error: Option<io::Error>,
}

impl StandardInput {
    pub(super) fn open() -> Self {
        Self { source: Source::stdin(), error: None }
    }

    /// The next bytes; none at the end of the input, or if reading failed. Cancel-safe.
    pub(super) async fn next(&mut self) -> Vec<u8> {
        self.source.next().await.unwrap_or_else(|error| {
            self.error = Some(error);
            Vec::new()
        })
    }

    /// Returns a chunk's buffer for reuse.
    pub(super) fn recycle(&self, buffer: Vec<u8>) {
        self.source.recycle(buffer);
    }

    /// Returns an error if reading has failed.
    pub(super) fn finish(self) -> Result<()> {
        self.error.map_or(Ok(()), Err).context("could not read standard input")
    }
}

/// What happened while the server's bytes went to standard output.
#[derive(Debug)]
pub(super) enum OutputEvent {
    /// Something in the conversation.
    Conversation(Progress),
    /// Standard output took some bytes, so that more can be received.
    Written,
    /// Standard output was closed by its reader.
    ReaderGone,
}

/// Whether anybody can still read standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum OutputReader {
    There,
    Gone,
}

/// Standard output.
#[derive(Debug)]
pub(super) struct StandardOutput {
    sink: Sink,
    receiving: Option<Vec<u8>>,
}

impl StandardOutput {
    pub(super) fn open() -> Result<Self> {
        let sink = Sink::stdout().context("could not use standard output")?;
        Ok(Self { sink, receiving: None })
    }

    /// Continues the conversation, as long as standard output keeps up. After [`Progress::Received`] the bytes
    /// are in [`received`](Self::received), to be written. Cancel-safe.
    ///
    /// Returns an error if the conversation failed, once everything that was received is written, or if writing
    /// failed.
    pub(super) async fn next(&mut self, conversation: &mut Conversation) -> Result<OutputEvent> {
        if self.receiving.is_none() {
            self.receiving = self.sink.take_buffer();
        }
        tokio::select! {
            written = self.sink.written() => Ok(match reader(written)? {
                OutputReader::There => OutputEvent::Written,
                OutputReader::Gone => OutputEvent::ReaderGone,
            }),
            progress = conversation.next(self.receiving.as_mut()) => match progress {
                Ok(progress) => Ok(OutputEvent::Conversation(progress)),
                Err(error) => self.fail(error).await,
            },
        }
    }

    /// Whether there is room to receive.
    pub(super) fn is_receiving(&self) -> bool {
        self.receiving.is_some() || self.sink.has_buffer()
    }

    /// The bytes that were received and not written yet.
    pub(super) fn received(&self) -> &[u8] {
        self.receiving.as_deref().unwrap_or_default()
    }

    /// Writes what was received.
    pub(super) fn write(&mut self) {
        if let Some(bytes) = self.receiving.take() {
            self.sink.write(bytes);
        }
    }

    /// Waits until everything is written, and closes standard output, so that its reader sees the end.
    /// Cancel-safe.
    pub(super) async fn close(&mut self) -> Result<OutputReader> {
        let reader = reader(self.sink.flush().await)?;
        self.sink.close();
        Ok(reader)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sink.is_closed()
    }

    async fn fail(&mut self, error: Error) -> Result<OutputEvent> {
        match reader(self.sink.flush().await) {
            Ok(OutputReader::Gone) => Ok(OutputEvent::ReaderGone),
            _ => Err(error),
        }
    }
}

/// Whether the reader was still there for a write. That it is gone is not an error.
fn reader(written: io::Result<()>) -> Result<OutputReader> {
    match written {
        Ok(()) => Ok(OutputReader::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(OutputReader::Gone),
        Err(error) => Err(error).context("could not write to standard output"),
    }
}
