//! How the results of transcripts are told: as text, as TAP, or as JUnit's XML.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::failure::{Failure, Status};
use crate::output;
use crate::printable::printable;
use crate::transcript::{Conflict, Diff, DiffLine};

/// How results are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// The Test Anything Protocol, version 13.
    Tap,
    /// JUnit's XML, as CI systems read it.
    Junit,
}

/// What became of a transcript.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The server did as it says; in an update, there was nothing to change.
    Passed,
    /// The file has been rewritten.
    Updated,
    Diverged(Diff),
    /// The user's limit ran out, and not the transcript's own.
    TimedOut(Diff),
    Conflict(Conflict),
    /// The time for all of them ran out.
    NotDone(String),
    NotConnected(String),
    NotWritten(String),
}

impl Outcome {
    fn is_failure(&self) -> bool {
        !matches!(self, Self::Passed | Self::Updated)
    }

    fn status(&self) -> Status {
        match self {
            Self::Passed | Self::Updated => Status::Success,
            Self::Diverged(_) | Self::Conflict(_) => Status::Mismatch,
            Self::TimedOut(_) | Self::NotDone(_) => Status::TimedOut,
            Self::NotConnected(_) | Self::NotWritten(_) => Status::Failure,
        }
    }

    /// What went wrong, in a line that begins with the file.
    fn headline(&self, path: &str) -> String {
        match self {
            Self::Passed | Self::Updated => path.to_owned(),
            Self::Diverged(diff) | Self::TimedOut(diff) => diff.headline.clone(),
            Self::Conflict(conflict) => format!("{conflict}; the file is as it was"),
            Self::NotDone(error) | Self::NotConnected(error) | Self::NotWritten(error) => {
                format!("{path}: {error}")
            }
        }
    }

    fn diff(&self) -> &[DiffLine] {
        match self {
            Self::Diverged(diff) | Self::TimedOut(diff) => &diff.lines,
            _ => &[],
        }
    }
}

/// Tells results on standard output, in the order in which it is told of them.
#[expect(clippy::struct_excessive_bools, reason = "each says something else, and any may go with any")]
pub(super) struct Report {
    format: Format,
    color: bool,
    updates: bool,
    count: usize,
    told: usize,
    failed: usize,
    updated: usize,
    worst: Status,
    /// Whether an update would change what failed.
    can_be_updated: bool,
    /// JUnit wants the numbers before the results.
    cases: String,
    time: Duration,
    shows_progress: bool,
}

