//! Measures capchat under load next to an echo server in C, the floor, and its peers. `scripts/bench` runs it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this program prints tables")]

mod answer;
mod chart;
mod clients;
mod generator;
mod modes;
mod peers;
mod processors;
mod report;
mod results;
mod servers;
#[path = "../../texts.rs"]
mod texts;

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

/// Measures capchat next to an echo server in C, the floor, and its peers that are installed
#[derive(Parser)]
#[command(override_usage = "scripts/bench [OPTIONS]")]
struct Options {
    /// Measure less, in under two minutes
    #[arg(long)]
    quick: bool,
    /// Measure only what contains this in its name, such as 'bulk' or '50 clients'
    #[arg(long, value_name = "SUBSTRING", default_value = "", hide_default_value = true)]
    only: String,
    /// The capchat to measure
    #[arg(long, hide = true)]
    program: String,
    /// Leave out other servers and clients
    #[arg(long)]
    no_peers: bool,
    /// Write all measurements to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw a chart of the ratios
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Draw a smaller chart of a few ratios
    #[arg(long, value_name = "FILE")]
    small_svg: Option<PathBuf>,
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
        // The table of how cost grows compares nothing.
        fs::write(path, chart::svg(&tables[..2]))?;
    }
    if let Some(path) = &options.small_svg {
        fs::write(path, chart::small_svg(&tables))?;
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

/// The kernel's congestion control. bbr paces even loopback, which makes single values vary by a factor of two.
fn congestion_control() -> String {
    let name = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
    name.map_or("unknown".into(), |name| name.trim().to_owned())
}

/// How much to measure of the floor and capchat, and of the peers, in under two minutes. Many short rounds are better
/// than a few long ones: a disturbance spoils only one.
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

/// The same for reliable figures.
fn thorough() -> (Scale, Scale) {
    let limit = Duration::from_secs(20);
    let scale = Scale { rounds: 7, time: Duration::from_secs(2), limit, bytes: 1 << 30, churn: 5000 };
    let limit = Duration::from_secs(4);
    (scale, Scale { rounds: 3, time: Duration::from_secs(1), limit, bytes: 128 << 20, churn: 1000 })
}
