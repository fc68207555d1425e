//! Drives players on a fake clock, over connections in memory.

use std::collections::{BTreeMap, VecDeque};
#[cfg(test)]
use std::path::Path;
use std::time::Duration;

use super::format::{Connection, Entry, Item};
use super::{Divergence, End, Player, Side, Step};
#[cfg(test)]
use super::{Transcript, read};

/// When the clock starts. Not zero, so that a player that confuses moments and durations is caught.
pub(super) const START: Duration = Duration::from_secs(1000);

pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Parses the text of a transcript, `t.chat`.
#[cfg(test)]
#[track_caller]
pub(super) fn parse(text: &str) -> Transcript {
    read(Path::new("t.chat"), text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What passes over a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The client opens the connection, to an address if there is one.
    Open(Option<Vec<u8>>),
    Bytes(Vec<u8>),
    End(End),
}

impl Event {
    /// The event that a word stands for: `<EOF>` and `<RST>` are ends, everything else is text.
    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "<EOF>" => Self::End(End::Eof),
            "<RST>" => Self::End(End::Reset),
            text => Self::Bytes(text.as_bytes().to_vec()),
        }
    }

    #[cfg(test)]
    pub(super) fn word(&self) -> String {
        match self {
            Self::Open(address) => format!("<OPEN {:?}>", address.as_deref().map(String::from_utf8_lossy)),
            Self::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            Self::End(End::Eof) => "<EOF>".to_owned(),
            Self::End(End::Reset) => "<RST>".to_owned(),
        }
    }
}

/// How a connection splits and delays what is sent. The numbers seed a small generator.
#[derive(Clone, Copy, Debug)]
pub(super) enum Delivery {
    /// In one piece, immediately.
    Prompt,
    /// Byte by byte, late.
    Bytes(u64),
    /// In pieces of any size, late.
    Pieces(u64),
}

/// The longest delay on each half of the way, in milliseconds. A played silence has a larger margin than both
/// together.
const LATEST: u64 = 20;

impl Delivery {
    fn next(&mut self, below: u64) -> u64 {
        let (Self::Bytes(state) | Self::Pieces(state)) = self else { return 0 };
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % below
    }

    fn delay(&mut self) -> Duration {
        ms(self.next(LATEST))
    }

    fn cut(&mut self, left: usize) -> usize {
        match self {
            Self::Prompt => left,
            Self::Bytes(_) => 1,
            Self::Pieces(_) => 1 + usize::try_from(self.next(left.min(12) as u64)).unwrap_or_default(),
        }
    }
}

/// One end of all connections.
pub(super) trait Party {
    /// Takes what the other party said.
    fn hear(&mut self, connection: Connection, event: Event, now: Duration);

    /// What it says now.
    fn speak(&mut self, now: Duration) -> Vec<(Connection, Event)>;

    /// Notes that this many bytes were handed to the connection.
    fn sent(&mut self, _connection: Connection, _bytes: usize, _now: Duration) {}

    /// When it has something to say, if nothing happens before.
    fn wake(&self) -> Option<Duration>;

    /// Whether it may be left alone.
    fn is_done(&self) -> bool;
}

/// Whether a side of a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    On,
    Ended,
}

/// A player as a party.
#[derive(Debug)]
pub(super) struct Playing<P: Player> {
    player: P,
    wake: Option<Duration>,
    open: BTreeMap<Connection, Sending>,
    /// What it was told to do, and when.
    pub(super) steps: Vec<(Duration, Connection, Event)>,
    /// The result, and when it was known.
    pub(super) done: Option<(Duration, Result<P::Outcome, Divergence>)>,
}

impl<P: Player> Playing<P> {
    pub(super) fn new(player: P) -> Self {
        Self {
            player,
            wake: None,
            open: BTreeMap::from([(Connection::FIRST, Sending::On)]),
            steps: Vec::new(),
            done: None,
        }
    }

    pub(super) fn result(self) -> Result<P::Outcome, Divergence> {
        self.done.expect("the player is done").1
    }
}

#[cfg(test)]
impl<P: Player> Playing<P> {
    pub(super) fn into_player(self) -> P {
        self.player
    }
}

impl<P: Player> Party for Playing<P> {
    fn hear(&mut self, connection: Connection, event: Event, now: Duration) {
        match event {
            _ if self.done.is_some() => {}
            Event::Open(_) => self.player.opened(connection, now),
            Event::Bytes(bytes) => self.player.receive(connection, &bytes, now),
            Event::End(end) => self.player.end(connection, end, now),
        }
    }

