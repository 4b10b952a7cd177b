//! All that is claimed of `paxos`, and how it is shown.

pub mod mutants;
pub mod scenarios;
pub mod searches;
pub mod shown;

use searches::beyond;
use searches::group::{Caller, Group, Judge, Node, sound};
use shown::Ballots;
use std::sync::Arc;
use synod_checker::Settings;
use synod_clientserver::KvCommand;
use synod_debugger::{Setup, open};
use synod_node::NodeId;
use synod_paxos::Request;
use synod_verify::by_hand::{open_ended, set_up, unknown, words};
use synod_verify::{Kit, Shape, dress, fuzz_target, kv};

/// What the module brings along.
pub static KIT: Kit = Kit {
    module: "paxos",
    scenarios: &[scenarios::SCENARIOS, scenarios::BEYOND],
    searches: &[searches::SEARCHES, beyond::SEARCHES],
    mutants: &[mutants::MUTANTS],
    mutants_in_runs: &[],
    usual_servers: 3,
    by_hand: Some(|shape| open(by_hand(shape)?)),
    show_run: |run| run.of::<Node>(Some(Arc::new(Ballots)), shown::claims()),
    dress: |setup| dress::<Node>(setup, Ballots),
    fuzz_targets: || {
        let setup = by_hand(&Shape::of(KIT.usual_servers)).expect("a usual system can be built");
        let mut asks = Vec::new();
        for client in NodeId::clients(2) {
            asks.extend(kv::texts_of_two().into_iter().filter(|(asker, _)| *asker == client));
            asks.push((client, "READ:a"));
        }
        vec![fuzz_target(KIT.module, setup, asks)]
    },
};

/// How requests are written.
const HELP: &str = "PUT:key:value, GET:key, APPEND:key:value or, around the log, READ:key";

fn read(text: &str) -> Result<Request<KvCommand>, String> {
    if let ["READ", key] = words(text)[..] {
        return Ok(Request::Queries(vec![KvCommand::get(key)]));
    }
    kv::read(text).map(|command| Request::Commands(vec![command])).map_err(|_| unknown(text, HELP))
}

fn by_hand(shape: &Shape) -> Result<Setup<Node>, String> {
    let users = shape.asks(kv::read)?;
    let caller = |asks: Vec<KvCommand>| Caller::new(1, &open_ended(asks));
    let system = Group::new(shape.servers, users.into_iter().map(caller).collect()).system(shape.mutant);
    let Settings { invariants, .. } = sound(shape.servers);
    let portrait = Some(Arc::new(Ballots) as _);
    let mut setup = set_up((KIT.module, shape), system, Judge::default(), invariants, portrait)?;
    setup.reader = Some((HELP.to_owned(), Arc::new(|_, text| read(text))));
    Ok(setup)
}
