//! The whole program under load, beside the floor and the peers: `scripts/bench`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table is what this program makes")]

mod chart;
mod clients;
mod generator;
mod modes;
mod peers;
mod processors;
mod report;
mod results;
mod servers;
mod text;

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use modes::{Mode, Scale, Subject};
use peers::Workshop;
use processors::Processors;
use results::Table;

/// Measures capchat beside an echo server in C, the floor, and the peers that are installed.
#[derive(Parser)]
#[command(name = "scripts/bench")]
struct Options {
    /// Measure less of everything, in under two minutes
    #[arg(long)]
    quick: bool,
    /// Measure only what has this in its name, such as 'bulk' or 'request and reply, 50'
    #[arg(long, value_name = "SUBSTRING", default_value = "", hide_default_value = true)]
    only: String,
    /// The capchat that is measured
    #[arg(long, hide = true, default_value = env!("CARGO_BIN_EXE_capchat"))]
    program: String,
    /// Leave out other servers and clients
    #[arg(long)]
    no_peers: bool,
    /// Write everything that was measured to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the ratios
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let tables = measure(&options)?;
    println!("TCP congestion control: {}\n", congestion_control());
    print!("{}", report::text(&tables));
    if let Some(path) = &options.json {
        fs::write(path, format!("{:#}\n", report::json(&tables)))?;
    }
    if let Some(path) = &options.svg {
        // How cost grows is no comparison.
        fs::write(path, chart::svg(&tables[..2]))?;
    }
    let mut notes = tables.iter().flat_map(|table| &table.notes);
    let failed = notes.any(|note| note.subject == "capchat" || note.subject == "floor");
    if failed { Err("capchat or the floor failed: see the notes".into()) } else { Ok(()) }
}

fn measure(options: &Options) -> Result<[Table; 3], Box<dyn Error>> {
    let (scale, peers) = if options.quick { quick() } else { thorough() };
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    let workshop = Workshop::open()?;
    let mut subjects = vec![
        Subject { kind: workshop.floor()?, scale },
        Subject { kind: peers::capchat(&options.program), scale },
    ];
    if !options.no_peers {
        subjects.extend(workshop.peers()?.into_iter().map(|kind| Subject { kind, scale: peers }));
    }
    let processors = Processors::divide()?;

    let wanted = |modes: Vec<Mode>| -> Vec<Mode> {
        modes.into_iter().filter(|mode| mode.name().contains(&options.only)).collect()
    };
    processors.take_the_load()?;
    eprintln!("measuring the servers");
    let servers = modes::measure("Servers", &wanted(Mode::all()), &subjects, &processors);
    eprintln!("measuring the clients");
    let floor = subjects[0].kind.start(&processors)?;
    processors.take_all()?;
    let clients = clients::measure(&options.program, floor.address, scale, &options.only, options.no_peers);
    drop(floor);
    eprintln!("measuring how cost grows");
    processors.take_the_load()?;
    subjects.truncate(2);
    let growth = modes::measure("Growth", &wanted(Mode::growth()), &subjects, &processors);
    Ok([servers, clients, growth])
}

/// How the kernel paces what is sent. Most do not on loopback; bbr does, and makes single values vary by a
/// factor of two.
fn congestion_control() -> String {
    let name = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
    name.map_or("unknown".into(), |name| name.trim().to_owned())
}

/// How much is measured of the floor and capchat, and of the peers, in under two minutes. Many short rounds
/// say more than few long ones: what disturbs one is over in the next.
fn quick() -> (Scale, Scale) {
    let scale = Scale {
        rounds: 5,
        time: Duration::from_millis(200),
        limit: Duration::from_secs(5),
        bytes: 192 << 20,
        churn: 1000,
    };
    let limit = Duration::from_secs(1);
    (scale, Scale { rounds: 2, limit, bytes: 24 << 20, churn: 300, ..scale })
}

/// The same for figures to rely on.
fn thorough() -> (Scale, Scale) {
    let limit = Duration::from_secs(20);
    let scale = Scale { rounds: 7, time: Duration::from_secs(2), limit, bytes: 1 << 30, churn: 5000 };
    let limit = Duration::from_secs(4);
    (scale, Scale { rounds: 3, time: Duration::from_secs(1), limit, bytes: 128 << 20, churn: 1000 })
}
