//! The arguments of the workbench: scenarios, histories, the debugger.

use clap::Args;
use std::path::PathBuf;

/// `synod test`.
#[derive(Args, Debug)]
pub struct Test {
    /// The module; all of them if none is named.
    #[arg(long, alias = "lab")]
    pub module: Option<String>,
    /// One scenario, by its number or by a part of its name.
    #[arg(long)]
    pub test: Option<String>,
    /// How many seeds each scenario is played with.
    #[arg(long, conflicts_with = "seed")]
    pub seeds: Option<u64>,
    /// Play this one seed.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Search every ordering with the model checker.
    #[arg(long)]
    pub search: bool,
    /// With --search: timers too, where a scenario leaves them out.
    #[arg(long)]
    pub timers: bool,
    /// With --search: check each state's determinism, equality and byte form.
    #[arg(long)]
    pub checks: bool,
    /// With --search: the long searches too.
    #[arg(long, requires = "search")]
    pub full: bool,
    /// With --search: on so many threads; as many as there are cores if not given.
    #[arg(long, requires = "search", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// With --search: end a search when the process uses so much memory, as 8G; three quarters of what there is if not given.
    #[arg(long, requires = "search", value_parser = parse_bytes)]
    pub memory: Option<u64>,
    /// With --search: end a search after so many states.
    #[arg(long, requires = "search")]
    pub states: Option<u64>,
    /// With --search: compare whole states instead of fingerprints.
    #[arg(long, requires = "search")]
    pub exact: bool,
    /// With --search: switch these reductions off: no-ops, commuting, symmetry, or all.
    #[arg(long, requires = "search", value_delimiter = ',', value_name = "REDUCTIONS")]
    #[arg(value_parser = ["no-ops", "commuting", "symmetry", "all"])]
    pub without: Vec<String>,
    /// Let the searches find the seeded mistakes of the modules, and print which found what.
    #[arg(long, conflicts_with_all = ["search", "replay", "seed", "seeds"])]
    pub mutants: bool,
    /// With --search or --replay: let this one of the seeded mistakes take the nodes' steps.
    #[arg(long, value_name = "NAME")]
    pub mutant: Option<String>,
    /// Take the steps of a saved trace again, and say whether it still fails.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["search", "module", "test", "seed", "seeds"])]
    pub replay: Option<PathBuf>,
    /// With --seed: print every event. With --search: print every step of what was found.
    #[arg(long)]
    pub verbose: bool,
    /// With --search: open the debugger on a violation, or where a search began that did not find its goal.
    #[arg(long, requires = "search", conflicts_with = "json")]
    pub debug: bool,
    /// Machine-readable output of searches and mutants.
    #[arg(long)]
    pub json: bool,
    /// Write each played trace to this directory; of a search, that of each violation.
    #[arg(long)]
    pub save_traces: Option<PathBuf>,
}

/// A number of bytes, as `8G`, `512M` or `1000000`.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        Some(_) | None => (text, 1u64),
    };
    let number = digits.parse::<u64>().ok().filter(|number| *number > 0);
    let bytes = number.and_then(|number| number.checked_mul(unit));
    bytes.ok_or_else(|| "write it as 8G, 512M or a number of bytes".to_owned())
}

/// `synod prove`.
#[derive(Args, Debug)]
pub struct Prove {
    /// How many minutes the clients work and faults happen.
    #[arg(long, default_value_t = 3.0, value_parser = parse_minutes)]
    pub minutes: f64,
    /// Draws the faults: the same seed gives the same faults in the same order at the same times.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many nodes.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(3..=9))]
    pub nodes: u16,
    /// The kinds of faults, or families of them, separated by commas.
    #[arg(long, default_value = "all", value_delimiter = ',')]
    pub faults: Vec<String>,
    /// Machine-readable output.
    #[arg(long)]
    pub json: bool,
    /// Where the page goes.
    #[arg(long, value_name = "FILE", default_value = "synod-prove.html")]
    pub page: PathBuf,
    /// Where the nodes keep their data: an empty directory, which is left as it is in the end. A temporary one if not given.
    #[arg(long, value_name = "DIRECTORY")]
    pub data: Option<PathBuf>,
    /// Keep the temporary directory, not only after a violation.
    #[arg(long)]
    pub keep: bool,
    /// Another build of `synod` for the nodes, to see whether it is as good.
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// Then play the same faults on a stock Redis Cluster of six with `appendfsync always`, where redis-server is installed.
    #[arg(long)]
    pub redis: bool,
    /// Do not let the nodes record what happens to them: the debugger then cannot open a violation.
    #[arg(long)]
    pub no_record: bool,
    /// Tell how long nodes took to serve again, and do not judge it: on a machine that is busy with other things.
    #[arg(long)]
    pub untimed: bool,
}

fn parse_minutes(text: &str) -> Result<f64, String> {
    let minutes = text.parse::<f64>().ok().filter(|minutes| (0.1..=10_000.0).contains(minutes));
    minutes.ok_or_else(|| "give a number of minutes, from 0.1".to_owned())
}

/// `synod fuzz`.
#[derive(Args, Debug)]
pub struct Fuzz {
    /// A target, or several: the option may be repeated. All targets if none is named.
    #[arg(long)]
    pub target: Vec<String>,
    /// The first seed; each episode has the next one.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many cases each target has: spoiled inputs of a decoder, strange messages that a node lets in.
    #[arg(long, default_value_t = 100_000)]
    pub cases: u64,
}

/// `synod check-history`.
#[derive(Args, Debug)]
pub struct CheckHistory {
    /// A register's or a key-value store's history as Jepsen and Porcupine write it; `-` for standard input.
    pub file: PathBuf,
}

/// `synod debug`.
#[derive(Args, Debug)]
pub struct DebugCommand {
    /// What the nodes of a cluster recorded: a file of each, as `recording` in its configuration names it. The part before,
    /// FILE.old, is read too.
    #[arg(value_name = "RECORDING", conflicts_with_all = ["module", "test"])]
    pub recordings: Vec<PathBuf>,
    /// The module.
    #[arg(long, alias = "lab", required_unless_present_any = ["trace", "recordings"])]
    pub module: Option<String>,
    /// How many servers; in a sharded store, in each group.
    #[arg(long, conflicts_with_all = ["trace", "test", "recordings"])]
    pub servers: Option<u32>,
    /// How many clients.
    #[arg(long, conflicts_with_all = ["trace", "test", "recordings"])]
    pub clients: Option<u32>,
    /// How many groups, in a sharded store.
    #[arg(long, conflicts_with_all = ["trace", "test", "recordings"])]
    pub groups: Option<u32>,
    /// What every client's user asks, as 'PUT:a:1,GET:a'; lists for one user each are joined by semicolons.
    #[arg(long, conflicts_with_all = ["trace", "test", "recordings"])]
    pub workload: Option<String>,
    /// A run of this scenario, by its number or by a part of its name.
    #[arg(long, requires = "module")]
    pub test: Option<String>,
    /// With --test: the run of this seed.
    #[arg(long, requires = "test", default_value_t = 1)]
    pub seed: u64,
    /// A trace: what a search found, a run that was saved, a session of the debugger. With recordings: a way that branches
    /// off from them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["module", "test"])]
    pub trace: Option<PathBuf>,
    /// Let this one of the modules' seeded mistakes take the nodes' steps.
    #[arg(long, value_name = "NAME", conflicts_with = "test")]
    pub mutant: Option<String>,
    /// The port on 127.0.0.1; any that is free if not given.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}
