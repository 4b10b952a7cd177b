//! One node of a cluster: a member of the configuration service, a member of each group, the gateway through which its
//! clients reach the groups, and the doors for clients, peers and operators; all on one thread, with one journal.
//!
//! A command that a client sends here goes to the *gateway*, a client of the sharded store with sessions of its own, which
//! submits it to whoever leads the group that serves its slot, on this node or another, and again if that one dies or the
//! slot moves: so a client may talk to any node, and none of its commands runs twice. What came of it goes back into the
//! client's connection.
//!
//! `places.rs` has the names of all these, `groups.rs` which groups have members here.

mod admin;
mod admission;
mod backend;
pub(crate) mod blueprint;
mod configurations;
mod joining;
mod line;
mod membership;
mod operators;
mod outages;
pub(crate) mod places;
mod requests;

use crate::config::Config;
use crate::server::{self, Server};
use crate::tls::Door;
use crate::watched::follow;
pub(crate) use admin::NO_MEMBER;
pub use admin::{GroupStatus, NodeStatus};
pub(crate) use backend::CLOCK_OFFSET_MS_MAX;
use backend::Gateway;
use blueprint::{Blueprint, Role};
use membership::Membership;
pub(crate) use operators::ASK_ANOTHER;
pub(crate) use places::is_gateway;
pub(crate) use requests::CANNOT_SPARE;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};
use synod_host::{DataError, Host, HostConfig, HostError, Key, Stopped};
use synod_node::{NodeId, RequestId};
use synod_paxos::Settings;
use synod_shardedstore::{Process, Record, Request};
use synod_stdx::{Digest, Wire};
use synod_store::Keyspace;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// What runs on a node.
pub(crate) type Store = Process<Keyspace>;

/// The size of a segment of the journal. A node that executes as much as a checkpoint waits for fills a few.
const SEGMENT_BYTES: u64 = 32 << 20;

/// How long a node that handed over waits for the next leader to show itself.
const HEIR_MAX: Duration = Duration::from_secs(1);

/// The exit code of a node that found a bug in itself: what `sysexits.h` calls EX_SOFTWARE.
const EXIT_BUG: i32 = 70;

/// Runs the node that `config` describes until it is told to stop or its disk fails.
pub fn serve(config: &Config) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the system refuses an event loop: {error}")),
    };
    exit_on_panic();
    match LocalSet::new().block_on(&runtime, run(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => fail(&problem),
    }
}

/// From now on a panic ends the process. A task that panics would leave a node that answers nobody: better none, which
/// is started again.
pub(crate) fn exit_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(EXIT_BUG);
    }));
}

/// Says why the program ends.
pub(crate) fn fail(problem: &str) -> ExitCode {
    eprintln!("synod: {problem}");
    ExitCode::FAILURE
}

/// Listens at `address`, which the configuration calls `name`.
///
/// # Errors
/// Says what to do.
pub(crate) async fn listen(name: &str, address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        format!("{name}: cannot listen on {address}: {error}; stop who does, or choose another port")
    })
}

/// The tunable part of the protocol for real machines: they stall longer than simulated ones.
fn settings() -> Settings {
    Settings { tells_clocks: true, tick_ms: 75, ..Settings::default() }
}

