//! Standard input as a source of bytes and standard output as a sink, so that the main flow never blocks on
//! them.
//!
//! Input that is ready is read directly, and a few bytes that fit are written directly, so a short run needs no
//! thread. (This relies on nobody else reading the same pipe at the same time.) Otherwise each stream has a
//! thread that blocks; buffers circulate between it and the main flow, without copies or new allocations. The
//! descriptors are used without the standard library's buffers, and may be non-blocking: another process that
//! shares them may have made them so.

use std::collections::VecDeque;
use std::fs::File;
use std::future::pending;
use std::io::{self, IsTerminal};
use std::os::fd::BorrowedFd;
use std::sync::mpsc;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::net::unix::pipe;
use tokio::sync::mpsc as async_mpsc;

use crate::blocking;

/// The size of the buffers, and how many circulate per stream: while one is read or written, another is on the
/// network.
const BUFFER: usize = 256 * 1024;
const BUFFERS: usize = 2;

/// How much a pipe that is ready for writing takes without blocking (`PIPE_BUF`, pipe(7)). Buffers are this
/// small until one was filled: mapping larger ones is a noticeable part of a short run.
const SMALL: usize = 4096;

/// Standard input.
#[derive(Debug)]
pub(super) struct Source {
    input: BorrowedFd<'static>,
    thread: Option<SourceThread>,
}

#[derive(Debug)]
struct SourceThread {
    chunks: async_mpsc::Receiver<io::Result<Vec<u8>>>,
    spare: mpsc::Sender<Vec<u8>>,
}

impl Source {
    pub(super) fn stdin() -> Self {
        Self { input: rustix::stdio::stdin(), thread: None }
    }

    /// The next bytes; none at the end of the input. Cancel-safe.
    pub(super) async fn next(&mut self) -> io::Result<Vec<u8>> {
        if self.thread.is_none() && is_ready(self.input, PollFlags::IN) {
            let mut chunk = Vec::new();
            read_some(self.input, &mut chunk, SMALL)?;
            if chunk.len() >= SMALL {
                // There is likely more, which can be read while this is sent. If that fails, it is read after it.
                self.thread = SourceThread::start(self.input).ok();
            }
            return Ok(chunk);
        }
        let thread = match &mut self.thread {
            Some(thread) => thread,
            None => self.thread.insert(SourceThread::start(self.input)?),
        };
        thread.chunks.recv().await.unwrap_or_else(|| Ok(Vec::new()))
    }

    /// Returns a chunk's buffer for reuse.
    pub(super) fn recycle(&self, buffer: Vec<u8>) {
        if let Some(thread) = &self.thread {
            // The thread has exited if the input has ended.
            let _ = thread.spare.send(buffer);
        }
    }
}

impl SourceThread {
    fn start(input: BorrowedFd<'static>) -> io::Result<Self> {
        let (sender, chunks) = async_mpsc::channel(BUFFERS);
        let (spare, spares) = mpsc::channel();
        for _ in 0..BUFFERS {
            let _ = spare.send(Vec::new());
        }
        blocking::spawn(move || {
            for mut buffer in spares {
                let chunk = read_some(input, &mut buffer, BUFFER).map(|()| buffer);
                let is_last = chunk.as_ref().map_or(true, Vec::is_empty);
                if sender.blocking_send(chunk).is_err() || is_last {
                    break;
                }
            }
        })?;
        Ok(Self { chunks, spare })
    }
}

/// Reads once, up to `most` bytes.
fn read_some(input: BorrowedFd<'_>, buffer: &mut Vec<u8>, most: usize) -> io::Result<()> {
    buffer.clear();
    buffer.reserve_exact(most);
    retry(input, PollFlags::IN, || rustix::io::read(input, spare_capacity(buffer)))?;
    Ok(())
}

/// Standard output.
#[derive(Debug)]
pub(super) struct Sink {
    output: BorrowedFd<'static>,
    /// Notices that the reader of a pipe is gone; files have none. Nothing is written through it, so the
    /// descriptor may be blocking.
    reader: Option<pipe::Sender>,
    thread: Option<SinkThread>,
    spare: Vec<Vec<u8>>,
    /// The capacity of the next buffer.
    room: usize,
    /// What was written without the thread, and the results.
    written_directly: VecDeque<io::Result<Vec<u8>>>,
    being_written: usize,
    is_closed: bool,
}

#[derive(Debug)]
struct SinkThread {
    full: mpsc::Sender<Vec<u8>>,
    written: async_mpsc::UnboundedReceiver<io::Result<Vec<u8>>>,
}

