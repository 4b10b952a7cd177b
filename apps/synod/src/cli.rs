//! The command line: what it takes, and the two commands that need no cluster.

use crate::bench::{self, Extent, Options, Step, Workload};
use crate::config::{Config, Limits, PASSWORD_VARIABLE, Peer};
use crate::demo::{Place, Protocol};
use crate::node;
use clap::{ArgAction, Args, Parser, Subcommand};
use std::io::IsTerminal as _;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use synod_node::NodeId;

mod workbench;

pub use workbench::{CheckHistory, DebugCommand, Test};

/// A fault-tolerant key-value store that any Redis client can use.
#[derive(Parser, Debug)]
#[command(name = "synod", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program does.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Starts a durable cluster on this machine, in the foreground.
    Up(Up),
    /// Runs one node of a cluster.
    Serve(Serve),
    /// Tells who leads, positions, lags and sizes.
    Status(Status),
    /// Lets groups join and leave.
    #[command(subcommand)]
    Group(GroupCommand),
    /// Replaces members of groups.
    #[command(subcommand)]
    Member(MemberCommand),
    /// Moves slots from group to group.
    #[command(subcommand)]
    Slot(SlotCommand),
    /// Gives the groups equal parts of the slots again.
    Rebalance(Target),
    /// Tells which group owned which slots.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Measures a server that speaks the Redis protocol.
    Bench(Bench),
    /// Shows a protocol at work on this machine, each server a process of its own.
    Demo(Demo),
    /// Runs one server of a demo, which starts it.
    #[command(hide = true)]
    DemoNode(DemoNode),
    /// Runs the modules' scenarios.
    Test(Test),
    /// Opens the visual debugger: a fresh system, a trace, or a run of a scenario, step by step in the browser.
    Debug(DebugCommand),
    /// Decides whether a recorded history is linearizable.
    CheckHistory(CheckHistory),
    /// Looks after a node's data directory while the node is down.
    #[command(subcommand)]
    Disk(DiskCommand),
    /// Checks a configuration file.
    CheckConfig(CheckConfig),
}

/// `synod up`.
#[derive(Args, Debug)]
pub struct Up {
    /// How many nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=9))]
    pub nodes: u16,
    /// How many groups share the slots of a new store, 2 if it is not said; each has a member on every node.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub groups: Option<u32>,
    /// Where the nodes keep their data.
    #[arg(long, default_value = "synod-data")]
    pub data: PathBuf,
    /// The first node's port for clients; the others follow.
    #[arg(long, default_value_t = 7001, value_parser = clap::value_parser!(u16).range(1..=65_000))]
    pub port: u16,
    /// Throw away what an earlier run left there; with --yes.
    #[arg(long)]
    pub fresh: bool,
    /// With --fresh: what it names may be deleted.
    #[arg(long, requires = "fresh")]
    pub yes: bool,
    /// Let each node record what happens to it, in the file `flight.rec` beside its data, for `synod debug`.
    #[arg(long)]
    pub record: bool,
}

/// `synod serve`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("source").required(true).args(["config", "node"]))]
pub struct Serve {
    /// The node's configuration file; or all of it by the flags below.
    #[arg(long, conflicts_with_all = ["node", "cluster", "data", "listen", "peer_listen", "peer"])]
    pub config: Option<PathBuf>,
    /// This node's number, from 1.
    #[arg(long, requires_all = ["data", "listen", "peer_listen"])]
    pub node: Option<u32>,
    /// The cluster's name.
    #[arg(long, default_value = "synod")]
    pub cluster: String,
    /// The directory for everything durable.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Where clients are served.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// Where other nodes are heard.
    #[arg(long)]
    pub peer_listen: Option<SocketAddr>,
    /// Where metrics are served.
    #[arg(long)]
    pub admin_listen: Option<SocketAddr>,
    /// The file whose first line is the clients' password.
    #[arg(long)]
    pub password_file: Option<PathBuf>,
    /// Which life of this node's disk it is: one more each time that the disk was lost.
    #[arg(long, default_value_t = 0)]
    pub incarnation: u64,
    /// How many groups a new store is founded with.
    #[arg(long, default_value_t = 1)]
    pub groups: u32,
    /// Where to record everything that happens to the node.
    #[arg(long)]
    pub recording: Option<PathBuf>,
    /// How many bytes of the recording are kept at least.
    #[arg(long, default_value_t = crate::config::recording_bytes(), requires = "recording")]
    pub recording_bytes: u64,
    /// Another node, as NUMBER=PEER_ADDRESS/CLIENT_ADDRESS; once for each.
    #[arg(long, value_parser = parse_peer)]
    pub peer: Vec<Peer>,
}

