//! Reports results on standard output, in the order of the files.

mod junit;
mod tap;
mod text;

use std::io;
use std::mem::take;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::Settings;
use crate::deadline::TimeLimit;
use crate::messages;
use crate::status::{Failure, Status};
use crate::text::printable;
use crate::transcript::{Diff, DiffLine, ReportText};
use crate::transport::Address;

/// The format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Text,
    /// The Test Anything Protocol, version 13
    Tap,
    /// JUnit XML
    Junit,
}

/// What became of a transcript.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The server followed it; in an update, there was nothing to change.
    Passed,
    /// The file was rewritten, as this diff says.
    Updated(Vec<DiffLine>),
    Diverged(Diff),
    /// The user's time limit ran out, and not the transcript's.
    TimedOut(Diff),
    /// The time for the whole run was up.
    NotDone(String),
    NotConnected(String),
    /// A connection that the transcript opens later could not be opened.
    NotOpened(Diff),
    NotWritten(String),
}

impl Outcome {
    fn is_failure(&self) -> bool {
        !matches!(self, Self::Passed | Self::Updated(_))
    }

    fn status(&self) -> Status {
        match self {
            Self::Passed | Self::Updated(_) => Status::Success,
            Self::Diverged(_) => Status::Mismatch,
            Self::TimedOut(_) | Self::NotDone(_) => Status::TimedOut,
            Self::NotConnected(_) | Self::NotOpened(_) | Self::NotWritten(_) => Status::Failure,
        }
    }

    /// What went wrong, in one line that starts with the file.
    fn headline(&self, path: &str) -> String {
        match self {
            Self::Passed | Self::Updated(_) => path.to_owned(),
            Self::Diverged(diff) | Self::TimedOut(diff) | Self::NotOpened(diff) => diff.headline.clone(),
            Self::NotDone(error) | Self::NotConnected(error) | Self::NotWritten(error) => {
                format!("{path}: {error}")
            }
        }
    }

    fn diff(&self) -> &[DiffLine] {
        match self {
            Self::Diverged(diff) | Self::TimedOut(diff) | Self::NotOpened(diff) => &diff.lines,
            Self::Updated(lines) => lines,
            Self::Passed | Self::NotDone(_) | Self::NotConnected(_) | Self::NotWritten(_) => &[],
        }
    }
}

/// The result of one transcript, as the formats show it.
struct Case<'a> {
    /// Its position, from 1.
    number: usize,
    /// The file's name, safe to print.
    path: &'a str,
    /// See [`Outcome::headline`]; safe to print.
    headline: &'a str,
    outcome: &'a Outcome,
    time: Duration,
}

/// The results so far.
#[derive(Default)]
struct Totals {
    reported: usize,
    failed: usize,
    updated: usize,
    time: Duration,
}

/// How results are written. Each method returns the text to write next.
trait Format {
    fn begin(&mut self, _count: usize) -> String {
        String::new()
    }

    fn case(&mut self, case: &Case<'_>) -> String;

    fn end(&mut self, _totals: &Totals) -> String {
        String::new()
    }
}

/// How long after the time limit of the run its results may still take to be written.
const LAST_WRITE: Duration = Duration::from_secs(1);

/// A report that is being written.
pub(super) struct Report {
    format: Box<dyn Format>,
    /// What [`Report::flush`] is to write.
    pending: String,
    updates: bool,
    shows_progress: bool,
    count: usize,
    totals: Totals,
    worst: Status,
    /// Whether an update would change anything that failed.
    can_be_updated: bool,
}

/// The status of several results is the first of these that occurs.
pub(super) const PRECEDENCE: [Status; 4] =
    [Status::Failure, Status::TimedOut, Status::Mismatch, Status::Success];

impl Report {
    pub(super) fn new(settings: &Settings, count: usize) -> Self {
        let Settings { updates, color, .. } = *settings;
        Self {
            format: match settings.format {
                ReportFormat::Text => {
                    Box::new(text::Text { updates, text: ReportText { has_colors: color } })
                }
                ReportFormat::Tap => Box::new(tap::Tap),
                ReportFormat::Junit => Box::new(junit::Junit::default()),
            },
            pending: String::new(),
            updates,
            shows_progress: settings.progress && count > 1,
            count,
            totals: Totals::default(),
            worst: Status::Success,
            can_be_updated: false,
        }
    }

    pub(super) fn begin(&mut self) {
        self.pending += &self.format.begin(self.count);
    }

    /// Reports the next file.
    pub(super) fn add(&mut self, path: &Path, outcome: &Outcome, time: Duration) {
        self.totals.reported += 1;
        self.totals.failed += usize::from(outcome.is_failure());
        self.totals.updated += usize::from(matches!(outcome, Outcome::Updated(_)));
        self.totals.time += time;
        self.can_be_updated |= matches!(outcome, Outcome::Diverged(diff) if diff.can_be_updated);
        let rank = |status| PRECEDENCE.iter().position(|&is| is == status);
        if rank(outcome.status()) < rank(self.worst) {
            self.worst = outcome.status();
        }
        let path = printable(&path.display().to_string());
        let headline = printable(&outcome.headline(&path));
        let number = self.totals.reported;
        self.pending += &self.format.case(&Case { number, path: &path, headline: &headline, outcome, time });
    }

    /// Shows how many files are done.
    pub(super) fn show_progress(&self, done: usize) {
        if self.shows_progress && done < self.count {
            let failed = self.totals.failed;
            messages::show_progress(format_args!("{done} of {}, {failed} failed", self.count));
        }
    }

    pub(super) fn end(&mut self) {
        self.pending += &self.format.end(&self.totals);
    }

    /// Writes what was reported. Returns an error if that fails, or a reader holds it up beyond the limit.
    pub(super) async fn flush(&mut self, limit: &TimeLimit) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.shows_progress {
            messages::clear_progress();
        }
        let text = take(&mut self.pending);
        match limit.apply_blocking(LAST_WRITE, move || messages::print(&text)).await? {
            // Whoever reads the report has seen enough; the status still counts.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.context("could not write to standard output"),
        }
    }

    /// Returns an error, the summary for standard error, if anything failed.
    pub(super) fn status(&self, address: &Address) -> Result<()> {
        let what = match (self.worst, self.updates) {
            (Status::Success, _) => return Ok(()),
            (Status::TimedOut, _) => format!("failed against {address}: timed out"),
            (Status::Failure, false) => format!("could not be played against {address}"),
            (_, true) => format!("could not be updated from {address}"),
            _ if self.can_be_updated => {
                format!("failed against {address}; use --update to accept the new replies")
            }
            _ => format!("failed against {address}"),
        };
        let Totals { failed, reported, .. } = self.totals;
        let noun = if reported == 1 { "transcript" } else { "transcripts" };
        Err(Failure::new(self.worst, format_args!("{failed} of {reported} {noun} {what}")).into())
    }
}