impl Sink {
    /// Returns an error if the descriptor cannot be duplicated.
    pub(super) fn stdout() -> io::Result<Self> {
        let output = rustix::stdio::stdout();
        Ok(Self {
            reader: pipe::Sender::from_owned_fd_unchecked(output.try_clone_to_owned()?).ok(),
            output,
            thread: None,
            spare: vec![Vec::new(); BUFFERS],
            room: SMALL,
            written_directly: VecDeque::new(),
            being_written: 0,
            is_closed: false,
        })
    }

    /// Whether a buffer is free.
    pub(super) fn has_buffer(&self) -> bool {
        !self.spare.is_empty()
    }

    /// An empty buffer with spare capacity, if one is free.
    pub(super) fn take_buffer(&mut self) -> Option<Vec<u8>> {
        let mut buffer = self.spare.pop()?;
        buffer.clear();
        buffer.reserve_exact(self.room);
        Some(buffer)
    }

    /// Starts writing a buffer.
    pub(super) fn write(&mut self, buffer: Vec<u8>) {
        self.being_written += 1;
        if buffer.len() == buffer.capacity() {
            self.room = BUFFER;
        }
        if self.written_directly.back().is_some_and(Result::is_err) {
            // What follows bytes that are missing is not written either, even if it could be.
            return;
        }
        if self.thread.is_none() && self.fits_directly(&buffer) {
            let result = write_all(self.output, &buffer).map(|()| buffer);
            self.written_directly.push_back(result);
            return;
        }
        if self.thread.is_none() {
            match SinkThread::start(self.output) {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => self.written_directly.push_back(Err(error)),
            }
        }
        if let Some(thread) = &self.thread {
            // A thread that has exited has left its error behind.
            let _ = thread.full.send(buffer);
        }
    }

    /// Whether writing cannot block. A terminal that is ready may still block.
    fn fits_directly(&self, buffer: &[u8]) -> bool {
        buffer.len() <= SMALL && is_ready(self.output, PollFlags::OUT) && !self.output.is_terminal()
    }

    /// Waits until a buffer has been written; forever if none is being written. Cancel-safe.
    ///
    /// A pipe whose reader is gone is an error even while nothing is written.
    pub(super) async fn written(&mut self) -> io::Result<()> {
        let result = if let Some(result) = self.written_directly.pop_front() {
            result
        } else {
            tokio::select! {
                biased;
                result = written_by_thread(self.thread.as_mut()), if self.being_written > 0 => result,
                () = reader_is_gone(self.reader.as_ref()) => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        };
        self.being_written -= 1;
        self.spare.push(result?);
        Ok(())
    }

    /// Waits until everything is written. Cancel-safe.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        while self.being_written > 0 {
            self.written().await?;
        }
        Ok(())
    }

    /// Closes standard output, to which everything is written: its reader sees the end, although the process
    /// goes on. The null device takes its place, so that the descriptor is not reused.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.reader = None;
        // If this fails, the reader sees the end when the process exits.
        if let Ok(null) = File::options().write(true).open("/dev/null") {
            let _ = rustix::stdio::dup2_stdout(null);
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }
}

impl SinkThread {
    fn start(output: BorrowedFd<'static>) -> io::Result<Self> {
        let (full, chunks) = mpsc::channel::<Vec<u8>>();
        let (sender, written) = async_mpsc::unbounded_channel();
        blocking::spawn(move || {
            for chunk in chunks {
                let result = write_all(output, &chunk).map(|()| chunk);
                let is_last = result.is_err();
                if sender.send(result).is_err() || is_last {
                    break;
                }
            }
        })?;
        Ok(Self { full, written })
    }
}

async fn written_by_thread(thread: Option<&mut SinkThread>) -> io::Result<Vec<u8>> {
    let written = match thread {
        Some(thread) => thread.written.recv().await,
        None => None,
    };
    written.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
}

async fn reader_is_gone(reader: Option<&pipe::Sender>) {
    match reader {
        Some(reader) => drop(reader.ready(Interest::ERROR).await),
        None => pending().await,
    }
}

fn is_ready(descriptor: BorrowedFd<'_>, readiness: PollFlags) -> bool {
    let now = Timespec::default();
    poll(&mut [PollFd::new(&descriptor, readiness)], Some(&now)).is_ok_and(|ready| ready > 0)
}

fn write_all(output: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = retry(output, PollFlags::OUT, || rustix::io::write(output, bytes))?;
        bytes = &bytes[written..];
    }
    Ok(())
}

/// Repeats a system call while it is interrupted or would block.
fn retry<T>(
    descriptor: BorrowedFd<'_>,
    readiness: PollFlags,
    mut call: impl FnMut() -> rustix::io::Result<T>,
) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                // Interrupted or not, the call is repeated.
                let _ = poll(&mut [PollFd::new(&descriptor, readiness)], None);
            }
            result => return Ok(result?),
        }
    }
}
