//! The fuzz target of the store that users see: none of its nodes panics, whatever message a process sends that is let in.

use crate::expiry::clients::command;
use synod_node::NodeId;
use synod_paxos::Settings;
use synod_shardedstore::{
    Addresses, Client, ConfigurationCommand, GroupId, GroupPlan, PART_BYTES, Process, Request, SERVICE,
    SLOT_COUNT, Server, SlotId,
};
use synod_stdx::Rng;
use synod_store::{Command, Keyspace};
use synod_testkit::{FuzzTarget, episode_of_nodes};
use synod_verify_shardedstore::searches::shards::CONTROLLER;
use synod_world::World;

/// The clients of a small system.
const CLIENTS: [NodeId; 2] = [NodeId::client(1), NodeId::client(2)];

/// The node that plays a part of a group.
const fn member(group: u32, number: u32) -> NodeId {
    NodeId::server(10 * group + number)
}

/// The store that users see: a configuration service of three, two groups of three, clients of both.
pub fn target() -> FuzzTarget {
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
