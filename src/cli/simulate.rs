//! `tandem simulate`: what the nodes of these files would do, in virtual time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::print;
use crate::lower;
use crate::sys::clock;
use crate::vrrp::simulate::{Answer, Event, Given, Moment, Question, What, World, ask, parse};

/// What is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// keepalived.conf files of two or more nodes, as FILE or NAME=FILE. The name also decides about lines that begin
    /// with @NAME.
    #[arg(required = true)]
    files: Vec<String>,
    /// Play this plan: a line per event, TIME NODE WHAT, for example '10 a proxy dies' or '12s b link eth0 down'.
    #[arg(long)]
    events: Option<PathBuf>,
    /// Repeats a run: everything random follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long to go on after the last event.
    #[arg(long, default_value = "15s", value_parser = humantime::parse_duration)]
    after: Duration,
    /// Packets the network loses, of a hundred.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    loss: u32,
    /// The longest time a packet takes.
    #[arg(long, default_value = "1ms", value_parser = humantime::parse_duration)]
    delay: Duration,
}

/// Runs it.
pub(super) fn main(options: &Options) -> ExitCode {
    match simulate(options) {
        Ok(text) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("tandem: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(options: &Options) -> Result<String, String> {
    let given = load(&options.files)?;
    let mut world = World::new(&given, options.seed, clock::now());
    world.weather.loss_percent = options.loss;
    world.weather.delay = options.delay;
    let plan = match &options.events {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
            parse(&text, &world).map_err(|e| format!("{}: {e}", path.display()))?
        }
        None => Vec::new(),
    };
    // Who is not started by the plan is there from the beginning.
    let started = |node: usize| plan.iter().any(|p| p.event == Event::Start(node) && p.at.is_zero());
    for node in (0..world.len()).filter(|node| !started(*node)) {
        world.happen(&Event::Start(node));
    }
    for planned in &plan {
        world.run(planned.at, |_| {});
        world.happen(&planned.event);
    }
    let end = world.time() + options.after;
    world.run(end, |_| {});
    let mut text = timeline(&world);
    if plan.is_empty() {
        text.push_str(&answers(&given, &world, options.seed));
    }
    Ok(text)
}

/// Reads and names the nodes.
fn load(files: &[String]) -> Result<Vec<Given>, String> {
    let mut given: Vec<Given> = Vec::new();
    for file in files {
        let (name, path) = match file.split_once('=') {
            Some((name, path)) if !name.contains('/') => (name.to_owned(), Path::new(path)),
            _ => (called(files, Path::new(file)), Path::new(file)),
        };
        if given.iter().any(|g| g.name == name) {
            return Err(format!("two nodes called {name}: write NAME={}", path.display()));
        }
        let text = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let system = lower::keepalived::System::new(Some(name.clone()), true).offline();
        let loaded = lower::keepalived::load(&path.to_string_lossy(), text.as_slice(), &system);
        if !loaded.verdict.runs {
            return Err(format!("{} is not valid; 'tandem check' says why", path.display()));
        }
        if loaded.config.instances.is_empty() {
            return Err(format!("{} has no vrrp_instance", path.display()));
        }
        given.push(Given { name, config: loaded.config });
    }
    Ok(given)
}

/// The file's own name; where all have the same one, its directory's.
fn called(files: &[String], path: &Path) -> String {
    let stem = |path: &Path| path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let own = stem(path);
    let same = files.iter().filter(|f| stem(Path::new(f.as_str())) == own).count();
    match path.parent().and_then(Path::file_name) {
        Some(parent) if same > 1 => parent.to_string_lossy().into_owned(),
        _ => own,
    }
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn names(world: &World, nodes: &[usize]) -> String {
    match nodes {
        [] => "nobody".to_owned(),
        nodes => nodes.iter().map(|n| world.name(*n)).collect::<Vec<_>>().join(" and "),
    }
}

fn timeline(world: &World) -> String {
    let width = (0..world.len()).map(|n| world.name(n).len()).max().unwrap_or_default();
    let mut text = String::new();
    for Moment { at, node, what } in &world.moments {
        let who = node.map_or("", |node| world.name(node));
        let line = match what {
            What::Happens(what) => format!("** {what}"),
            What::Says(line) => line.clone(),
            What::Takes(addresses) => format!("=> has {}", list(addresses)),
            What::Leaves(addresses) => format!("<= gives up {}", list(addresses)),
        };
        let _ = writeln!(text, "{:>10.3}  {who:width$}  {line}", at.as_secs_f64());
    }
    let mut last: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for (address, owners) in world.owners() {
        last.entry(names(world, &owners)).or_default().push(address);
    }
    let _ = writeln!(text, "\nAt {:.3} s:", world.time().as_secs_f64());
    for (who, addresses) in last {
        let verb = if who.contains(" and ") { "have" } else { "has" };
        let _ = writeln!(text, "  {who} {verb} {}", list(&addresses));
    }
    text
}

fn answers(given: &[Given], world: &World, seed: u64) -> String {
    let mut rows = Vec::new();
    for question in Question::ALL {
        let mut last: Option<Answer> = None;
        for answer in ask(given, question, seed, clock::now()) {
            // Addresses that fare alike share a line.
            let alike =
                |l: &Answer| (&l.before, &l.after, l.moved) == (&answer.before, &answer.after, answer.moved);
            if !last.as_ref().is_some_and(alike) {
                rows.push((answer.event.clone(), answer.address, said(world, &answer)));
            }
            last = Some(answer);
        }
    }
    if rows.is_empty() {
        return "\nNobody ever has an address.\n".to_owned();
    }
    let event = rows.iter().map(|r| r.0.len()).max().unwrap_or_default();
    let address = rows.iter().map(|r| r.1.to_string().len()).max().unwrap_or_default();
    let mut text = "\nWhat happens when\n".to_owned();
    for (what, which, how) in rows {
        let _ = writeln!(text, "  {what:event$}  {:address$}  {how}", which.to_string());
    }
    text
}

fn said(world: &World, answer: &Answer) -> String {
    let seconds = |time: Duration| match time.as_secs_f64() {
        short if short < 0.01 => format!("{:.1} ms", short * 1e3),
        long => format!("{long:.3} s"),
    };
    let mut text = match answer.moved {
        Some(moved) => format!(
            "{} -> {} after {}",
            names(world, &answer.before),
            names(world, &answer.after),
            seconds(moved)
        ),
        None => format!("stays on {}", names(world, &answer.after)),
    };
    if !answer.nobody.is_zero() {
        let _ = write!(text, ", nobody for {}", seconds(answer.nobody));
    }
    if !answer.two.is_zero() {
        let _ = write!(text, ", two for {}", seconds(answer.two));
    }
    text
}
