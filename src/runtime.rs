//! Starts tokio's runtime.

use std::io;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::stderr;
use tokio::runtime::{Builder, Runtime};

/// How many descriptors the runtime takes: for epoll(7), its waker, and the pipe of its signals.
const DESCRIPTORS: usize = 6;

/// Starts a runtime for this thread. Returns an error if that takes more descriptors than there are.
pub(crate) fn start() -> io::Result<Runtime> {
    // tokio panics if the last ones are missing.
    let spare: Vec<_> =
        (0..DESCRIPTORS).map(|_| fcntl_dupfd_cloexec(stderr(), 0)).collect::<Result<_, _>>()?;
    drop(spare);
    Builder::new_current_thread().enable_all().build()
}
