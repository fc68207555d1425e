//! Plays transcripts, some at a time, and reports the results in order.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use super::Settings;
use super::connections::Connections;
use super::find::{Sources, open_all};
use super::report::{Outcome, Report};
use crate::deadline::TimeLimit;
use crate::messages::reason;
use crate::playing::{Performance, replace_file};
use crate::signals;
use crate::transcript::{
    Diff, Divergence, Follow, Learn, Playable, Rewriting, Transcript, Turn, fill_in, rewrite,
};
use crate::transport::{Dialer, Stream};

pub(super) async fn run(settings: &Settings) -> Result<()> {
    signals::survive_file_size_limit().context("could not handle a signal")?;
    let limit = TimeLimit::from_now(settings.max_time);
    let sources = Sources {
        paths: settings.paths.clone(),
        values: settings.values.clone(),
        dialer: settings.dialer.clone(),
        updates: settings.updates,
    };
    let transcripts = limit.apply_blocking(Duration::ZERO, move || open_all(&sources)).await??;
    let paths: Vec<PathBuf> = transcripts.iter().map(|playable| playable.transcript().path.clone()).collect();
    let mut report = Report::new(settings, paths.len());
    report.begin();
    report.flush(&limit).await?;
    let mut waiting = transcripts.into_iter().enumerate();
    let mut running = JoinSet::new();
    // Results that wait for the results of earlier files.
    let mut finished = BTreeMap::new();
    let mut reported = 0;
    while reported < paths.len() {
        while running.len() < settings.jobs.get()
            && let Some((index, playable)) = waiting.next()
        {
            let job = Job::new(playable, settings);
            running.spawn(async move {
                let start = Instant::now();
                (index, job.run().await, start.elapsed())
            });
        }
        match limit.apply(running.join_next()).await {
            Ok(Some(ended)) => {
                let (index, outcome, time) = ended.context("could not play a transcript")?;
                finished.insert(index, (outcome, time));
            }
            Ok(None) => break,
            Err(error) => {
                for index in reported..paths.len() {
                    finished.entry(index).or_insert((Outcome::NotDone(error.to_string()), Duration::ZERO));
                }
            }
        }
        while let Some((outcome, time)) = finished.remove(&reported) {
            report.add(&paths[reported], &outcome, time);
            reported += 1;
        }
        report.flush(&limit).await?;
        report.show_progress(reported + finished.len());
    }
    report.end();
    report.flush(&limit).await?;
    report.status(&settings.dialer.address)
}

/// One transcript to play.
struct Job {
    playable: Playable,
    dialer: Dialer,
    updates: bool,
    /// Whether standard error shows the conversation.
    verbose: bool,
    /// Whether the user's time limit replaced the transcript's.
    is_users_limit: bool,
}

impl Job {
    fn new(mut playable: Playable, settings: &Settings) -> Self {
        let is_users_limit = playable.shorten_timeout(settings.timeout);
        Self {
            playable,
            dialer: settings.dialer.clone(),
            updates: settings.updates,
            verbose: settings.verbose,
            is_users_limit,
        }
    }

    async fn run(self) -> Outcome {
        let connections = Connections::new(self.playable.clone(), self.dialer.clone(), self.verbose);
        match connections.open_first().await {
            Err(error) => Outcome::NotConnected(error),
            Ok(first) if self.updates => self.update(first, connections).await,
            Ok(first) => self.check(first, connections).await,
        }
    }

    async fn check(self, first: Option<Stream>, mut connections: Connections) -> Outcome {
        let player = Follow::new(self.playable.clone());
        match Performance::new(player, first).run(Some(&mut connections)).await {
            Ok(()) => Outcome::Passed,
            Err(divergence) => self.diverged(&divergence, &connections.address(divergence.connection)),
        }
    }

    async fn update(self, first: Option<Stream>, mut connections: Connections) -> Outcome {
        let mut performance = Performance::new(Learn::new(self.playable.clone()), first);
        match performance.run(Some(&mut connections)).await {
            Ok(turns) => self.rewrite(&turns),
            Err(divergence) => self.keep_learned(&divergence, &performance.into_player().into_turns()),
        }
    }

    fn diverged(&self, divergence: &Divergence, peer: &str) -> Outcome {
        self.failed(Diff::new(&self.playable, divergence, peer), divergence)
    }

    fn failed(&self, diff: Diff, divergence: &Divergence) -> Outcome {
        if divergence.is_not_connected() {
            Outcome::NotOpened(diff)
        } else if self.is_users_limit && divergence.limit().is_some() {
            Outcome::TimedOut(diff)
        } else {
            Outcome::Diverged(diff)
        }
    }

    fn rewrite(&self, turns: &[Turn]) -> Outcome {
        let transcript = self.playable.transcript();
        match rewrite(transcript, turns) {
            Ok(None) => Outcome::Passed,
            Ok(Some(new)) => match self.replace(&new) {
                Ok(()) => Outcome::Updated(new.diff(&self.playable, &self.peer())),
                Err(failure) => failure,
            },
            Err(conflict) => match self.fill_in(turns) {
                None => Outcome::Diverged(conflict.diff(&self.playable, &self.peer())),
                Some(Ok(new)) => {
                    let mut diff = new.transfer_conflict(conflict).diff(&self.playable, &self.peer());
                    diff.append(new.diff(&self.playable, &self.peer()));
                    Outcome::Diverged(diff)
                }
                Some(Err(failure)) => failure,
            },
        }
    }

    /// Replaces the placeholders whose replies were learned before the server departed from the transcript.
    fn keep_learned(&self, divergence: &Divergence, turns: &[Turn]) -> Outcome {
        match self.fill_in(turns) {
            None => self.diverged(divergence, &self.peer()),
            Some(Ok(new)) => {
                let Some((playable, moved)) = new.transfer(&self.playable, divergence) else {
                    return self.diverged(divergence, &self.peer());
                };
                let mut diff = Diff::new(&playable, &moved, &self.peer());
                diff.append(new.diff(&self.playable, &self.peer()));
                self.failed(diff, divergence)
            }
            Some(Err(failure)) => failure,
        }
    }

    fn fill_in(&self, turns: &[Turn]) -> Option<Result<Rewriting, Outcome>> {
        let new = fill_in(self.playable.transcript(), turns)?;
        Some(self.replace(&new).map(|()| new))
    }

    fn replace(&self, new: &Rewriting) -> Result<(), Outcome> {
        let Transcript { path, source, .. } = self.playable.transcript();
        replace_file(path, source, &new.text)
            .map_err(|error| Outcome::NotWritten(format!("could not write: {}", reason(&error))))
    }

    fn peer(&self) -> String {
        self.dialer.address.to_string()
    }
}
