//! The fuzz targets of the modules: no decoder and no node panics, whatever message a process sends that is let in.

use synod_debugger::{Setup, Shown};
use synod_node::NodeId;
use synod_paxos::Settings;
use synod_shardedstore::{
    Addresses, Client, ConfigurationCommand, GroupId, GroupPlan, PART_BYTES, Process, Request, SERVICE,
    SLOT_COUNT, Server, SlotId,
};
use synod_stdx::Rng;
use synod_store::{Command, Keyspace};
use synod_testkit::{FuzzTarget, episode_of_nodes};
use synod_world::{Recordable, World};

use crate::expiry::clients::command;
use crate::opened::{Shape, systems};
use crate::searches::shards::CONTROLLER;

/// The clients of a small system.
const CLIENTS: [NodeId; 2] = [NodeId::client(1), NodeId::client(2)];

/// All of them.
pub fn targets() -> Vec<FuzzTarget> {
    let shape = |module: &str| Shape { servers: 3, ..Shape::usual(module) };
    let built = "a usual system can be built";
    let kv = ["PUT:a:1", "GET:a", "APPEND:a:2", "PUT:b:3"];
    let sharded = ["PUT:a:1", "GET:b", "APPEND:c:2", "READ:a", "MPUT:a:1:b:2:c:3", "SWAP:a:d", "MGET:a:b:c"];
    let changes = ["JOIN:1", "JOIN:2", "LEAVE:1", "LEAVE:2", "MOVE:0:2", "MOVE:3:1"];
    let by_clients = |texts: &[&'static str]| -> Vec<(NodeId, &'static str)> {
        CLIENTS.iter().flat_map(|client| texts.iter().map(|text| (*client, *text))).collect()
    };
    let mut sharded = by_clients(&sharded);
    sharded.extend(changes.map(|text| (CONTROLLER, text)));
    let paxos = by_clients(&[&kv[..], &["READ:a"]].concat());
    vec![
        of_setup("pingpong", systems::pingpong(&shape("pingpong")).expect(built), by_clients(&["1", "2"])),
        of_setup(
            "clientserver",
            systems::clientserver(&shape("clientserver")).expect(built),
            by_clients(&kv),
        ),
        of_setup(
            "primarybackup",
            systems::primarybackup(&shape("primarybackup")).expect(built),
            by_clients(&kv),
        ),
        of_setup("paxos", systems::paxos(&shape("paxos")).expect(built), paxos),
        of_setup("shardedstore", systems::shardedstore(&shape("shardedstore")).expect(built), sharded),
        of_store(),
    ]
}