    fn speak(&mut self, now: Duration) -> Vec<(Connection, Event)> {
        let mut said = Vec::new();
        while self.done.is_none() {
            let (connection, event) = match self.player.advance(now) {
                Step::Open(connection, address) => {
                    self.player.opened(connection, now);
                    (connection, Event::Open(address))
                }
                Step::Send(connection, bytes) => {
                    assert!(!bytes.is_empty(), "nothing is sent");
                    (connection, Event::Bytes(bytes))
                }
                Step::End(connection) => (connection, Event::End(End::Eof)),
                Step::Reset => (Connection::FIRST, Event::End(End::Reset)),
                Step::ReceiveAll => continue,
                Step::Wait(until) => {
                    assert!(until.is_none_or(|until| until > now), "waits for the past");
                    self.wake = until;
                    return said;
                }
                Step::Done(result) => {
                    self.done = Some((now, result));
                    self.wake = None;
                    break;
                }
            };
            let is_end = matches!(event, Event::End(_));
            self.open.insert(connection, if is_end { Sending::Ended } else { Sending::On });
            self.steps.push((now, connection, event.clone()));
            said.push((connection, event));
        }
        // Whoever is done closes all connections.
        for (&connection, sending) in &mut self.open {
            if std::mem::replace(sending, Sending::Ended) == Sending::On {
                said.push((connection, Event::End(End::Eof)));
            }
        }
        said
    }

    fn sent(&mut self, connection: Connection, bytes: usize, now: Duration) {
        if self.done.is_none() {
            self.player.sent(connection, bytes, now);
        }
    }

    fn wake(&self) -> Option<Duration> {
        self.wake
    }

    fn is_done(&self) -> bool {
        self.done.is_some()
    }
}

/// Says words (see [`Event::from_word`]) at fixed times, in milliseconds since the start.
pub(super) type Timetable<'s> = &'s [(u64, &'s str)];

impl Party for Timetable<'_> {
    fn hear(&mut self, _connection: Connection, _event: Event, _now: Duration) {}

    fn speak(&mut self, now: Duration) -> Vec<(Connection, Event)> {
        let due = self.iter().take_while(|(at, _)| START + ms(*at) <= now).count();
        let (words, rest) = self.split_at(due);
        *self = rest;
        words.iter().map(|(_, word)| (Connection::FIRST, Event::from_word(word))).collect()
    }

    fn wake(&self) -> Option<Duration> {
        self.first().map(|(at, _)| START + ms(*at))
    }

    fn is_done(&self) -> bool {
        true
    }
}

/// The server side of a transcript with several connections, without a player: it says each of its items once it has
/// heard everything above it.
pub(super) struct ModelServer<'t> {
    entries: &'t [Entry],
    heard: BTreeMap<Connection, Heard>,
    /// How long the client pauses before it listens for a silence.
    pauses: Duration,
    /// The end of a silence.
    silent_until: Option<Duration>,
}

/// What is still to be taken of what a client said on a connection.
#[derive(Debug, Default)]
struct Heard {
    is_open: bool,
    bytes: Vec<u8>,
    has_ended: bool,
}

impl<'t> ModelServer<'t> {
    pub(super) fn new(entries: &'t [Entry]) -> Self {
        Self { entries, heard: BTreeMap::new(), pauses: Duration::ZERO, silent_until: None }
    }
}

impl Party for ModelServer<'_> {
    fn hear(&mut self, connection: Connection, event: Event, _now: Duration) {
        let heard = self.heard.entry(connection).or_default();
        match event {
            Event::Open(_) => heard.is_open = true,
            Event::Bytes(bytes) => heard.bytes.extend(bytes),
            Event::End(_) => heard.has_ended = true,
        }
    }

    fn speak(&mut self, now: Duration) -> Vec<(Connection, Event)> {
        let mut said = Vec::new();
        while let [entry, rest @ ..] = self.entries {
            let connection = entry.connection;
            let heard = self.heard.entry(connection).or_default();
            match &entry.item {
                Item::Literal(Side::Server, bytes) if bytes.is_empty() => {}
                Item::Literal(Side::Server, bytes) => said.push((connection, Event::Bytes(bytes.clone()))),
                Item::End(Side::Server) => said.push((connection, Event::End(End::Eof))),
                Item::Reset => said.push((connection, Event::End(End::Reset))),
                Item::Literal(Side::Client, bytes) if heard.bytes.starts_with(bytes) => {
                    heard.bytes.drain(..bytes.len());
                    self.pauses = Duration::ZERO;
                }
                Item::End(Side::Client) if heard.has_ended => {}
                Item::Connect(_) if heard.is_open => {}
                Item::Wait(Side::Client, time) => self.pauses += *time,
                Item::Wait(Side::Server, _) => {}
                Item::Quiet(time) => {
                    let until = *self.silent_until.get_or_insert(now + self.pauses + *time + 3 * ms(LATEST));
                    if now < until {
                        return said;
                    }
                    self.silent_until = None;
                }
                Item::Literal(Side::Client, _) | Item::End(Side::Client) | Item::Connect(_) => return said,
                item @ (Item::Template(..) | Item::Pattern(..) | Item::Skip(..) | Item::Placeholder) => {
                    panic!("{item:?}")
                }
            }
            self.entries = rest;
        }
        said
    }

    fn wake(&self) -> Option<Duration> {
        self.silent_until
    }

    fn is_done(&self) -> bool {
        true
    }
}

