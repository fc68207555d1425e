//! Checks servers by transcripts, or brings transcripts up to date: several files, some at a time.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use super::limit::TimeLimit;
use super::options::Options;
use super::report::{Format, Outcome, Report};
use super::tell;
use crate::failure::{Failure, Status};
use crate::output;
use crate::playing::{open, play};
use crate::recording::replace_file;
use crate::transcript::{Diff, Follow, Learn, Playable, Side, Transcript, Turn, rewrite};
use crate::transport::{Address, Dialer, Family};

/// How the files of transcripts are called, where a folder is named.
const EXTENSION: &str = "chat";

/// What is checked or updated, and how it is told.
#[derive(Debug)]
pub struct CheckOptions {
    /// Files, and folders of them.
    pub paths: Vec<PathBuf>,
    /// Whether the files are rewritten where the server says something else.
    pub updates: bool,
    /// How many are played at a time.
    pub jobs: NonZeroUsize,
    /// How the results are told.
    pub format: Format,
    /// Whether they are coloured.
    pub color: bool,
}

/// Plays every transcript on a connection of its own, and reports on standard output.
///
/// # Errors
/// [`Status::Usage`] where a file is no transcript, before anything is sent; otherwise where any could not
/// connect, took too long, or did not go as it says, in this order.
pub(super) async fn run(options: &CheckOptions, whole: &Options, limit: &TimeLimit) -> Result<()> {
    let Options { dialer, timeout: patience, verbose, .. } = whole;
    let transcripts = read_all(&options.paths)?;
    let count = transcripts.len();
    let paths: Vec<PathBuf> = transcripts.iter().map(|playable| playable.transcript().path.clone()).collect();
    let mut report = Report::new(options.format, options.color, options.updates, count);
    report.begin()?;
    let mut waiting = transcripts.into_iter().enumerate();
    let mut running = JoinSet::new();
    // Those that are done before one that stands above them.
    let mut done = BTreeMap::new();
    let mut told = 0;
    while told < count {
        while running.len() < options.jobs.get()
            && let Some((index, playable)) = waiting.next()
        {
            let dialer = dialer.clone();
            let job =
                Job { playable, dialer, patience: *patience, updates: options.updates, verbose: *verbose };
            running.spawn(async move {
                let start = Instant::now();
                (index, job.run().await, start.elapsed())
            });
        }
        match limit.apply(running.join_next()).await {
            Ok(Some(ended)) => {
                let (index, outcome, time) = ended.context("could not play a transcript")?;
                done.insert(index, (outcome, time));
            }
            Ok(None) => break,
            Err(error) => {
                for index in told..count {
                    done.entry(index).or_insert((Outcome::NotDone(error.to_string()), Duration::ZERO));
                }
            }
        }
        while let Some((outcome, time)) = done.remove(&told) {
            report.tell(&paths[told], &outcome, time)?;
            told += 1;
        }
        report.show_progress(told + done.len());
    }
    report.finish()?;
    report.status(&dialer.address.to_string())
}

/// One transcript that is played.
struct Job {
    playable: Playable,
    dialer: Dialer,
    patience: Option<Duration>,
    updates: bool,
    verbose: bool,
}

impl Job {
    async fn run(self) -> Outcome {
        let stream = match self.dialer.dial(|failure| tell(failure, self.verbose)).await {
            Ok(stream) => stream,
            Err(error) => return Outcome::NotConnected(error.to_string()),
        };
        // Where the user's patience ends first, it is the user's limit that has run out.
        let patience = self.patience.filter(|&patience| patience < self.playable.transcript().timeout);
        let playable = match patience {
            Some(patience) => self.playable.with_timeout(patience),
            None => self.playable,
        };
        let played = if self.updates {
            play(&mut Learn::new(playable.clone()), stream)
                .await
                .map(|turns| update(playable.transcript(), &turns))
        } else {
            play(&mut Follow::new(playable.clone()), stream).await.map(|()| Outcome::Passed)
        };
        played.unwrap_or_else(|divergence| {
            let diff = Diff::new(&playable, &divergence, &self.dialer.address.to_string());
            let has_run_out = patience.is_some() && divergence.limit().is_some();
            if has_run_out { Outcome::TimedOut(diff) } else { Outcome::Diverged(diff) }
        })
    }
}

fn update(transcript: &Transcript, turns: &[Turn]) -> Outcome {
    match rewrite(transcript, turns) {
        Ok(None) => Outcome::Passed,
        Ok(Some(text)) => match replace_file(&transcript.path, &text) {
            Ok(()) => Outcome::Updated,
            Err(error) => Outcome::NotWritten(format!("could not write: {error}")),
        },
        Err(conflict) => Outcome::Conflict(conflict),
    }
}

/// Reads all transcripts, or tells of each that is none.
fn read_all(paths: &[PathBuf]) -> Result<Vec<Playable>> {
    let mut transcripts = Vec::new();
    let mut errors = Vec::new();
    for path in find_all(paths)? {
        match open(&path, Side::Client) {
            Ok(transcript) => transcripts.push(transcript),
            Err(error) => errors.push(error),
        }
    }
    match errors.pop() {
        None => Ok(transcripts),
        Some(last) => {
            for error in errors {
                output::tell(format_args!("{error:#}"));
            }
            Err(last)
        }
    }
}

/// The files that are named, and those in the folders that are named.
fn find_all(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                let before = files.len();
                find_below(path, &mut files).map_err(|error| {
                    usage(format_args!("could not read the folder {}: {error}", path.display()))
                })?;
                if files.len() == before {
                    return Err(usage(format_args!("no *.{EXTENSION} below {}", path.display())));
                }
            }
            Ok(_) => files.push(path.clone()),
            Err(error) => return Err(not_a_file(path, &error)),
        }
    }
    Ok(files)
}

fn find_below(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // A link to a folder may lead back: only those to files are followed.
        if entry.file_type()?.is_dir() {
            find_below(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == EXTENSION) && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn not_a_file(path: &Path, error: &io::Error) -> anyhow::Error {
    let word = path.to_string_lossy();
    let is_address = error.kind() == io::ErrorKind::NotFound
        && (word.contains(':') || word.bytes().all(|byte| byte.is_ascii_digit()))
        && Address::from_text(&word, &Address::built_in(Family::Any), Family::Any).is_ok();
    if is_address {
        usage(format_args!(
            "'{word}' is no file; an address stands before --check and --update, or in CAPCHAT_ADDRESS"
        ))
    } else {
        usage(format_args!("could not read {word}: {error}"))
    }
}

fn usage(message: impl std::fmt::Display) -> anyhow::Error {
    Failure::new(Status::Usage, message).into()
}