fn parse_peer(text: &str) -> Result<Peer, String> {
    let shape = || "write it as 2=10.0.0.2:17001/10.0.0.2:7001".to_owned();
    let (node, addresses) = text.split_once('=').ok_or_else(shape)?;
    let (peer, client) = addresses.split_once('/').ok_or_else(shape)?;
    Ok(Peer {
        node: node.parse().map_err(|_| shape())?,
        peer: peer.parse().map_err(|_| shape())?,
        client: client.parse().map_err(|_| shape())?,
    })
}

impl Serve {
    /// The configuration that the file or the flags say, checked.
    fn configuration(&self) -> Result<Config, String> {
        let flags = (self.node, &self.data, self.listen, self.peer_listen);
        let (Some(node), Some(data), Some(listen), Some(peer_listen)) = flags else {
            return match &self.config {
                Some(file) => Config::read(file),
                None => Err("serve: give --config, or --node and what it needs".to_owned()),
            };
        };
        let mut peers = self.peer.clone();
        if peers.iter().all(|peer| peer.node != node) {
            peers.push(Peer { node, peer: peer_listen, client: listen });
        }
        let config = Config {
            cluster: self.cluster.clone(),
            node,
            data: std::path::absolute(data).map_err(|error| format!("--data: {error}"))?,
            listen,
            peer_listen,
            admin_listen: self.admin_listen,
            password_file: self.password_file.clone(),
            incarnation: self.incarnation,
            recording: self.recording.clone(),
            recording_bytes: self.recording_bytes,
            groups: self.groups,
            peers,
            limits: Limits::default(),
        };
        config.check()?;
        config.password()?;
        Ok(config)
    }
}

/// `synod status`.
#[derive(Args, Debug)]
pub struct Status {
    /// The directory that `synod up` was given.
    #[arg(long, default_value = "synod-data", conflicts_with = "admin")]
    pub data: PathBuf,
    /// The nodes' addresses for operators, separated by commas, instead of a directory.
    #[arg(long, value_delimiter = ',')]
    pub admin: Vec<SocketAddr>,
    /// Machine-readable output.
    #[arg(long)]
    pub json: bool,
}

/// Which cluster an operator means.
#[derive(Args, Debug)]
pub struct Target {
    /// The directory that `synod up` was given.
    #[arg(long, default_value = "synod-data", conflicts_with = "node")]
    pub data: PathBuf,
    /// A node's address for clients, instead of a directory.
    #[arg(long)]
    pub node: Option<SocketAddr>,
    /// With --node: the nodes' addresses for operators, separated by commas, to see how slots move.
    #[arg(long, value_delimiter = ',', requires = "node")]
    pub admin: Vec<SocketAddr>,
    /// Do not wait until every slot is where it belongs, or the new member has caught up.
    #[arg(long)]
    pub no_wait: bool,
}

/// `synod group`.
#[derive(Subcommand, Debug)]
pub enum GroupCommand {
    /// A new group takes its part of the slots.
    Join {
        /// Its number, as 3 or g3.
        group: String,
        /// The numbers of the nodes that run its members; all nodes, if none is named.
        #[arg(long, value_delimiter = ',')]
        nodes: Vec<u32>,
        /// Which cluster.
        #[command(flatten)]
        target: Target,
    },
    /// A group gives its slots to the others.
    Leave {
        /// Its number, as 3 or g3.
        group: String,
        /// Which cluster.
        #[command(flatten)]
        target: Target,
    },
}

