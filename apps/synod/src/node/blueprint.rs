//! How the nodes of a process are built. A flight recording holds the blueprint of each, so that the debugger can build the
//! node again that was recorded.

use super::{Store, places, settings};
use serde::{Deserialize, Serialize};
use synod_host::{Resident, TellClock};
use synod_node::NodeId;
use synod_shardedstore::{
    Client, ConfigurationNumber, GroupId, GroupPlan, PART_BYTES, Process, Request, SERVICE, SLOT_COUNT,
    Seats, Server, ServiceMember,
};
use synod_store::Keyspace;

/// All that it takes to build one node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Blueprint {
    /// The process that it runs in.
    pub(crate) node: u32,
    /// The members of the configuration service, as the numbers of their names.
    pub(crate) service: Vec<u32>,
    /// What it is there.
    pub(crate) role: Role,
}

/// What a node is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// The store's client, in a session that is named by 128 random bits.
    Gateway {
        #[serde(with = "hex")]
        session: u128,
    },
    /// The configuration service's client, in a session that is named by 128 random bits.
    Controller {
        #[serde(with = "hex")]
        session: u128,
    },
    /// A member of a group; of the configuration service, if that is group 0.
    Member {
        group: u32,
        /// The number of its own name.
        name: u32,
        /// The homes of each seat of the group, as the numbers of their names.
        seats: Vec<Vec<u32>>,
        /// The life in which it has to rejoin; 0 if it begins as new.
        life: u64,
        /// The number of the configuration after those that the seats come from.
        next: ConfigurationNumber,
    },
}

impl Blueprint {
    /// The node's name.
    pub(crate) fn id(&self) -> NodeId {
        match &self.role {
            Role::Gateway { .. } => places::gateway(self.node),
            Role::Controller { .. } => places::controller(self.node),
            Role::Member { name, .. } => NodeId::from_bits(*name),
        }
    }

    /// The node, before it ever ran.
    ///
    /// # Errors
    /// If no node can be built like this: in words.
    pub(crate) fn build(&self) -> Result<Store, String> {
        let me = self.id();
        let service: Vec<NodeId> = self.service.iter().copied().map(NodeId::from_bits).collect();
        if service.is_empty() {
            return Err("the configuration service has no member".to_owned());
        }
        Ok(match &self.role {
            Role::Gateway { session } => Process::Client(Client::new(me, *session, &service, SLOT_COUNT)),
            Role::Controller { session } => Process::controller(me, *session, &service),
            Role::Member { group, name: _, seats, life, next } => {
                let homes = |homes: &Vec<u32>| homes.iter().copied().map(NodeId::from_bits).collect();
                let seats = Seats::of_homes(seats.iter().map(homes).collect()).ok_or("a seat has no home")?;
                // A member that was replaced may not know it yet.
                if seats.seat_of(me).is_none() {
                    return Err(format!("no seat of group {group} is or was played there"));
                }
                match GroupId(*group) {
                    SERVICE => Process::Service(service_member(me, (seats, *life, *next))),
                    group => Process::Server(member(me, group, &service, (seats, *life, *next))),
                }
            }
        })
    }

    /// The node and its blueprint, to be run.
    ///
    /// # Panics
    /// If no node can be built like this: the process itself made the blueprint.
    pub(crate) fn resident(&self) -> Resident<Store> {
        let node = self.build().expect("a process knows its own nodes");
        let built = serde_json::to_value(self).expect("a blueprint is plain data");
        let clock: Option<TellClock<Store>> = match self.role {
            Role::Member { .. } => Some(Request::Clock),
            Role::Gateway { .. } | Role::Controller { .. } => None,
        };
        Resident { id: self.id(), node, built, clock }
    }
}

/// 128 bits as text: as a number, no reader of JSON has to know them.
mod hex {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bits: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{bits:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        u128::from_str_radix(&String::deserialize(from)?, 16).map_err(D::Error::custom)
    }
}

fn service_member(me: NodeId, (seats, life, next): (Seats, u64, ConfigurationNumber)) -> ServiceMember {
    match life {
        0 => ServiceMember::new(me, &seats.names(), SLOT_COUNT, settings()),
        life => ServiceMember::replacing(me, (seats, next), SLOT_COUNT, settings(), life),
    }
}

fn member(
    me: NodeId,
    group: GroupId,
    service: &[NodeId],
    (seats, life, next): (Seats, u64, ConfigurationNumber),
) -> Server<Keyspace> {
    let names = seats.names();
    let plan = GroupPlan {
        group,
        members: &names,
        masters: service,
        slot_count: SLOT_COUNT,
        store: Keyspace::new(),
        settings: settings(),
        part_bytes: PART_BYTES,
    };
    match life {
        // The groups' first leaders are spread over the nodes.
        0 => Server::new(me, &plan).with_first(names[(group.0 as usize - 1) % names.len()]),
        life => Server::replacing(me, &plan, (seats, next), life),
    }
}
