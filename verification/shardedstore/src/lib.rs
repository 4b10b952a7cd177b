//! All that is claimed of `shardedstore`, and how it is shown.

pub mod mutants;
mod readers;
pub mod scenarios;
pub mod searches;
pub mod shown;

use mutants::replacements;
use scenarios::Actor;
use scenarios::texts::through_the_log;
use searches::shards::{CONTROLLER, Node, Shards as Store, joins, sound};
use searches::{hand_over, replacing};
use shown::{Actors, Shards};
use std::sync::Arc;
use synod_checker::{Network, Settings};
use synod_debugger::{Setup, open};
use synod_node::NodeId;
use synod_shardedstore::{Controller, Request};
use synod_verify::by_hand::{open_ended, set_up};
use synod_verify::{Kit, MutantsInRuns, Shape, dress, fuzz_target};
use synod_verify_paxos::shown::{self as of_group, Ballots};

/// A system by hand has so many slots.
const SLOTS: u16 = 8;

/// What the module brings along.
pub static KIT: Kit = Kit {
    module: "shardedstore",
    scenarios: &[
        scenarios::CONFIGURATIONS,
        scenarios::SERVICE,
        scenarios::MOVES,
        scenarios::MOVES_IN_TROUBLE,
        scenarios::TRANSACTIONS,
        scenarios::TRANSACTIONS_IN_TROUBLE,
        scenarios::BEYOND,
        scenarios::REPLACEMENTS,
        scenarios::SERVICE_MOVES,
    ],
    searches: &[searches::SEARCHES, hand_over::SEARCHES, replacing::SEARCHES],
    mutants: &[mutants::MUTANTS],
    mutants_in_runs: &[MutantsInRuns {
        mutants: replacements::MUTANTS,
        seeds: 10,
        caught: scenarios::replacements::caught,
    }],
    usual_servers: 1,
    by_hand: Some(|shape| open(by_hand(shape)?)),
    show_run: |run| {
        None.or_else(|| run.of::<Node>(Some(Arc::new(Shards)), shown::claims(|node: &Node| node)))
            .or_else(|| run.of::<Controller>(Some(Arc::new(Ballots)), of_group::claims()))
            .or_else(|| run.of::<Actor>(Some(Arc::new(Actors)), shown::claims(Actor::node)))
    },
    dress: |setup| {
        dress::<Controller>(setup, Ballots);
        dress::<Node>(setup, Shards);
        dress::<Actor>(setup, Actors);
    },
    fuzz_targets: || {
        let setup = by_hand(&Shape::of(3)).expect("a usual system can be built");
        let texts =
            ["PUT:a:1", "GET:b", "APPEND:c:2", "READ:a", "MPUT:a:1:b:2:c:3", "SWAP:a:d", "MGET:a:b:c"];
        let changes = ["JOIN:1", "JOIN:2", "LEAVE:1", "LEAVE:2", "MOVE:0:2", "MOVE:3:1"];
        let clients = NodeId::clients(2).into_iter();
        let asks = clients.flat_map(|client| texts.map(|text| (client, text)));
        vec![fuzz_target(KIT.module, setup, asks.chain(changes.map(|text| (CONTROLLER, text))).collect())]
    },
};

/// A configuration service of one member, and groups.
fn by_hand(shape: &Shape) -> Result<Setup<Node>, String> {
    let client = NodeId::client(1);
    let members = shape.servers;
    let read = move |text: &str| match readers::read((client, CONTROLLER), members, text)? {
        Request::Commands(commands) if commands.len() == 1 => Ok(commands[0].clone()),
        _ => Err(format!("`{text}` can be asked by hand alone")),
    };
    let users = shape.asks(read)?.into_iter().map(open_ended).collect();
    let changes = joins(shape.groups, members);
    let store = Store {
        members,
        asking: through_the_log,
        network: Network::Bag,
        ..Store::new(shape.groups, SLOTS, changes, users)
    };
    let Settings { invariants, .. } = sound(shape.groups, members);
    let (judge, portrait) = (store.judge(), Some(Arc::new(Shards) as _));
    let mut setup = set_up((KIT.module, shape), store.system(shape.mutant), judge, invariants, portrait)?;
    let read = move |node: NodeId, text: &str| readers::read((node, CONTROLLER), members, text);
    setup.reader = Some((readers::HELP.to_owned(), Arc::new(read)));
    Ok(setup)
}
