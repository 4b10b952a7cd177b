//! All that is claimed of `register`, and how it is shown.

pub mod mutants;
pub mod scenarios;
pub mod searches;

use std::sync::Arc;
use synod_checker::Network;
use synod_debugger::{Portrait, Setup, open};
use synod_history::{KvOp, KvRet};
use synod_node::NodeId;
use synod_register::{Participant, Request, Response};
use synod_verify::by_hand::{open_ended, set_up, unknown, words};
use synod_verify::{Kit, Shape, dress, fuzz_target};

/// What the module brings along.
pub static KIT: Kit = Kit {
    module: "register",
    scenarios: &[scenarios::SCENARIOS],
    searches: &[searches::SEARCHES],
    mutants: &[mutants::MUTANTS],
    mutants_in_runs: &[],
    usual_servers: 3,
    by_hand: Some(|shape| open(by_hand(shape)?)),
    show_run: |run| run.of::<Participant>(Some(Arc::new(Tags)), Vec::new()),
    dress: |setup| dress::<Participant>(setup, Tags),
    fuzz_targets: || {
        let setup = by_hand(&Shape::of(KIT.usual_servers)).expect("a usual system can be built");
        let clients = NodeId::clients(2);
        let asks = clients.into_iter().flat_map(|client| ["WRITE:1", "READ"].map(|text| (client, text)));
        vec![fuzz_target(KIT.module, setup, asks.collect())]
    },
};

/// A request as an operation of a history: the register is a store of one key.
pub fn op(request: &Request) -> Option<KvOp> {
    let key = b"register".as_slice().into();
    Some(match request {
        Request::Write(value) => KvOp::Put { key, value: value.to_string().as_bytes().into() },
        Request::Read => KvOp::Get { key },
    })
}

/// An answer as a history has it.
pub fn ret(response: &Response) -> Option<KvRet> {
    Some(match response {
        Response::Written => KvRet::Ok,
        Response::Value(value) => KvRet::Value(value.map(|value| value.to_string().as_bytes().into())),
    })
}

/// Shows how new the value of a replica is.
struct Tags;

impl Portrait<Participant> for Tags {
    fn term(&self, node: &Participant) -> Option<(String, bool)> {
        let Participant::Replica(replica) = node else { return None };
        let (tag, _) = replica.state();
        Some((format!("round {}", tag.round), false))
    }
}

/// How requests are written.
const HELP: &str = "WRITE:number or READ";

fn read(text: &str) -> Result<Request, String> {
    match words(text)[..] {
        ["READ"] => Ok(Request::Read),
        ["WRITE", value] => value.parse().map(Request::Write).map_err(|_| unknown(text, HELP)),
        _ => Err(unknown(text, HELP)),
    }
}

fn by_hand(shape: &Shape) -> Result<Setup<Participant>, String> {
    let users = shape.asks(read)?.into_iter().map(open_ended).collect();
    let system = searches::system(shape.mutant, Network::Bag, shape.servers, users);
    let judge = searches::Judge::default();
    let mut setup = set_up((KIT.module, shape), system, judge, Vec::new(), Some(Arc::new(Tags)))?;
    setup.reader = Some((HELP.to_owned(), Arc::new(|_, text| read(text))));
    Ok(setup)
}
