//! `synod demo primarybackup`: the primary is killed under load, and its backup takes over with everything that was
//! acknowledged.

use super::children::{Children, pause};
use super::clients::Clients;
use super::figures::words;
use super::ledger::{Ledger, read_back};
use super::{PATIENCE, Protocol, Stage, Tale};
use crate::words::thousands;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use synod_clientserver::KvStore;
use synod_node::NodeId;
use synod_primarybackup::{Client, Member, Process, Server, Settings, View, ViewNumber, ViewServer};
use tokio::time::timeout;

type Node = Process<KvStore>;

const VIEW_SERVER: NodeId = NodeId::server(0);
const SERVERS: [NodeId; 3] = [NodeId::server(1), NodeId::server(2), NodeId::server(3)];
const CLIENTS: u32 = 4;
/// How many requests each client keeps outstanding.
const WINDOW: usize = 16;
/// So long a view must have stood before its primary is killed: a system that is too busy to let all processes run
/// replaces its servers all the time, and has no backup to spare while it does.
const CALM: Duration = Duration::from_millis(300);

/// The node of the view server, or of a server.
pub(super) fn server(me: NodeId) -> Node {
    match me {
        VIEW_SERVER => Process::ViewServer(ViewServer::default()),
        _ => Process::Server(Server::new(me, VIEW_SERVER, KvStore::default(), Settings::default())),
    }
}

/// What a node says of itself, as one line of JSON.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
enum News {
    /// The view server: the newest view, and whether its primary has acknowledged it.
    View { number: u64, primary: Option<Named>, backup: Option<Named>, is_acked: bool },
    /// A server: which of its lives it is in, what it is, and the newest view that it has heard of.
    Server { life: u64, role: String, view: u64 },
    /// Nothing of interest.
    Nothing,
}

/// The bits of a server's name, and which of its lives it is in.
type Named = (u32, u64);

/// How a node is.
pub(super) fn tell(node: &Node) -> String {
    let named = |member: Member| (member.id.to_bits(), member.life);
    let news = match node {
        Process::ViewServer(view_server) => {
            let View { number, primary, backup } = view_server.view();
            let (primary, backup) = (primary.map(named), backup.map(named));
            News::View { number: number.0, primary, backup, is_acked: view_server.is_acked() }
        }
        Process::Server(server) => News::Server {
            life: server.member().life,
            role: server.role_name().to_owned(),
            view: server.view().number.0,
        },
        Process::Client(_) => News::Nothing,
    };
    serde_json::to_string(&news).unwrap_or_default()
}

/// What a server last said of itself.
#[derive(Clone, Debug)]
struct Standing {
    life: u64,
    role: String,
    view: u64,
}

impl Standing {
    /// Whether it was started again, and the view server has told it what it is.
    fn is_back(&self) -> bool {
        self.life > 1 && self.view > 0
    }
}

/// The service as its processes tell it.
struct Service {
    tale: Tale,
    children: Children,
    view: View,
    is_acked: bool,
    /// Since when both are so.
    since: Instant,
    servers: BTreeMap<NodeId, Standing>,
}

impl Service {
    fn new(stage: &Stage<'_>) -> Result<Service, String> {
        let all: Vec<NodeId> = [VIEW_SERVER].into_iter().chain(SERVERS).collect();
        let children = Children::new(Protocol::PrimaryBackup, &all, CLIENTS, stage.data)?;
        let (tale, since) = (stage.tale, Instant::now());
        let (view, servers) = (View::STARTUP, BTreeMap::new());
        Ok(Service { tale, children, view, is_acked: false, since, servers })
    }

    fn on_news(&mut self, node: NodeId, line: &str) -> Result<(), String> {
        let news = serde_json::from_str(line);
        match news.map_err(|error| format!("{node} says what nobody understands: {line}: {error}"))? {
            News::View { number, primary, backup, is_acked } => {
                let member = |(bits, life)| Member { id: NodeId::from_bits(bits), life };
                let (primary, backup) = (primary.map(member), backup.map(member));
                self.on_view(View { number: ViewNumber(number), primary, backup }, is_acked)
            }
            News::Server { life, role, view } => {
                let last = self.servers.insert(node, Standing { life, role, view });
                let was_back = last.is_some_and(|last| last.is_back());
                if was_back { Ok(()) } else { self.maybe_tell_return(node) }
            }
            News::Nothing => Ok(()),
        }
    }

    /// Tells of a server that was started again what it has become.
    fn maybe_tell_return(&self, node: NodeId) -> Result<(), String> {
        let Some(standing) = self.servers.get(&node).filter(|standing| standing.is_back()) else {
            return Ok(());
        };
        let (life, part) = match (standing.life, standing.role.as_str()) {
            (life, "idle") => (life, "it stands by as spare"),
            (life, _) => (life, "it has a part again"),
        };
        self.tale
            .say(format_args!("{node} is back, without its memory, and so as another, {node}.{life}: {part}"))
    }