async fn run(config: &Config) -> Result<(), String> {
    let keys = config.peer_keys()?;
    let door = Door::open(config.tls.as_ref())?;
    let clients = listen("listen", config.listen).await?;
    let peers_in = listen("peer_listen", config.peer_listen).await?;
    let least = joining::settle(config, &keys, &peers_in).await?;

    let front = Server::new(server_options(config)?);
    let requests = Rc::new(requests::Requests::new(front.completions()));
    let answered = Rc::clone(&requests);
    let on_reply = move |_: NodeId, id, response| answered.settle(id, response);
    let opened = Host::<Store>::open(host_config(config, keys, least), on_reply, describe)
        .map_err(|error| refused(&error))?;
    let (session, incarnation, host) = (opened.start().nonce, opened.incarnation(), opened.host());
    let membership = known_membership(&host, config, incarnation)?;
    let founded_with = (joining::list_of(config), host.disk());
    let residents = residents(&membership, session).iter().map(Blueprint::resident).collect();
    let opened = opened.without(&membership.ended_here());
    let backend = Gateway::new(host.clone(), config, membership, requests);
    let mut engine = tokio::task::spawn_local(opened.run(residents, peers_in));
    // The engine's first step puts the nodes in place.
    tokio::task::yield_now().await;
    if engine.is_finished() {
        return Err(ended(engine.await));
    }

    let for_guests = backend.clone();
    host.on_guest(move |guest, question| {
        Box::pin(joining::answer(for_guests.clone(), founded_with, guest, question))
    });
    tokio::task::spawn_local(backend.clone().pump());
    tokio::task::spawn_local(backend.clone().watch_time());
    let mut configurations_watch = tokio::task::spawn_local(backend.clone().watch_configurations());
    let disk = (host.disk(), incarnation);
    let mut announcement = tokio::task::spawn_local(backend.clone().announce(disk, config.own_addresses()));
    if let Some(address) = config.admin_listen {
        let listener = listen("admin_listen", address).await?;
        tokio::task::spawn_local(admin::serve(listener, door.clone(), backend.clone()));
    }
    tokio::task::spawn_local(door.clone().watch());
    tokio::task::spawn_local(watch_keys(config.clone(), host.clone()));
    tracing::info!(node = config.node, clients = %config.listen, peers = %config.peer_listen, "serving");
    backend.found(config.groups);

    tokio::select! {
        stopped = serve_until_told(front, (clients, door), (backend, &host)) => stopped,
        stopped = &mut engine => Err(ended(stopped)),
        problem = &mut configurations_watch => {
            Err(problem.unwrap_or_else(|panic| format!("the node failed in itself, which is a bug: {panic}")))
        }
        Ok(Some(problem)) = &mut announcement => Err(problem),
    }
}

/// Takes the keys of peers again whenever their file changes.
async fn watch_keys(config: Config, host: Host<Store>) {
    let Some(file) = config.peer_key_file.clone() else { return };
    follow(vec![file], || config.peer_keys(), |keys| host.set_keys(keys)).await;
}

/// Why a node ends that is no more.
fn removed(node: u32) -> String {
    format!(
        "node {node} was removed from the cluster; its data is not needed any more: to let it come again, add it and give it an \
         empty directory"
    )
}

/// What this node knows of the cluster. What its file says besides must agree.
fn known_membership(host: &Host<Store>, config: &Config, incarnation: u64) -> Result<Membership, String> {
    let Some(fact) = host.fact(membership::FACT) else {
        return Err("the data directory does not say which cluster it is of: an earlier release wrote it; start that one".to_owned());
    };
    let text = String::from_utf8(fact).ok();
    let known =
        text.and_then(|text| Membership::parse(config.node, incarnation, &text)).ok_or_else(|| {
            format!(
                "the superblock's fact `{}` is intact but cannot be read: start the release that wrote it",
                membership::FACT
            )
        })?;
    if known.is_gone(config.node) {
        return Err(removed(config.node));
    }
    let is_strange = |node| !known.nodes().contains_key(&node) && !known.is_gone(node);
    match config.peers.iter().find(|peer| is_strange(peer.node)) {
        Some(peer) => {
            let all: Vec<String> = known.nodes().keys().map(u32::to_string).collect();
            Err(format!(
                "peers: the cluster has no node {} as far as this node knows, but {}; add it (synod node add {} PEER \
                 CLIENT), or take it out of the file",
                peer.node,
                all.join(", "),
                peer.node
            ))
        }
        None => Ok(known),
    }
}

/// Why the data directory is refused, and what to do.
fn refused(error: &HostError) -> String {
    match error {
        HostError::Journal(data, DataError::Damaged { .. }) => {
            format!("{error}; to see all of it: synod disk check {}", data.display())
        }
        other => other.to_string(),
    }
}

/// The nodes of this process: the clients that every process has, and its members of groups.
fn residents(membership: &Membership, session: u128) -> Vec<Blueprint> {
    let clients = [Role::Gateway { session }, Role::Controller { session }];
    let clients = clients.into_iter().map(|role| membership.blueprint(role));
    clients.chain(membership.here().into_iter().map(|member| membership.member(member))).collect()
}