/// What is on its way, in order.
#[derive(Default)]
struct Queue {
    events: VecDeque<(Duration, Event)>,
    last: Duration,
}

impl Queue {
    fn push(&mut self, at: Duration, event: Event) {
        self.last = self.last.max(at);
        self.events.push_back((self.last, event));
    }

    fn pop_due(&mut self, now: Duration) -> Option<Event> {
        self.events.pop_front_if(|(at, _)| *at <= now).map(|(_, event)| event)
    }

    fn next(&self) -> Option<Duration> {
        self.events.front().map(|(at, _)| *at)
    }
}

/// One direction of a connection.
#[derive(Default)]
struct Way {
    /// What is to be handed to the socket.
    out: Queue,
    /// What the socket has.
    wire: Queue,
}

impl Way {
    fn say(&mut self, event: Event, delivery: &mut Delivery, now: Duration) {
        match event {
            Event::Bytes(bytes) => {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let (piece, others) = rest.split_at(delivery.cut(rest.len()));
                    self.out.push(now + delivery.delay(), Event::Bytes(piece.to_vec()));
                    rest = others;
                }
            }
            other @ (Event::Open(_) | Event::End(_)) => self.out.push(now, other),
        }
    }
}

/// Both directions of a connection.
#[derive(Default)]
struct Wire {
    up: Way,
    down: Way,
    is_reset: bool,
}

impl Wire {
    fn queues(&self) -> [&Queue; 4] {
        [&self.up.out, &self.up.wire, &self.down.out, &self.down.wire]
    }
}

/// What the client ends of the connections saw: who said what, in order.
pub(super) struct Trace {
    pub(super) events: Vec<(Connection, Side, Event)>,
    /// How often the clock moved.
    pub(super) ticks: usize,
}

/// Lets two parties talk until both are done.
pub(super) fn converse(client: &mut impl Party, server: &mut impl Party, mut delivery: Delivery) -> Trace {
    let mut wires: BTreeMap<Connection, Wire> = BTreeMap::new();
    let mut trace = Trace { events: Vec::new(), ticks: 0 };
    let mut now = START;
    loop {
        trace.ticks += 1;
        speak(client, server, &mut wires, &mut delivery, now);
        for (&connection, Wire { up, down, is_reset }) in &mut wires {
            while let Some(event) = up.out.pop_due(now) {
                if let Event::Bytes(bytes) = &event {
                    client.sent(connection, bytes.len(), now);
                }
                trace.events.push((connection, Side::Client, event.clone()));
                up.wire.push(now + delivery.delay(), event);
            }
            while let Some(event) = down.out.pop_due(now) {
                match &event {
                    Event::Open(_) => {}
                    Event::Bytes(bytes) => server.sent(connection, bytes.len(), now),
                    Event::End(end) => *is_reset |= *end == End::Reset,
                }
                down.wire.push(now + delivery.delay(), event);
            }
            while let Some(event) = up.wire.pop_due(now) {
                // Nothing arrives once the server has reset the connection.
                if !*is_reset {
                    server.hear(connection, event, now);
                }
            }
            while let Some(event) = down.wire.pop_due(now) {
                trace.events.push((connection, Side::Server, event.clone()));
                client.hear(connection, event, now);
            }
        }
        speak(client, server, &mut wires, &mut delivery, now);
        if client.is_done() && server.is_done() {
            return trace;
        }
        let events = wires.values().flat_map(Wire::queues).filter_map(Queue::next);
        let next = events.chain(client.wake()).chain(server.wake()).min();
        now = next.expect("nobody has anything to wait for").max(now);
    }
}

fn speak(
    client: &mut impl Party,
    server: &mut impl Party,
    wires: &mut BTreeMap<Connection, Wire>,
    delivery: &mut Delivery,
    now: Duration,
) {
    for (connection, event) in client.speak(now) {
        wires.entry(connection).or_default().up.say(event, delivery, now);
    }
    for (connection, event) in server.speak(now) {
        wires.entry(connection).or_default().down.say(event, delivery, now);
    }
}
