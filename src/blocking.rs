//! Threads for what blocks and cannot be canceled. Each is abandoned wherever it is when its result is no longer
//! wanted, and ends with the program.

use std::io;
use std::thread;

use tokio::sync::oneshot;

use crate::messages::reason;

/// Starts a thread. Returns an error if the system has none left.
pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    match thread::Builder::new().spawn(work) {
        Ok(_) => Ok(()),
        Err(error) => {
            let message = format!("could not start a thread: {}", reason(&error));
            Err(io::Error::new(error.kind(), message))
        }
    }
}

/// Does work in a thread, and waits for its result. Returns an error if the thread cannot be started.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (sender, result) = oneshot::channel();
    // The result is dropped if nobody waits for it any more.
    spawn(move || drop(sender.send(work())))?;
    result.await.map_err(io::Error::other)
}
