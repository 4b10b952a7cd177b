//! `synod demo clientserver`: clients that ask again, and a server that runs each request exactly once all the same.

use super::children::{Children, pause};
use super::clients::Clients;
use super::ledger::{Ledger, read_back};
use super::{Protocol, Stage};
use crate::words::thousands;
use std::time::Duration;
use synod_clientserver::{Client, KvStore, Process, Server};
use synod_node::NodeId;

const SERVER: NodeId = NodeId::server(1);
const CLIENTS: u32 = 4;
/// How many requests each client keeps outstanding.
const WINDOW: usize = 16;
/// How long the server stands still: longer than clients wait before they ask again.
const STILL: Duration = Duration::from_millis(500);
/// Who hears nothing for so long has heard everything that was on its way.
const QUIET: Duration = Duration::from_millis(50);

/// The server's node.
pub(super) fn server() -> Process<KvStore> {
    Process::Server(Server::new(KvStore::default()))
}

/// How it is: there.
pub(super) fn tell(_node: &Process<KvStore>) -> String {
    "up".to_owned()
}

pub(super) async fn show(stage: &Stage<'_>) -> Result<(), String> {
    let tale = stage.tale;
    tale.print("A key-value store in one process and its clients in another, over TCP on 127.0.0.1.\n")?;
    let mut children = Children::new(Protocol::ClientServer, &[SERVER], CLIENTS, stage.data)?;
    let id = children.start(SERVER)?;
    tale.say(format_args!("{SERVER} is the server, process {id}"))?;
    let places = children.places();
    let config = places.config_of_demo(stage.data.join("clients"));
    let client = |id| (id, Process::Client(Client::new(id, SERVER)), Ledger::new(id));
    let nodes = NodeId::clients(CLIENTS).into_iter().map(client).collect();
    let clients = Clients::open(config, places.demo, nodes, WINDOW).await?;
    children.during(clients.begin_warm()).await?;
    tale.say(format_args!(
        "{CLIENTS} clients, in this process, append and read, {WINDOW} requests outstanding each"
    ))?;
    children.during(pause(stage.stretch)).await?;
    tale.say(clients.take_figures().told("operations"))?;

    children.stop(SERVER)?;
    tale.say(format_args!("{SERVER} is stopped (SIGSTOP): the clients hear nothing, and ask again"))?;
    children.during(quiet(&clients)).await?;
    // Every window is full and all of it was sent: what is sent now was sent before.
    let before = clients.messages_sent();
    children.during(pause(STILL)).await?;
    let repeats = clients.messages_sent() - before;
    children.go_on(SERVER)?;
    tale.say(format_args!(
        "{SERVER} goes on (SIGCONT), and finds {repeats} messages that repeat what it has"
    ))?;
    let appends = children.during(read_back(&clients)).await?;
    tale.say(format_args!("every one of {} acknowledged appends is there exactly once", thousands(appends)))
}

/// Waits until no answer comes any more.
async fn quiet(clients: &Clients<Process<KvStore>, Ledger>) -> Result<(), String> {
    let mut answered = None;
    while answered != Some(clients.answered()) {
        answered = Some(clients.answered());
        pause(QUIET).await?;
    }
    Ok(())
}
