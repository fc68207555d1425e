//! The queue, and what a JSON line has.

use std::cell::RefCell;
use std::fs;

use super::*;

/// A log whose lines nobody takes out of the queue yet.
fn log() -> (Log, Receiver<Queued>) {
    let (queue, queued) = sync_channel(QUEUE);
    let counters = Arc::default();
    (Log { level: LogLevel::Normal, format: LogFormat::Text, queue, counters }, queued)
}

fn long_event() -> LogEvent {
    LogEvent::NotRecorded { client: Peer::Unix(1), error: "x".repeat(QUEUE_BYTES / 10) }
}

/// Writes what is queued.
fn write(log: &Log, queued: &Receiver<Queued>, write: impl Fn(&str) -> io::Result<()>) -> String {
    let counters = Arc::clone(&log.counters);
    let text = RefCell::new(String::new());
    log.queue.try_send(Queued::Finish(sync_channel(1).0)).unwrap();
    let queued = queued.try_iter().collect::<Vec<_>>();
    let (sender, receiver) = sync_channel(QUEUE);
    for queued in queued {
        sender.send(queued).unwrap();
    }
    drop(sender);
    counters.write(&receiver, |line| {
        write(line)?;
        text.borrow_mut().push_str(line);
        Ok(())
    });
    text.into_inner()
}

#[test]
fn the_queue_is_bounded_in_bytes() {
    let (log, queued) = log();
    for _ in 0..100 {
        log.add(&long_event());
    }
    assert!(log.counters.bytes.load(Ordering::Relaxed) <= QUEUE_BYTES);
    let text = write(&log, &queued, |_| Ok(()));
    assert_eq!(text.matches("could not be recorded").count(), 9);
    let reported: u64 =
        text.lines().filter_map(|line| line.split(" log line").next()?.parse::<u64>().ok()).sum();
    assert_eq!(reported + log.counters.dropped.load(Ordering::Relaxed), 91);
    assert_eq!(log.counters.bytes.load(Ordering::Relaxed), 0);
}

#[test]
fn a_line_that_is_longer_than_the_queue_is_logged() {
    let (log, queued) = log();
    log.add(&LogEvent::NotRecorded { client: Peer::Unix(1), error: "x".repeat(2 * QUEUE_BYTES) });
    assert!(write(&log, &queued, |_| Ok(())).len() > 2 * QUEUE_BYTES);
    assert_eq!(log.counters.dropped.load(Ordering::Relaxed), 0);
}

#[test]
fn lines_that_cannot_be_written_are_counted_once() {
    let (log, queued) = log();
    for _ in 0..3 {
        log.add(&long_event());
    }
    write(&log, &queued, |_| Err(io::ErrorKind::StorageFull.into()));
    assert_eq!(log.counters.dropped.load(Ordering::Relaxed), 3);
    // The line that says so is not one of them.
    let (queue, queued) = sync_channel(QUEUE);
    let log = Log { queue, ..log };
    log.report_dropped();
    assert_eq!(log.counters.dropped.load(Ordering::Relaxed), 0);
    write(&log, &queued, |_| Err(io::ErrorKind::StorageFull.into()));
    assert_eq!(log.counters.dropped.load(Ordering::Relaxed), 3);
    let (queue, queued) = sync_channel(QUEUE);
    let log = Log { queue, ..log };
    log.add(&LogEvent::Stopped { clients: 1 });
    assert_eq!(write(&log, &queued, |_| Ok(())), "3 log lines dropped\nstopped; 1 client still connected\n");
}

/// One event of each kind, with everything that it may have.
fn events() -> Vec<LogEvent> {
    let client = Peer::Unix(1);
    let text = String::new;
    vec![
        LogEvent::Connected { client },
        LogEvent::Disconnected {
            client,
            reason: "".into(),
            clean: true,
            messages: 1,
            received: 1,
            sent: 1,
            seconds: 1.0,
        },
        LogEvent::Paused { client, bytes: 1 },
        LogEvent::Diverged {
            client,
            diff: Diff { headline: text(), lines: Vec::new(), can_be_updated: false },
        },
        LogEvent::Played { client, completed: false, reason: Some(""), seconds: 1.0 },
        LogEvent::Unreachable { client, error: text() },
        LogEvent::Forwarded { client, reason: "", clean: true, received: 1, sent: 1, seconds: 1.0 },
        LogEvent::NotRecorded { client, error: text() },
        LogEvent::Full { clients: 1 },
        LogEvent::Starved { error: text(), clients: 1 },
        LogEvent::Stopping { signal: "", clients: 1 },
        LogEvent::Stopped { clients: 1 },
        LogEvent::Dropped { lines: 1 },
    ]
}

#[test]
fn the_manual_lists_the_fields_of_every_event() {
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/man/capchat-serve.1");
    let manual = fs::read_to_string(manual).unwrap();
    let (_, list) = manual.split_once(".Bl -tag -width \"disconnected\" -compact\n").unwrap();
    let (list, _) = list.split_once("\n.El").unwrap();
    let mut documented = Vec::new();
    for item in list.split(".It Li ").skip(1) {
        let words = item.lines().enumerate().filter_map(|(index, line)| match index {
            0 => Some(line),
            _ => line.strip_prefix(".Li ")?.split(' ').next(),
        });
        documented.push(words.map(str::to_owned).collect::<Vec<_>>());
    }
    let logged = events().into_iter().map(|event| {
        let stamped = serde_json::to_string(&Stamped { time: String::new(), event: &event }).unwrap();
        let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(&stamped) else {
            panic!("{stamped}")
        };
        let name = fields["event"].as_str().unwrap().to_owned();
        let mut words: Vec<String> = fields
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| name != "time" && name != "event")
            .collect();
        words.sort();
        words.insert(0, name);
        words
    });
    for words in &mut documented {
        words[1..].sort();
    }
    assert_eq!(logged.collect::<Vec<_>>(), documented);
}
