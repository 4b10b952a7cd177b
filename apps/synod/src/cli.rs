//! The command line: what it takes, and the two commands that need no cluster.

use crate::config::{Config, Limits, Peer};
use crate::demo::{Place, Protocol};
use crate::node;
use crate::tls::TlsOptions;
use clap::{Args, Parser, Subcommand};
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use synod_node::NodeId;

mod load;
mod workbench;

pub use load::{Bench, run_bench};
pub use workbench::{CheckHistory, DebugCommand, Fuzz, Prove, Test};

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
    /// Adds a node to the cluster, or removes one.
    #[command(subcommand)]
    Node(NodeCommand),
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
    /// Shows the guarantee on this machine: faults by a seed, clients whose histories are judged, a page that says what came of
    /// it. Ends with 0 if it held, 1 if it was violated, 3 if it was not shown.
    Prove(Prove),
    /// Runs one server of a demo, which starts it.
    #[command(hide = true)]
    DemoNode(DemoNode),
    /// Runs the modules' scenarios.
    Test(Test),
    /// Opens the visual debugger: a fresh system, a trace, or a run of a scenario, step by step in the browser.
    Debug(DebugCommand),
    /// Sends malformed bytes to decoders and false messages to nodes: nothing may panic.
    Fuzz(Fuzz),
    /// Decides whether a recorded history is linearizable.
    CheckHistory(CheckHistory),
    /// Looks after a node's data directory while the node is down.
    #[command(subcommand)]
    Disk(DiskCommand),
    /// Checks a configuration file.
    CheckConfig(CheckConfig),
    /// Makes a key that all nodes of a cluster have in common: `peer_key_file`.
    Key(Key),
    /// Makes certificates for nodes and clients, and an authority of the cluster's own that signs them: `[tls]`.
    Cert(Cert),
}

/// `synod cert`.
#[derive(Args, Debug)]
pub struct Cert {
    /// The directory of the authority, `ca.crt` and `ca.key`: made, if it is not there. `ca.key` signs whoever may come, so keep
    /// it where no node runs.
    pub directory: PathBuf,
    /// A host: its name or address, or all of them separated by commas. The first names its files.
    #[arg(required = true)]
    pub hosts: Vec<String>,
}

/// `synod key`.
#[derive(Args, Debug)]
pub struct Key {
    /// The file to write; it must not be there yet. Copy it to every node.
    pub file: PathBuf,
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
    /// The file whose first line is the key that all nodes have in common.
    #[arg(long)]
    pub peer_key_file: Option<PathBuf>,
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
        peer: Some(peer.to_owned()).filter(|peer| synod_store::is_address(peer)).ok_or_else(shape)?,
        client: Some(client.to_owned()).filter(|client| synod_store::is_address(client)).ok_or_else(shape)?,
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
            peers.push(Peer { node, peer: peer_listen.to_string(), client: listen.to_string() });
        }
        let config = Config {
            cluster: self.cluster.clone(),
            node,
            data: std::path::absolute(data).map_err(|error| format!("--data: {error}"))?,
            listen,
            peer_listen,
            admin_listen: self.admin_listen,
            password_file: self.password_file.clone(),
            peer_key_file: self.peer_key_file.clone(),
            incarnation: self.incarnation,
            recording: self.recording.clone(),
            recording_bytes: self.recording_bytes,
            groups: self.groups,
            peers,
            limits: Limits::default(),
            // Its files are named in a configuration file.
            tls: None,
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
    /// How to speak TLS.
    #[command(flatten)]
    pub tls: TlsOptions,
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
    /// How to speak TLS.
    #[command(flatten)]
    pub tls: TlsOptions,
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
        /// The group's number, as 3 or g3; or `config`: the configuration service.
        group: String,
        /// The number of the node that goes.
        old: u32,
        /// The number of the node that comes, which has no member of this group now.
        new: u32,
        /// Which cluster.
        #[command(flatten)]
        target: Target,
    },
}

/// `synod node`.
#[derive(Subcommand, Debug)]
pub enum NodeCommand {
    /// A node belongs to the cluster from now on. Then start it, with some of the others in its file.
    Add {
        /// Its number, which no node has now.
        number: u32,
        /// Where other nodes reach it, host:port.
        peer: String,
        /// Where clients reach it, host:port.
        client: String,
        /// Which cluster.
        #[command(flatten)]
        target: Target,
    },
    /// A node is no more. It must run no member of a group or of the configuration service: replace those first.
    Remove {
        /// Its number.
        number: u32,
        /// Which cluster.
        #[command(flatten)]
        target: Target,
    },
    /// The nodes: where they are, whether they can be reached, and what they run.
    List {
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
    /// `synod node`.
    Node(&'a NodeCommand),
    /// `synod slot`.
    Slot(&'a SlotCommand),
    /// `synod rebalance`.
    Rebalance(&'a Target),
    /// `synod config`.
    Config(&'a ConfigCommand),
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

/// Runs `synod key`.
pub fn run_key(arguments: &Key) -> ExitCode {
    match crate::key::make(&arguments.file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => usage_error(&format!("{}: {error}", arguments.file.display())),
    }
}

/// Runs `synod cert`.
pub fn run_cert(arguments: &Cert) -> ExitCode {
    match crate::tls::make(&arguments.directory, &arguments.hosts) {
        Ok(written) => {
            written.iter().for_each(|file| println!("{file}"));
            ExitCode::SUCCESS
        }
        Err(problem) => usage_error(&problem),
    }
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
