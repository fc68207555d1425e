//! Generated conversations: the result of a check does not depend on how the server's bytes arrive.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::support::chats::Chats;
use crate::support::custom_server::{close, custom_server, reset};

const CONVERSATIONS: usize = 200;

/// Numbers that look random, and are the same in every run.
struct Random(u64);

impl Random {
    /// A number below `limit` (a linear congruential generator, with the constants of Knuth's MMIX).
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// How a server's bytes are sent.
#[derive(Clone, Copy)]
enum Delivery {
    OnePiece,
    Bytes,
    /// In pieces, with a pause before each.
    Slow,
}

/// How a server ends its conversation.
#[derive(Clone, Copy, PartialEq)]
enum Ending {
    /// It closes after the client.
    Client,
    /// It closes first.
    Close,
    Reset,
    /// It falls silent, and waits for the client to close.
    Silence,
}

/// A transcript, and what its server really does.
struct Conversation {
    text: String,
    /// How many bytes the server reads, and what it then sends.
    turns: Vec<(usize, Vec<u8>)>,
    ending: Ending,
}

/// A few turns. Those with an odd number go wrong somewhere.
fn conversation(number: usize) -> Conversation {
    let mut random = Random(number as u64);
    let eol = ["\n", "\r\n"][random.below(2)];
    let mut text = format!("%eol {}\n%timeout LIMIT\n", if eol == "\n" { "lf" } else { "crlf" });
    let name = format!("conversation {number}");
    let _ = writeln!(text, "C: {name}");
    let mut unread = name.len() + eol.len();
    let mut turns = Vec::new();
    let count = 1 + random.below(5);
    let wrong = (number % 2 == 1).then(|| random.below(count));
    let mut ending = [Ending::Client, Ending::Close][random.below(2)];
    for turn in 0..count {
        let mut said = String::new();
        // How many bytes at the end are not sent.
        let mut cut = 0;
        for line in 0..=random.below(4) {
            let line = format!("reply {turn}.{line} {}", "é".repeat(random.below(30)));
            match random.below(6) {
                0 => text += "S~ reply .*\n",
                1 => {
                    let _ = write!(text, "S ...\nS: {line}\n");
                    let _ = write!(said, "skipped{eol}and this{eol}");
                }
                2 => {
                    let _ = writeln!(text, "S\\ {}\\", &line[..5]);
                    let _ = writeln!(text, "S: {}", &line[5..]);
                }
                _ => {
                    let _ = writeln!(text, "S: {line}");
                }
            }
            said = said + &line + eol;
        }
        if wrong == Some(turn) {
            let prefix = "another reply, which is not part of a reply";
            match random.below(6) {
                0 => said = format!("{prefix}{eol}{said}"),
                1 => said = format!("{said}{prefix}{eol}"),
                2 => cut = 1 + eol.len(),
                3 => said = said.replace(eol, if eol == "\n" { "\r\n" } else { "\n" }),
                4 => ending = Ending::Close,
                _ => ending = Ending::Reset,
            }
            // A line that was cut is never completed: most servers then close, so that the client need not time out.
            if cut > 0 && ending == Ending::Client {
                ending = if number % 20 == 1 { Ending::Silence } else { Ending::Close };
            }
            if ending != Ending::Client && random.below(2) == 0 {
                cut = said.len() / 2;
            }
        }
        turns.push((std::mem::take(&mut unread), said.as_bytes()[..said.len() - cut].to_vec()));
        if wrong == Some(turn) && ending != Ending::Client {
            break;
        }
        for line in 0..random.below(3) {
            let line = format!("request {turn}.{line}");
            let _ = writeln!(text, "C: {line}");
            unread += line.len() + eol.len();
        }
    }
    let is_cut = wrong.is_some() && ending != Ending::Client;
    if is_cut {
        text += "C: one more\nS: REPLY\n";
    } else {
        turns.push((unread, Vec::new()));
    }
    text += if ending == Ending::Client { "C EOF\nS EOF\n" } else { "S EOF\n" };
    // Long enough for a busy machine, except if it is meant to expire.
    let runs_out =
        ending == Ending::Silence || (wrong.is_some() && text.contains("S ...") && ending == Ending::Client);
    let text = text.replace("LIMIT", if runs_out { "3s" } else { "20s" });
    Conversation { text, turns, ending }
}

fn deliver(mut stream: &TcpStream, bytes: &[u8], how: Delivery) -> std::io::Result<()> {
    match how {
        Delivery::OnePiece => stream.write_all(bytes),
        Delivery::Bytes => bytes.chunks(1).try_for_each(|byte| stream.write_all(byte)),
        Delivery::Slow => bytes.chunks(1 + bytes.len() / 4).try_for_each(|piece| {
            thread::sleep(Duration::from_millis(4));
            stream.write_all(piece)
        }),
    }
}

/// Plays the server's side of the conversation that the client names.
fn serve(stream: TcpStream, how: Delivery) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(&stream);
    let line = reader.fill_buf()?;
    let line = String::from_utf8_lossy(line).into_owned();
    let number = line.lines().next().and_then(|line| line.rsplit(' ').next()).unwrap_or_default().to_owned();
    let Conversation { turns, ending, .. } = conversation(number.parse().unwrap());
    for (length, reply) in turns {
        reader.read_exact(&mut vec![0; length])?;
        deliver(&stream, &reply, how)?;
    }
    match ending {
        Ending::Close => close(&stream),
        Ending::Reset => reset(stream),
        Ending::Client | Ending::Silence => drop(reader.read_to_end(&mut Vec::new())?),
    }
    Ok(())
}

#[test]
fn the_result_does_not_depend_on_the_delivery() {
    let chats = Chats::new();
    for number in 0..CONVERSATIONS {
        chats.write(&format!("{number:03}.chat"), conversation(number).text);
    }
    let chats = &chats;
    let run = |how: Delivery| {
        let address = custom_server(move |stream| drop(serve(stream, how)));
        let run = chats.check(&address, &["."]).args(&["--jobs", "16"]).run();
        let errors = run.errors().replace(&address, "ADDRESS");
        (run.0.status.code(), run.report().replace(&address, "ADDRESS"), errors)
    };
    let reports = thread::scope(|scope| {
        [Delivery::OnePiece, Delivery::Bytes, Delivery::Slow]
            .map(|how| scope.spawn(move || run(how)))
            .map(|run| run.join().unwrap())
    });
    let report = &reports[0].1;
    let mut failed = 0;
    for number in 0..CONVERSATIONS {
        if report.contains(&format!("FAIL ./{number:03}.chat:")) {
            assert_eq!(number % 2, 1, "{number}:\n{report}");
            failed += 1;
        } else {
            assert!(report.contains(&format!("PASS ./{number:03}.chat\n")), "{number}:\n{report}");
        }
    }
    // Not all odd ones fail: an `S ...` may skip the wrong line.
    assert!(failed > CONVERSATIONS / 3, "{failed} failed:\n{report}");
    assert!(report.ends_with(&format!("{} passed, {failed} failed\n", CONVERSATIONS - failed)), "{report}");
    // Every kind of failure occurs.
    for headline in ["differs", "missing", "closed early", "reset", "note: the received line ends in"] {
        assert!(report.contains(headline), "no {headline:?} in:\n{report}");
    }
    assert_eq!(reports[0].0, Some(3));
    for other in &reports[1..] {
        let (ours, theirs) = (report.lines(), other.1.lines());
        for (one, another) in ours.zip(theirs) {
            assert_eq!(one, another, "\n{report}");
        }
        assert!(reports[0] == *other);
    }
}