    fn on_view(&mut self, view: View, is_acked: bool) -> Result<(), String> {
        let is_new = view != self.view;
        let was_acked = self.is_acked && !is_new;
        (self.view, self.is_acked, self.since) = (view, is_acked, Instant::now());
        let Some(primary) = view.primary else { return Ok(()) };
        let number = view.number.0;
        match view.backup {
            Some(backup) if is_new => {
                self.tale.say(format_args!("view {number}: {primary} is primary, {backup} is backup"))?;
            }
            None if is_new => {
                self.tale.say(format_args!("view {number}: {primary} is primary, without a backup"))?;
            }
            Some(_) | None => {}
        }
        match view.backup {
            Some(backup) if is_acked && !was_acked => self.tale.say(format_args!(
                "view {number}: {backup} has all that {primary} has; from now on both run a request before it is answered"
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether there is a backup that has everything.
    fn is_safe(&self) -> bool {
        self.is_acked && self.view.backup.is_some()
    }

    /// Whether it is so for a while, and the third server knows that it is not needed.
    fn is_calm(&self) -> bool {
        let is_up_to_date = |standing: &Standing| standing.view == self.view.number.0;
        let is_spare = |standing: &Standing| is_up_to_date(standing) && standing.role == "idle";
        self.is_safe()
            && self.since.elapsed() >= CALM
            && self.servers.values().filter(|standing| is_spare(standing)).count() == 1
    }

    /// Hears the processes until it `is_so`.
    async fn until(&mut self, hope: &str, is_so: impl Fn(&Service) -> bool) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            if Instant::now() > deadline {
                let (view, acked) = (self.view, if self.is_acked { "" } else { "not " });
                let patience = PATIENCE.as_secs();
                return Err(format!("{hope}: not within {patience} s; view {view}, {acked}acknowledged"));
            }
            // Some conditions come true by time alone.
            if let Ok(said) = timeout(Duration::from_millis(20), self.children.next()).await {
                self.on_said(said)?;
            }
        }
        Ok(())
    }

    /// Hears the processes until `event`.
    async fn during<T>(&mut self, event: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let mut event = std::pin::pin!(event);
        loop {
            tokio::select! {
                biased;
                said = self.children.next() => self.on_said(said)?,
                done = &mut event => return done,
            }
        }
    }

    fn on_said(&mut self, said: Result<(NodeId, String), String>) -> Result<(), String> {
        let (node, line) = said?;
        self.on_news(node, &line)
    }
}

pub(super) async fn show(stage: &Stage<'_>) -> Result<(), String> {
    let tale = stage.tale;
    tale.print(
        "A replicated key-value store: a view server, a primary, a backup and a spare, each a process of its own,\n\
         and their clients in another, over TCP on 127.0.0.1.\n",
    )?;
    let mut service = Service::new(stage)?;
    let id = service.children.start(VIEW_SERVER)?;
    tale.say(format_args!("{VIEW_SERVER} is the view server, process {id}: it says who serves"))?;
    let mut ids = BTreeMap::new();
    for server in SERVERS {
        ids.insert(server, service.children.start(server)?);
    }
    let list: Vec<String> =
        SERVERS.iter().map(|server| format!("{server} (process {})", ids[server])).collect();
    tale.say(format_args!("servers: {}", list.join(", ")))?;
    let clients = open_clients(&service, stage).await?;
    service.until("a primary and a backup that has its state", Service::is_safe).await?;

    service.during(clients.begin_warm()).await?;
    tale.say(format_args!(
        "{CLIENTS} clients, in this process, append and read, {WINDOW} requests outstanding each"
    ))?;
    service.during(pause(stage.stretch)).await?;
    service.until("a view that stands", Service::is_calm).await?;
    tale.say(clients.take_figures().told("operations"))?;

    let killed = fail_over(&mut service, &clients, &ids).await?;
    service.children.start(killed)?;
    tale.say(format_args!("{killed} is started again, on the disk that it had"))?;
    service.during(pause(stage.stretch)).await?;
    tale.say(clients.take_figures().told("operations"))?;
    let is_back = |service: &Service| service.servers.get(&killed).is_some_and(Standing::is_back);
    service.until("the killed server's return", is_back).await?;
    let appends = service.during(read_back(&clients)).await?;
    let primary = service.view.primary.map_or_else(|| "nobody".to_owned(), |primary| primary.to_string());
    tale.say(format_args!(
        "read back from {primary}: every one of {} acknowledged appends is there exactly once",
        thousands(appends)
    ))
}

async fn open_clients(service: &Service, stage: &Stage<'_>) -> Result<Clients<Node, Ledger>, String> {
    let places = service.children.places();
    let config = places.config_of_demo(stage.data.join("clients"));
    let client = |id| (id, Process::Client(Client::new(id, VIEW_SERVER)), Ledger::new(id));
    let nodes = NodeId::clients(CLIENTS).into_iter().map(client).collect();
    Clients::open(config, places.demo, nodes, WINDOW).await
}

/// Kills the primary, and waits until all clients are served by another. Returns whom it killed.
async fn fail_over(
    service: &mut Service,
    clients: &Clients<Node, Ledger>,
    ids: &BTreeMap<NodeId, u32>,
) -> Result<NodeId, String> {
    let tale = service.tale;
    let (number, Some(primary)) = (service.view.number, service.view.primary) else {
        return Err("there is no primary to be killed".to_owned());
    };
    let at = Instant::now();
    service.children.kill(primary.id)?;
    tale.say(format_args!("{primary}, the primary, is killed: kill -9 {}", ids[&primary.id]))?;
    let is_replaced = |service: &Service| {
        service.is_acked && service.view.number > number && service.view.primary != Some(primary)
    };
    service.until("another primary", is_replaced).await?;
    service.during(clients.answered_since(Instant::now())).await?;
    let (gap, all) = (clients.take_figures().longest_gap(), at.elapsed());
    tale.say(format_args!("fail-over: for {} no client had an answer;", words(gap)))?;
    tale.go_on(format_args!("{} after the kill all {CLIENTS} had one again", words(all)))?;
    service.until("a backup for the new primary", Service::is_safe).await?;
    Ok(primary.id)
}
