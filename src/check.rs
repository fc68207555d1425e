//! `capchat check`: plays transcripts against a server, several at a time, and compares, or updates the files.

mod connections;
mod find;
mod report;
mod run;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::playing::Values;
use crate::runtime;
use crate::transport::Dialer;
pub(crate) use report::ReportFormat;

/// Check settings.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent")]
pub(crate) struct Settings {
    pub(crate) dialer: Dialer,
    /// Files, and directories of `*.chat` files.
    pub(crate) paths: Vec<PathBuf>,
    /// The values of variables.
    pub(crate) values: Values,
    /// Whether files are rewritten to what the server says.
    pub(crate) updates: bool,
    /// How many transcripts are played at a time.
    pub(crate) jobs: NonZeroUsize,
    pub(crate) format: ReportFormat,
    /// Whether a text report is colored.
    pub(crate) color: bool,
    /// Whether standard error shows progress.
    pub(crate) progress: bool,
    /// Whether standard error shows every line of a conversation.
    pub(crate) verbose: bool,
    /// Shortens the transcripts' own time limit; `None` keeps it.
    pub(crate) timeout: Option<Duration>,
    /// Limits the whole run; `None` means no limit.
    pub(crate) max_time: Option<Duration>,
}

/// Plays every transcript on connections of its own, and reports to standard output.
///
/// Returns a usage failure, before any connection is made, if a file is not a valid transcript; otherwise the
/// failure that [`report::PRECEDENCE`] puts first.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    let runtime = runtime::start().context("could not start the check")?;
    runtime.block_on(run::run(settings))
}
