//! All that is claimed of `pingpong`, and how it is shown.

pub mod mutants;
pub mod scenarios;
pub mod searches;

use std::sync::Arc;
use synod_checker::{Blind, Network};
use synod_debugger::{Setup, open};
use synod_node::NodeId;
use synod_pingpong::Process;
use synod_verify::by_hand::{set_up, unknown};
use synod_verify::{Kit, Shape, fuzz_target};

/// What the module brings along.
pub static KIT: Kit = Kit {
    module: "pingpong",
    scenarios: &[scenarios::SCENARIOS],
    searches: &[searches::SEARCHES],
    mutants: &[mutants::MUTANTS],
    mutants_in_runs: &[],
    usual_servers: 1,
    by_hand: Some(|shape| open(by_hand(shape)?)),
    show_run: |run| run.of::<Process>(None, Vec::new()),
    dress: |_| {},
    fuzz_targets: || {
        let setup = by_hand(&Shape::of(KIT.usual_servers)).expect("a usual system can be built");
        let clients = NodeId::clients(2);
        let asks = clients.into_iter().flat_map(|client| ["1", "2"].map(|text| (client, text)));
        vec![fuzz_target(KIT.module, setup, asks.collect())]
    },
};

/// How requests are written.
const HELP: &str = "a number";

fn read(text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| unknown(text, HELP))
}

fn by_hand(shape: &Shape) -> Result<Setup<Process>, String> {
    let system = searches::of_users(shape.mutant, Network::Bag, shape.asks(read)?);
    let mut setup = set_up((KIT.module, shape), system, Blind, Vec::new(), None)?;
    setup.reader = Some((HELP.to_owned(), Arc::new(|_, text| read(text))));
    Ok(setup)
}
