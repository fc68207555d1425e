//! Standard input as a source of bytes and standard output as a sink: each a thread that blocks, so that
//! the main flow never does.
//!
//! Buffers go round between the thread and the main flow, and are neither copied nor allocated anew. The
//! descriptors are used as they are, without the standard library's buffers around them, and may be
//! non-blocking: whoever shares them may have made them so.

use std::future::pending;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc;
use std::thread;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::mpsc as async_mpsc;

/// How large the buffers are, and how many of them go round for each stream: while one is read or written,
/// another is on the network.
const BUFFER: usize = 256 * 1024;
const BUFFERS: usize = 2;

/// Standard input.
#[derive(Debug)]
pub(super) struct Source {
    chunks: async_mpsc::Receiver<io::Result<Vec<u8>>>,
    spare: mpsc::Sender<Vec<u8>>,
}

impl Source {
    /// Starts to read standard input.
    ///
    /// # Errors
    /// Where the descriptor cannot be duplicated.
    pub(super) fn stdin() -> io::Result<Self> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let (sender, chunks) = async_mpsc::channel(BUFFERS);
        let (spare, spares) = mpsc::channel();
        for _ in 0..BUFFERS {
            let _ = spare.send(Vec::new());
        }
        thread::spawn(move || {
            for mut buffer in spares {
                let chunk = read_some(&input, &mut buffer).map(|()| buffer);
                let is_last = chunk.as_ref().map_or(true, Vec::is_empty);
                if sender.blocking_send(chunk).is_err() || is_last {
                    break;
                }
            }
        });
        Ok(Self { chunks, spare })
    }

    /// The next bytes; none at all at the end of the input. Cancelled at any point, it loses nothing.
    ///
    /// # Errors
    /// Those of read(2).
    pub(super) async fn next(&mut self) -> io::Result<Vec<u8>> {
        self.chunks.recv().await.unwrap_or_else(|| Ok(Vec::new()))
    }

    /// Gives the memory of a chunk back, to be filled again.
    pub(super) fn recycle(&self, buffer: Vec<u8>) {
        // The thread is gone where the input has ended.
        let _ = self.spare.send(buffer);
    }
}

fn read_some(input: &OwnedFd, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    buffer.reserve(BUFFER);
    retry(input, PollFlags::IN, || rustix::io::read(input, spare_capacity(buffer)))?;
    Ok(())
}

/// Standard output.
#[derive(Debug)]
pub(super) struct Sink {
    full: mpsc::Sender<Vec<u8>>,
    written: async_mpsc::UnboundedReceiver<io::Result<Vec<u8>>>,
    spare: Vec<Vec<u8>>,
    being_written: usize,
}

impl Sink {
    /// Starts to write to standard output.
    ///
    /// # Errors
    /// Where the descriptor cannot be duplicated.
    pub(super) fn stdout() -> io::Result<Self> {
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        let (full, chunks) = mpsc::channel::<Vec<u8>>();
        let (sender, written) = async_mpsc::unbounded_channel();
        thread::spawn(move || {
            for chunk in chunks {
                let result = write_all(&output, &chunk).map(|()| chunk);
                let is_last = result.is_err();
                if sender.send(result).is_err() || is_last {
                    break;
                }
            }
        });
        Ok(Self { full, written, spare: vec![Vec::new(); BUFFERS], being_written: 0 })
    }

    /// An empty buffer with room, where one is free.
    pub(super) fn take_buffer(&mut self) -> Option<Vec<u8>> {
        let mut buffer = self.spare.pop()?;
        buffer.clear();
        buffer.reserve(BUFFER);
        Some(buffer)
    }

    /// Begins to write a buffer.
    pub(super) fn write(&mut self, buffer: Vec<u8>) {
        self.being_written += 1;
        // A thread that is gone has left its error behind.
        let _ = self.full.send(buffer);
    }

    /// Waits until a buffer has been written, for ever where none is being written. Cancelled at any point,
    /// it loses nothing.
    ///
    /// # Errors
    /// Those of write(2).
    pub(super) async fn written(&mut self) -> io::Result<()> {
        if self.being_written == 0 {
            pending::<()>().await;
        }
        let written = self.written.recv().await;
        self.being_written -= 1;
        let buffer = written.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))?;
        self.spare.push(buffer);
        Ok(())
    }

    /// Waits until all is written.
    ///
    /// # Errors
    /// Those of write(2).
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        while self.being_written > 0 {
            self.written().await?;
        }
        Ok(())
    }
}

fn write_all(output: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = retry(output, PollFlags::OUT, || rustix::io::write(output, bytes))?;
        bytes = &bytes[written..];
    }
    Ok(())
}

/// Makes a system call until it is neither interrupted nor would block.
fn retry<T>(
    descriptor: &OwnedFd,
    readiness: PollFlags,
    mut call: impl FnMut() -> rustix::io::Result<T>,
) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                // Interrupted or not, the call is tried again.
                let _ = poll(&mut [PollFd::new(descriptor, readiness)], None);
            }
            result => return Ok(result?),
        }
    }
}