/// The status that stands for several: what is named first wins.
const PRECEDENCE: [Status; 4] = [Status::Failure, Status::TimedOut, Status::Mismatch, Status::Success];

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[m";

impl Report {
    pub(super) fn new(format: Format, color: bool, updates: bool, count: usize) -> Self {
        Self {
            format,
            color: color && format == Format::Text,
            updates,
            count,
            told: 0,
            failed: 0,
            updated: 0,
            worst: Status::Success,
            can_be_updated: false,
            cases: String::new(),
            time: Duration::ZERO,
            shows_progress: count > 1 && io::stderr().is_terminal(),
        }
    }

    pub(super) fn begin(&self) -> Result<()> {
        match self.format {
            Format::Tap => self.write(&format!("TAP version 13\n1..{}\n", self.count)),
            Format::Text | Format::Junit => Ok(()),
        }
    }

    /// Tells of the next file.
    pub(super) fn tell(&mut self, path: &Path, outcome: &Outcome, time: Duration) -> Result<()> {
        self.told += 1;
        self.failed += usize::from(outcome.is_failure());
        self.updated += usize::from(matches!(outcome, Outcome::Updated));
        self.time += time;
        self.can_be_updated |= matches!(outcome, Outcome::Diverged(diff) if diff.can_be_updated);
        let rank = |status| PRECEDENCE.iter().position(|&is| is == status);
        if rank(outcome.status()) < rank(self.worst) {
            self.worst = outcome.status();
        }
        let path = printable(&path.display().to_string());
        let headline = printable(&outcome.headline(&path));
        match self.format {
            Format::Text => self.write(&self.text(outcome, &headline)),
            Format::Tap => self.write(&self.tap(outcome, &path, &headline)),
            Format::Junit => {
                self.cases += &junit_case(outcome, &path, &headline, time);
                Ok(())
            }
        }
    }

    /// Shows a terminal how far it has come.
    pub(super) fn show_progress(&self, done: usize) {
        if self.shows_progress && done < self.count {
            output::show_progress(format_args!("{done} of {}, {} failed", self.count, self.failed));
        }
    }

    pub(super) fn finish(&self) -> Result<()> {
        let (told, failed) = (self.told, self.failed);
        match self.format {
            Format::Text if self.updates => {
                let unchanged = told - failed - self.updated;
                self.write(&format!("{} updated, {unchanged} unchanged, {failed} failed\n", self.updated))
            }
            Format::Text => self.write(&format!("{} passed, {failed} failed\n", told - failed)),
            Format::Tap => Ok(()),
            Format::Junit => self.write(&format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <testsuite name=\"capchat\" tests=\"{told}\" failures=\"{failed}\" errors=\"0\" time=\"{:.3}\">\n\
                 {}</testsuite>\n",
                self.time.as_secs_f64(),
                self.cases
            )),
        }
    }

    /// What the program ends with.
    pub(super) fn status(&self, address: &str) -> Result<()> {
        if self.worst == Status::Success {
            return Ok(());
        }
        let (failed, told) = (self.failed, self.told);
        let what = match (self.worst, self.updates) {
            (Status::TimedOut, _) => "failed; the time ran out",
            (Status::Failure, _) => "could not be played",
            (_, true) => "could not be updated",
            _ if self.can_be_updated => "failed; --update takes new replies over",
            _ => "failed",
        };
        Err(Failure::new(self.worst, format_args!("{failed} of {told} with {address} {what}")).into())
    }

    fn text(&self, outcome: &Outcome, headline: &str) -> String {
        let word = match outcome {
            Outcome::Passed if self.updates => "SAME",
            Outcome::Passed => "PASS",
            Outcome::Updated => "UPDATED",
            _ => "FAIL",
        };
        let (color, end) = match (self.color, outcome.is_failure()) {
            (false, _) => ("", ""),
            (true, true) => (RED, PLAIN),
            (true, false) => (GREEN, PLAIN),
        };
        let mut text = format!("{color}{word}{end} {headline}\n");
        for line in outcome.diff() {
            let color = match line {
                DiffLine::Expected(_) if self.color => RED,
                DiffLine::Received(_) if self.color => GREEN,
                _ => "",
            };
            let end = if color.is_empty() { "" } else { PLAIN };
            let _ = writeln!(text, "{color}{line}{end}");
        }
        text
    }

    /// See <https://testanything.org/tap-version-13-specification.html>.
    fn tap(&self, outcome: &Outcome, path: &str, headline: &str) -> String {
        // A hash begins a directive.
        let path = path.replace('#', "\\#");
        if !outcome.is_failure() {
            return format!("ok {} - {path}\n", self.told);
        }
        let mut text = format!("not ok {} - {path}\n  ---\n  message: {}\n", self.told, yaml(headline));
        if !outcome.diff().is_empty() {
            text += "  diff: |\n";
            for line in outcome.diff() {
                let _ = writeln!(text, "    {line}");
            }
        }
        text + "  ...\n"
    }

    fn write(&self, text: &str) -> Result<()> {
        self.clear_progress();
        let mut stdout = io::stdout();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            // Nobody reads the report; the status still tells.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.context("could not write to standard output"),
        }
    }

    fn clear_progress(&self) {
        if self.shows_progress {
            output::clear_progress();
        }
    }
}

/// Also where the time has run out before all is told.
impl Drop for Report {
    fn drop(&mut self) {
        self.clear_progress();
    }
}

fn junit_case(outcome: &Outcome, path: &str, headline: &str, time: Duration) -> String {
    let time = time.as_secs_f64();
    let path = xml(path);
    if !outcome.is_failure() {
        return format!("  <testcase classname=\"capchat\" name=\"{path}\" time=\"{time:.3}\"/>\n");
    }
    let mut diff = String::new();
    for line in outcome.diff() {
        let _ = writeln!(diff, "{line}");
    }
    format!(
        "  <testcase classname=\"capchat\" name=\"{path}\" time=\"{time:.3}\">\n    \
         <failure message=\"{}\">{}</failure>\n  </testcase>\n",
        xml(headline),
        xml(&diff)
    )
}

fn xml(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    // No characters of XML's, though of Unicode's.
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// A text in one line, as YAML has it between double quotes.
fn yaml(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
