//! The standard streams around a conversation, for those modes in which they are no terminal.

use std::io;

use anyhow::{Context, Error, Result};

use super::conversation::{Conversation, Event};
use super::stdio::{Sink, Source};

/// Standard input.
#[derive(Debug)]
pub(super) struct Input {
    source: Source,
    /// Why the input ended before its end. Told last: the replies to what came before are still owed.
    error: Option<io::Error>,
}

impl Input {
    pub(super) fn open() -> Self {
        Self { source: Source::stdin(), error: None }
    }

    /// The next bytes; none at all at the end of the input, or where it broke off. Cancelled at any point,
    /// it loses nothing.
    pub(super) async fn next(&mut self) -> Vec<u8> {
        self.source.next().await.unwrap_or_else(|error| {
            self.error = Some(error);
            Vec::new()
        })
    }

    /// Gives the memory of a chunk back, to be filled again.
    pub(super) fn recycle(&self, buffer: Vec<u8>) {
        self.source.recycle(buffer);
    }

    /// Tells whether the whole input was read.
    ///
    /// # Errors
    /// Where it broke off.
    pub(super) fn finish(self) -> Result<()> {
        self.error.map_or(Ok(()), Err).context("could not read standard input")
    }
}

/// What happened while the server's bytes went to standard output.
#[derive(Debug)]
pub(super) enum Step {
    /// Something in the conversation.
    Event(Event),
    /// Standard output has taken some bytes, so that more can be received.
    Written,
    /// Nobody reads standard output any more.
    ReaderGone,
}

/// Standard output.
#[derive(Debug)]
pub(super) struct Output {
    sink: Sink,
    receiving: Option<Vec<u8>>,
}

impl Output {
    pub(super) fn open() -> Result<Self> {
        let sink = Sink::stdout().context("could not use standard output")?;
        Ok(Self { sink, receiving: None })
    }

    /// Goes on with the conversation, as long as standard output keeps up. After [`Event::Received`] the
    /// bytes are in [`received`](Self::received), to be written. Cancelled at any point, it loses nothing.
    ///
    /// # Errors
    /// Those of the conversation, once all that was received is written, and of writing.
    pub(super) async fn step(&mut self, conversation: &mut Conversation) -> Result<Step> {
        if self.receiving.is_none() {
            self.receiving = self.sink.take_buffer();
        }
        tokio::select! {
            written = self.sink.written() => reader_is_there(written),
            event = conversation.next(self.receiving.as_mut()) => match event {
                Ok(event) => Ok(Step::Event(event)),
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

    /// Waits until all is written. That nobody reads it is no error.
    ///
    /// # Errors
    /// Those of writing.
    pub(super) async fn finish(mut self) -> Result<()> {
        reader_is_there(self.sink.flush().await).map(drop)
    }

    async fn fail(&mut self, error: Error) -> Result<Step> {
        match reader_is_there(self.sink.flush().await) {
            Ok(Step::ReaderGone) => Ok(Step::ReaderGone),
            _ => Err(error),
        }
    }
}

fn reader_is_there(written: io::Result<()>) -> Result<Step> {
    match written {
        Ok(()) => Ok(Step::Written),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Step::ReaderGone),
        Err(error) => Err(error).context("could not write to standard output"),
    }
}