/// Serves clients until the process is told to stop; then hands over what it leads.
async fn serve_until_told(
    front: Server,
    clients: (TcpListener, Door),
    (backend, host): (Gateway, &Host<Store>),
) -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    // The terminal is gone.
    let outlives_terminal = crate::interrupt::outlives_terminal();
    let mut hangup = signal(SignalKind::hangup()).map_err(|error| error.to_string())?;
    let gateway = backend.clone();
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv(), if !outlives_terminal => {}
        }
        tracing::info!("stopping: handing over, then finishing what is under way");
        for member in gateway.members_here() {
            host.request(member, RequestId::TOLD, Request::HandOver);
        }
    };
    front.run(clients, backend, stop).await;
    await_heirs(&gateway).await;
    Ok(())
}

/// Waits until a node that handed over hears who leads now: what it had to say has then been sent. Not for long: where
/// all nodes stop, there is no heir.
async fn await_heirs(gateway: &Gateway) {
    let knows_leader = |group| {
        gateway.look(group, |server| server.paxos().leader().is_some() || server.paxos().is_retired())
    };
    let deadline = Instant::now() + HEIR_MAX;
    while !gateway.groups_here().into_iter().all(knows_leader) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn host_config(config: &Config, keys: Vec<Key>, incarnation: u64) -> HostConfig {
    HostConfig {
        cluster: Digest::of(config.cluster.as_bytes()),
        number: config.node,
        incarnation,
        data: config.data.clone(),
        // They are introduced once the data says who they are.
        peers: Vec::new(),
        keys,
        segment_bytes: SEGMENT_BYTES,
        recording: config.recording.clone().map(|path| (path, config.recording_bytes)),
    }
}

/// Why the engine ended, in words.
pub(crate) fn ended(result: Result<Result<Stopped, HostError>, tokio::task::JoinError>) -> String {
    match result {
        Ok(Ok(stopped)) => stopped.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => format!("the node failed in itself, which is a bug: {panic}"),
    }
}

fn server_options(config: &Config) -> Result<server::Options, String> {
    // Seeds RANDOMKEY and the like; the process's number will do where the system gives no random bytes.
    let seed = synod_host::draw().map_or_else(|_| u64::from(std::process::id()), |bits| bits as u64);
    let limits = &config.limits;
    Ok(server::Options {
        settings: synod_store::Settings {
            password: config.password()?,
            key_bytes_max: limits.key_bytes_max,
            value_bytes_max: limits.value_bytes_max,
            told: vec![
                ("maxclients".to_owned(), limits.clients_max.to_string()),
                ("maxmemory".to_owned(), limits.memory_bytes_max.to_string()),
                // Nothing is acknowledged before it is on disks: what a stock server calls its append-only file.
                ("appendonly".to_owned(), "yes".to_owned()),
            ],
            ..Default::default()
        },
        limits: server::Limits {
            clients_max: limits.clients_max,
            output_bytes_max: limits.output_bytes_max,
            client_bytes_max: limits.client_bytes_max,
            memory_bytes_max: limits.memory_bytes_max,
            idle_ms_max: (limits.idle_ms_max > 0).then_some(limits.idle_ms_max),
            ..Default::default()
        },
        seed,
    })
}

/// A record in words, for reports of damage: which slots it is about.
pub(crate) fn describe(node: u32, _kind: u8, payload: &[u8]) -> String {
    let node = NodeId::from_bits(node);
    match Record::<Keyspace>::from_bytes(payload) {
        Ok(Record::Masters(record)) => describe_record(node, &record),
        Ok(Record::Members(record)) => describe_record(node, &record),
        Err(why) => format!("{node}, unreadable: {why}"),
    }
}

fn describe_record<C>(node: NodeId, record: &synod_paxos::Record<C>) -> String {
    use synod_paxos::Record;
    match record {
        Record::Promised { ballot, .. } => format!("{node} promised {ballot}"),
        Record::Accepted { run, .. } => {
            format!("{node} accepted slots {} to {} in {}", run.first(), run.last(), run.ballot())
        }
        Record::Rejoined { node: peer, incarnation } => {
            format!("{node} knows life {incarnation} of {peer}")
        }
        Record::Time(_) => format!("{node} knows the log's time"),
    }
}
