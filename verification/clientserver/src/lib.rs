//! All that is claimed of `clientserver`, and how it is shown.

pub mod mutants;
pub mod scenarios;
pub mod searches;

use searches::{Judge, Node};
use std::sync::Arc;
use synod_checker::Network;
use synod_debugger::{Setup, open};
use synod_verify::by_hand::{open_ended, set_up};
use synod_verify::{Kit, Shape, fuzz_target, kv};

/// What the module brings along.
pub static KIT: Kit = Kit {
    module: "clientserver",
    scenarios: &[scenarios::SCENARIOS],
    searches: &[searches::SEARCHES],
    mutants: &[mutants::MUTANTS],
    mutants_in_runs: &[],
    usual_servers: 1,
    by_hand: Some(|shape| open(by_hand(shape)?)),
    show_run: |run| run.of::<Node>(None, Vec::new()),
    dress: |_| {},
    fuzz_targets: || {
        let setup = by_hand(&Shape::of(KIT.usual_servers)).expect("a usual system can be built");
        vec![fuzz_target(KIT.module, setup, kv::texts_of_two())]
    },
};

fn by_hand(shape: &Shape) -> Result<Setup<Node>, String> {
    let users = shape.asks(kv::read)?.into_iter().map(|asks| searches::user(open_ended(asks)));
    let system = searches::system(shape.mutant, Network::Bag, users.collect());
    let mut setup = set_up((KIT.module, shape), system, Judge::default(), Vec::new(), None)?;
    setup.reader = Some((kv::HELP.to_owned(), Arc::new(|_, text| kv::read(text))));
    Ok(setup)
}