/// A system as the debugger has it; its users make the requests in `asks`.
fn of_setup<N: Shown + Recordable>(
    name: &'static str,
    setup: Setup<N>,
    asks: Vec<(NodeId, &'static str)>,
) -> FuzzTarget {
    let (first, reader) = (setup.first, setup.reader.map(|(_, read)| read));
    let ask = move |rng: &mut Rng| {
        let (node, text) = *rng.pick(&asks)?;
        reader.as_ref()?(node, text).ok().map(|request| (node, request))
    };
    FuzzTarget { name, episode: Box::new(move |seed| episode_of_nodes(&first, &ask, seed)) }
}

/// The node that plays a part of a group.
const fn member(group: u32, number: u32) -> NodeId {
    NodeId::server(10 * group + number)
}

/// The store that users see: a configuration service of three, two groups of three, clients of both.
fn of_store() -> FuzzTarget {
    let world = store();
    let members = |group| (1..=3).map(|number| member(group, number)).collect::<Vec<_>>();
    let changes = vec![
        ConfigurationCommand::Found {
            groups: vec![(GroupId(1), members(1)), (GroupId(2), members(2))],
            nodes: [1, 2, 3, 11, 12, 13, 21, 22, 23].map(|node| (node, addresses(node), 7)).to_vec(),
            service: NodeId::servers(3),
        },
        ConfigurationCommand::AddNode { node: 99, addresses: addresses(99) },
        ConfigurationCommand::RemoveNode { node: 99 },
        ConfigurationCommand::Attach {
            node: 2,
            disk: 8,
            is_new: true,
            incarnation: 0,
            addresses: Some(addresses(100)),
        },
        ConfigurationCommand::Replace { group: SERVICE, old: NodeId::server(3), new: NodeId::server(99) },
        ConfigurationCommand::Move { first: SlotId::of(b"a"), last: SlotId::of(b"a"), group: GroupId(2) },
        ConfigurationCommand::Leave { group: GroupId(2) },
        ConfigurationCommand::Join { group: GroupId(2), members: members(2) },
        ConfigurationCommand::Balance,
    ];
    let commands = commands();
    let ask = move |rng: &mut Rng| {
        if rng.chance(100) {
            return Some((CONTROLLER, Request::Configure(rng.pick(&changes)?.clone())));
        }
        let commands = vec![rng.pick(&commands)?.clone()];
        let request = if rng.chance(200) { Request::Queries(commands) } else { Request::Commands(commands) };
        Some((*rng.pick(&CLIENTS)?, request))
    };
    FuzzTarget { name: "store", episode: Box::new(move |seed| episode_of_nodes(&world, &ask, seed)) }
}

fn addresses(node: u32) -> Addresses {
    Addresses { peer: format!("host{node}:1").into(), client: format!("host{node}:2").into() }
}

fn store() -> World<Process<Keyspace>> {
    let mut world = World::default();
    let masters: Vec<NodeId> = (1..=3).map(NodeId::server).collect();
    for me in &masters {
        world.add(*me, Process::master(*me, &masters, SLOT_COUNT, Settings::default()));
    }
    for group in 1..=2 {
        let members: Vec<NodeId> = (1..=3).map(|number| member(group, number)).collect();
        let plan = GroupPlan {
            group: GroupId(group),
            members: &members,
            masters: &masters,
            slot_count: SLOT_COUNT,
            store: Keyspace::new(),
            settings: Settings::default(),
            part_bytes: PART_BYTES,
        };
        for me in &members {
            world.add(*me, Process::Server(Server::new(*me, &plan)));
        }
    }
    for (session, me) in (1..).zip(CLIENTS) {
        world.add(me, Process::Client(Client::new(me, session, &masters, SLOT_COUNT)));
    }
    world.add(CONTROLLER, Process::controller(CONTROLLER, 9, &masters));
    world
}

/// Commands of every type of value.
fn commands() -> Vec<Command> {
    let lines = [
        "SET a 1",
        "GET a",
        "INCR a",
        "APPEND a x",
        "SETRANGE a 5 x",
        "STRLEN a",
        "EXPIRE a 100",
        "DEL a",
        "RPUSH l 1 2 3",
        "LPOP l",
        "LRANGE l 0 -1",
        "LINSERT l BEFORE 2 x",
        "HSET h f 1 g 2",
        "HINCRBY h f 3",
        "HGETALL h",
        "HDEL h f",
        "SADD s 1 2 x",
        "SINTER s t",
        "SPOP s",
        "SMOVE s t x",
        "ZADD z 1 a 2 b",
        "ZRANGE z 0 -1",
        "ZINCRBY z 5 a",
        "ZREM z a",
        "MSET a 1 b 2 c 3",
        "MGET a b c",
        "RENAME a b",
        "COPY b c",
        "SINTERSTORE u s t",
    ];
    lines.iter().map(|line| command(&[(*line).to_owned()])).collect()
}

#[cfg(test)]
mod tests {
    use super::targets;

    /// Episodes that panicked once, each at another place.
    const FOUND: &[(&str, u64)] = &[
        ("clientserver", 3),
        ("clientserver", 9),
        ("primarybackup", 30),
        ("primarybackup", 429),
        ("primarybackup", 484),
        ("primarybackup", 531),
        ("primarybackup", 2_789),
        ("paxos", 1),
        ("paxos", 221),
        ("paxos", 242),
        ("paxos", 1_007_598),
        ("shardedstore", 3),
        ("shardedstore", 350),
        ("shardedstore", 26_719),
        ("shardedstore", 1_003_444),
        ("store", 5),
        ("store", 1_141),
        ("store", 2_594),
        ("store", 9_788),
    ];

    #[test]
    fn what_was_found_is_mended() {
        for target in targets() {
            for (_, seed) in FOUND.iter().filter(|(name, _)| *name == target.name) {
                let run = target.run(*seed, 1);
                assert!(run.is_ok(), "{}", run.unwrap_err());
            }
        }
    }

    #[test]
    fn no_strange_message_makes_a_node_panic() {
        for target in targets() {
            let run = target.run(1, 20_000);
            assert!(run.is_ok(), "{}", run.unwrap_err());
        }
    }
}
