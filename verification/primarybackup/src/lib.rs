//! All that is claimed of `primarybackup`, and how it is shown.

pub mod mutants;
pub mod scenarios;
pub mod searches;
pub mod shown;

use searches::fail_over;
use searches::pair::{Judge, Node, Service, sound};
use shown::Views;
use std::sync::Arc;
use synod_checker::{Network, Settings};
use synod_debugger::{Setup, open};
use synod_verify::by_hand::{open_ended, set_up};
use synod_verify::{Kit, Shape, dress, fuzz_target, kv};

/// What the module brings along.
pub static KIT: Kit = Kit {
    module: "primarybackup",
    scenarios: &[scenarios::VIEWS, scenarios::SCENARIOS, scenarios::BEYOND],
    searches: &[searches::SEARCHES, fail_over::SEARCHES],
    mutants: &[mutants::MUTANTS],
    mutants_in_runs: &[],
    usual_servers: 3,
    by_hand: Some(|shape| open(by_hand(shape)?)),
    show_run: |run| run.of::<Node>(Some(Arc::new(Views)), shown::claims()),
    dress: |setup| dress::<Node>(setup, Views),
    fuzz_targets: || {
        let setup = by_hand(&Shape::of(KIT.usual_servers)).expect("a usual system can be built");
        vec![fuzz_target(KIT.module, setup, kv::texts_of_two())]
    },
};

fn by_hand(shape: &Shape) -> Result<Setup<Node>, String> {
    let users = shape.asks(kv::read)?.into_iter().map(open_ended);
    let service = Service { network: Network::Bag, ..Service::new(shape.servers, users.collect()) };
    let system = service.system(shape.mutant);
    let Settings { invariants, .. } = sound(shape.servers);
    let portrait = Some(Arc::new(Views) as _);
    let mut setup = set_up((KIT.module, shape), system, Judge::default(), invariants, portrait)?;
    setup.reader = Some((kv::HELP.to_owned(), Arc::new(|_, text| kv::read(text))));
    Ok(setup)
}
