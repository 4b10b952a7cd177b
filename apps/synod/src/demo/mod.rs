//! `synod demo`: a protocol at work on this machine, each server a process of its own, told in plain words.
//!
//! The nodes are those that the simulator plays and the checker searches, on the real host: TCP on 127.0.0.1, the real
//! clock, a real disk. The servers are processes of this binary (`synod demo-node`), which the demo starts, stops and
//! kills; the clients are nodes of the demo's own process, so that it sees each answer and can check it.
//!
//! * `places.rs`: where each process listens. `node.rs`: a server's process, from inside. `children.rs`: from outside.
//! * `clients.rs`: clients that keep asking; `ledger.rs`: what they ask a key-value store, and what must be answered.
//! * `figures.rs`: what was measured, in words.
//! * A file a demo.
//!
//! Nothing of a demo outlives it. A child ends when its standard input closes, which happens however the demo ends, and
//! the system kills it should the demo be killed; the data are in a temporary directory that is removed, unless the
//! demo itself is killed with SIGKILL.

mod children;
mod clients;
mod clientserver;
mod figures;
mod ledger;
mod node;
mod pingpong;
mod places;
mod primarybackup;

pub use places::Place;

use crate::cli::{Demo, DemoNode, usage_error};
use clap::ValueEnum;
use std::fmt;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// Whatever a demo waits for comes within this, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// What can be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Protocol {
    /// A server echoes what a client asks.
    #[value(name = "pingpong")]
    PingPong,
    /// Clients that ask again are served exactly once.
    #[value(name = "clientserver")]
    ClientServer,
    /// A backup takes over from a primary that is killed.
    #[value(name = "primarybackup")]
    PrimaryBackup,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::PingPong => "pingpong",
            Protocol::ClientServer => "clientserver",
            Protocol::PrimaryBackup => "primarybackup",
        })
    }
}

/// What a demo is given.
struct Stage<'a> {
    /// An empty directory.
    data: &'a Path,
    /// How long a stretch of load lasts.
    stretch: Duration,
    tale: Tale,
}

/// What is told, each line with the time since the beginning.
#[derive(Clone, Copy)]
struct Tale {
    began: Instant,
}

impl Tale {
    /// # Errors
    /// If nobody reads it any more.
    fn say(self, line: impl fmt::Display) -> Result<(), String> {
        let seconds = self.began.elapsed().as_secs_f64();
        self.print(format_args!("{seconds:7.3} s  {line}"))
    }

    /// Goes on with the line before.
    fn go_on(self, line: impl fmt::Display) -> Result<(), String> {
        self.print(format_args!("           {line}"))
    }

    fn print(self, line: impl fmt::Display) -> Result<(), String> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}")
            .and_then(|()| out.flush())
            .map_err(|error| format!("standard output: {error}"))
    }
}

/// Runs `synod demo`.
pub fn run(arguments: &Demo) -> ExitCode {
    match perform(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("synod: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: &Demo) -> Result<(), String> {
    let tale = Tale { began: Instant::now() };
    let system = |error| format!("the system refuses: {error}");
    let directory = tempfile::Builder::new().prefix("synod-demo-").tempdir().map_err(system)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    let stage =
        Stage { data: directory.path(), stretch: Duration::from_secs(arguments.seconds.into()), tale };
    LocalSet::new().block_on(&runtime, async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(system)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(system)?;
        tokio::select! {
            shown = show(arguments.protocol, &stage) => shown,
            _ = interrupt.recv() => Err("interrupted: every process is stopped".to_owned()),
            _ = terminate.recv() => Err("told to stop: every process is stopped".to_owned()),
        }
    })?;
    // What runs in it still, such as the clients' journal, ends first.
    drop(runtime);
    let place = directory.path().to_owned();
    directory.close().map_err(|error| format!("{} could not be removed: {error}", place.display()))?;
    tale.say("every process is stopped, and the data are removed")
}

async fn show(protocol: Protocol, stage: &Stage<'_>) -> Result<(), String> {
    match protocol {
        Protocol::PingPong => pingpong::show(stage).await,
        Protocol::ClientServer => clientserver::show(stage).await,
        Protocol::PrimaryBackup => primarybackup::show(stage).await,
    }
}

/// Runs `synod demo-node`: one server of a demo.
pub fn run_node(arguments: &DemoNode) -> ExitCode {
    if arguments.servers.iter().all(|place| place.node != arguments.node) {
        return usage_error("demo-node: --server does not say where this node listens");
    }
    match arguments.protocol {
        Protocol::PingPong => node::run(arguments, pingpong::server(), pingpong::tell),
        Protocol::ClientServer => node::run(arguments, clientserver::server(), clientserver::tell),
        Protocol::PrimaryBackup => {
            node::run(arguments, primarybackup::server(arguments.node), primarybackup::tell)
        }
    }
}