/// `synod member`.
#[derive(Subcommand, Debug)]
pub enum MemberCommand {
    /// Another node runs a member of a group instead of one that did, whether that is alive or not.
    Replace {
        /// The group's number, as 3 or g3.
        group: String,
        /// The number of the node that goes.
        old: u32,
        /// The number of the node that comes, which never had a member of this group.
        new: u32,
        /// Which cluster.
        #[command(flatten)]
        target: Target,
    },
}

/// `synod slot`.
#[derive(Subcommand, Debug)]
pub enum SlotCommand {
    /// These slots go to a group, whatever balance says.
    Move {
        /// The first slot.
        #[arg(value_parser = clap::value_parser!(u16).range(0..=16_383))]
        first: u16,
        /// The last slot.
        #[arg(value_parser = clap::value_parser!(u16).range(0..=16_383))]
        last: u16,
        /// The group's number, as 3 or g3.
        group: String,
        /// Which cluster.
        #[command(flatten)]
        target: Target,
    },
}

/// `synod config`.
#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Every configuration that there was: its number, its groups, its slots.
    History {
        /// Which cluster.
        #[command(flatten)]
        target: Target,
    },
}

/// What an operator asks of a running cluster.
#[derive(Debug)]
pub enum Change<'a> {
    /// `synod group`.
    Group(&'a GroupCommand),
    /// `synod member`.
    Member(&'a MemberCommand),
    /// `synod slot`.
    Slot(&'a SlotCommand),
    /// `synod rebalance`.
    Rebalance(&'a Target),
    /// `synod config`.
    Config(&'a ConfigCommand),
}

/// `synod bench`.
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub struct Bench {
    /// The server's host.
    #[arg(short = 'h', long, default_value = "127.0.0.1")]
    pub host: String,
    /// The server's port; several, separated by commas, share the connections.
    #[arg(short, long, default_value = "7001", value_delimiter = ',')]
    pub port: Vec<u16>,
    /// How many connections.
    #[arg(short, long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub clients: u32,
    /// How many requests in each test.
    #[arg(short = 'n', long, default_value_t = 100_000, conflicts_with = "seconds")]
    pub requests: u64,
    /// How long each test runs, instead of a number of requests.
    #[arg(short, long)]
    pub seconds: Option<f64>,
    /// Ask at a rate, whatever the answers: requests a second and seconds, as in 8000:10; several steps, separated by
    /// commas, follow each other. Prints each second.
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["seconds", "requests", "pipeline"])]
    pub rate: Vec<Step>,
    /// How many requests each connection keeps under way.
    #[arg(short = 'P', long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub pipeline: u32,
    /// The tests, separated by commas: ping, set, get, incr, mixed.
    #[arg(short, long, default_value = "set,get,incr", value_delimiter = ',')]
    pub tests: Vec<Workload>,
    /// How long values are, in bytes.
    #[arg(short = 'd', long, default_value_t = 128)]
    pub value_size: usize,
    /// How many different keys there are.
    #[arg(short, long, default_value_t = 10_000)]
    pub keys: u64,
    /// Do not set the keys before a test that reads them.
    #[arg(long)]
    pub no_fill: bool,
    /// Machine-readable output.
    #[arg(long)]
    pub json: bool,
    /// Print help.
    #[arg(long, action = ArgAction::Help)]
    pub help: Option<bool>,
}

/// `synod demo`.
#[derive(Args, Debug)]
pub struct Demo {
    /// Which protocol.
    #[arg(value_enum)]
    pub protocol: Protocol,
    /// How many seconds the clients load the servers; before the kill and again after it, where there is one.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=60))]
    pub seconds: u16,
}

/// `synod demo-node`.
#[derive(Args, Debug)]
pub struct DemoNode {
    /// Which protocol.
    #[arg(value_enum)]
    pub protocol: Protocol,
    /// The server to run, as n1.
    #[arg(long)]
    pub node: NodeId,
    /// The directory for everything durable.
    #[arg(long)]
    pub data: PathBuf,
    /// Where the demo's own process listens.
    #[arg(long)]
    pub demo: SocketAddr,
    /// How many clients run there.
    #[arg(long)]
    pub clients: u32,
    /// Where a server listens, as n1=127.0.0.1:4711; once for each, this one too.
    #[arg(long = "server")]
    pub servers: Vec<Place>,
}

/// `synod disk`.
#[derive(Subcommand, Debug)]
pub enum DiskCommand {
    /// Reads every file, and says of each whether it is whole: a line a file, and exit code 1 if one is damaged.
    Check(DiskCheck),
}

/// `synod disk check`.
#[derive(Args, Debug)]
pub struct DiskCheck {
    /// The node's data directory.
    pub data: PathBuf,
    /// If it is damaged, and a majority of each of the node's groups is whole: set the directory's files aside, and let the
    /// node come back from its peers as one that lost its disk.
    #[arg(long)]
    pub repair_from_peers: bool,
    /// With --repair-from-peers: the node's configuration file; the data directory's `synod.toml`, if none is given.
    #[arg(long, requires = "repair_from_peers")]
    pub config: Option<PathBuf>,
    /// With --repair-from-peers: the other nodes' addresses for operators, separated by commas; those of `synod up`, if none
    /// is given.
    #[arg(long, value_delimiter = ',', requires = "repair_from_peers")]
    pub admin: Vec<SocketAddr>,
    /// With --repair-from-peers: which life of the disk begins, where nothing that is left on it says which was the last.
    #[arg(long, requires = "repair_from_peers")]
    pub incarnation: Option<u64>,
}

/// `synod check-config`.
#[derive(Args, Debug)]
pub struct CheckConfig {
    /// The file.
    pub file: PathBuf,
}

/// The exit code for what the user must change: arguments, configuration.
pub const USAGE: u8 = 2;

/// Runs `synod bench`.
pub fn run_bench(arguments: &Bench) -> ExitCode {
    let options = match bench_options(arguments) {
        Ok(options) => options,
        Err(problem) => return usage_error(&problem),
    };
    if !arguments.rate.is_empty() {
        return run_steps(arguments, &options);
    }
    let mut reports = Vec::new();
    for workload in &arguments.tests {
        match bench::run(&options, *workload) {
            Ok(report) => reports.push(report),
            Err(error) => {
                eprintln!("synod: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let mut out = std::io::stdout().lock();
    let printed = match arguments.json {
        true => bench::print_json(&reports, &mut out),
        false => bench::print_table(&reports, &mut out),
    };
    let is_good = printed.is_ok() && reports.iter().all(|report| report.errors == 0);
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_steps(arguments: &Bench, options: &Options) -> ExitCode {
    let [workload] = arguments.tests[..] else {
        return usage_error("--rate: name one test, as in --tests set");
    };
    let mut out = std::io::stdout().lock();
    match bench::run_steps(options, workload, &arguments.rate) {
        Err(error) => {
            eprintln!("synod: {error}");
            ExitCode::FAILURE
        }
        Ok(course) => {
            let printed = match arguments.json {
                true => course.print_json(&mut out),
                false => course.print_table(&mut out),
            };
            if printed.is_ok() && course.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

fn bench_options(arguments: &Bench) -> Result<Options, String> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for port in &arguments.port {
        let host = arguments.host.as_str();
        let found = (host, *port).to_socket_addrs().ok().and_then(|mut found| found.next());
        addresses.push(found.ok_or_else(|| format!("--host {host}: no such host"))?);
    }
    let extent = match arguments.seconds {
        None if arguments.requests == 0 => return Err("--requests: measure at least one".to_owned()),
        None => Extent::Requests(arguments.requests),
        Some(seconds) => match Duration::try_from_secs_f64(seconds) {
            Ok(time) if !time.is_zero() => Extent::Time(time),
            Ok(_) | Err(_) => return Err("--seconds: give a time above zero".to_owned()),
        },
    };
    Ok(Options {
        addresses,
        clients: arguments.clients as usize,
        pipeline: arguments.pipeline as usize,
        extent,
        value_bytes: arguments.value_size,
        keys: arguments.keys,
        fills: !arguments.no_fill,
        password: std::env::var_os(PASSWORD_VARIABLE).map(std::ffi::OsString::into_encoded_bytes),
        shows_progress: std::io::stderr().is_terminal() && !arguments.json,
    })
}

/// Runs `synod serve`.
pub fn run_serve(arguments: &Serve) -> ExitCode {
    start_log();
    match arguments.configuration() {
        Ok(config) => node::serve(&config),
        Err(problem) => usage_error(&problem),
    }
}

/// Sends what the program has to say of itself to standard error, one line an event. `SYNOD_LOG` sets the level.
fn start_log() {
    let wanted = std::env::var("SYNOD_LOG").ok().and_then(|level| level.parse::<tracing::Level>().ok());
    let level = wanted.unwrap_or(tracing::Level::INFO);
    let is_terminal = std::io::stderr().is_terminal();
    let log =
        tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(is_terminal);
    // A second start, in a test, finds the first one's in place.
    let _ = log.try_init();
}

/// Runs `synod check-config`.
pub fn run_check_config(arguments: &CheckConfig) -> ExitCode {
    match Config::read(&arguments.file) {
        Err(problem) => usage_error(&problem),
        Ok(config) => {
            let (node, nodes) = (config.node, config.peers.len());
            println!(
                "{}: good: node {node} of {nodes}, clients at {}",
                arguments.file.display(),
                config.listen
            );
            ExitCode::SUCCESS
        }
    }
}

/// Tells what the user must change.
pub fn usage_error(problem: &str) -> ExitCode {
    eprintln!("synod: {problem}");
    ExitCode::from(USAGE)
}

#[cfg(test)]
mod tests {
    use super::{Cli, Command};
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        let cli =
            Cli::try_parse_from(["synod", "bench", "-h", "::1", "-p", "1,2", "-n", "5", "-P", "16"]).unwrap();
        let Command::Bench(bench) = cli.command else { panic!() };
        assert_eq!((bench.host.as_str(), bench.port, bench.requests), ("::1", vec![1, 2], 5));
    }

    #[test]
    fn flags_say_what_a_configuration_file_would() {
        let flags = "synod serve --node 1 --data d --listen 127.0.0.1:7001 --peer-listen 127.0.0.1:17001 \
                     --peer 2=127.0.0.1:17002/127.0.0.1:7002";
        let cli = Cli::try_parse_from(flags.split_whitespace()).unwrap();
        let Command::Serve(serve) = cli.command else { panic!() };
        let config = serve.configuration().unwrap();
        assert_eq!(config.peers.iter().map(|peer| peer.node).collect::<Vec<_>>(), [2, 1]);
        assert_eq!((config.cluster.as_str(), config.incarnation), ("synod", 0));
    }

    #[test]
    fn what_is_misspelt_is_guessed() {
        for (arguments, expected) in [
            (vec!["synod", "bensh"], "'bench'"),
            (vec!["synod", "bench", "--piepline", "1"], "'--pipeline'"),
            (vec!["synod", "bench", "--tests", "sett"], "no test is called so; there are ping, set"),
            (vec!["synod", "up", "--nodes", "0"], "1..=9"),
            (vec!["synod", "serve"], "--config <CONFIG>|--node <NODE>"),
            (vec!["synod", "serve", "--node", "1"], "--data <DATA>"),
            (
                vec!["synod", "serve", "--node", "1", "--peer", "2"],
                "write it as 2=10.0.0.2:17001/10.0.0.2:7001",
            ),
        ] {
            let error = Cli::try_parse_from(&arguments).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
    }
}
