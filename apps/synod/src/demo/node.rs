//! A server of a demo, from inside: a process that hosts one node, and says on its standard output what became of it.

use super::places::{Places, describe};
use crate::cli::DemoNode;
use crate::node::{ended, exit_on_panic, fail, listen};
use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;
use synod_host::{Host, Hosted, Resident};
use tokio::task::LocalSet;

/// How often a node is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// Hosts `node` until standard input closes: whoever started this process is gone then. `tell` says in a line how the
/// node is; the line is printed whenever it is another one.
pub(super) fn run<N: Hosted>(arguments: &DemoNode, node: N, tell: fn(&N) -> String) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the system refuses an event loop: {error}")),
    };
    exit_on_panic();
    std::thread::spawn(|| {
        let mut byte = [0; 1];
        while matches!(std::io::stdin().read(&mut byte), Ok(1..)) {}
        std::process::exit(0);
    });
    match LocalSet::new().block_on(&runtime, host(arguments, node, tell)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => fail(&problem),
    }
}

async fn host<N: Hosted>(arguments: &DemoNode, node: N, tell: fn(&N) -> String) -> Result<(), String> {
    let me = arguments.node;
    let places =
        Places { servers: arguments.servers.clone(), demo: arguments.demo, clients: arguments.clients };
    let own = places.servers.iter().find(|place| place.node == me).ok_or("this node has no place")?;
    let listener = listen("server", own.address).await?;
    let config = places.config_of(me, arguments.data.clone());
    // Users ask clients; a server answers none.
    let opened = Host::<N>::open(config, |_, _, _| {}, describe).map_err(|error| error.to_string())?;
    let host = opened.host();
    let mut engine = tokio::task::spawn_local(opened.run(vec![Resident::unrecorded(me, node)], listener));
    // The engine's first step puts the node in place.
    tokio::task::yield_now().await;
    let mut told = None;
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        if engine.is_finished() {
            return Err(ended(engine.await));
        }
        let line = host.look(me, tell);
        if told.as_ref() != Some(&line) {
            let mut out = std::io::stdout().lock();
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                // Nobody listens any more.
                return Ok(());
            }
            told = Some(line);
        }
        tokio::select! {
            _ = ticks.tick() => {}
            ended_so = &mut engine => return Err(ended(ended_so)),
        }
    }
}
