//! Where two moments part, and how they differ.

use crate::Shown;
use crate::columns::NONE;
use crate::session::Session;
use crate::words::cut;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use synod_stdx::{Change, changes};

impl<N: Shown> Session<N> {
    /// The common ancestor of two moments, the first steps apart, and what is different.
    pub(crate) fn compare(&mut self, a: u32, b: u32) -> Value {
        let (way_a, way_b) = (self.path(a), self.path(b));
        let shared = way_a.iter().zip(&way_b).take_while(|(one, other)| one == other).count();
        let next = |way: &[u32]| way.get(shared).copied().unwrap_or(NONE);
        let ancestor = if shared == 0 { 0 } else { way_a[shared - 1] };
        let (one, other) = (self.stage(a), self.stage(b));
        let mut nodes = Vec::new();
        for id in &self.nodes {
            let differing = differences(one.world.node(*id), other.world.node(*id));
            let differing: Vec<Value> = differing.into_iter().map(told).collect();
            nodes.push(json!({"name": id.to_string(), "changes": differing}));
        }
        let flight = |stage: &crate::Stage<N>| {
            let mut counts: BTreeMap<String, i64> = BTreeMap::new();
            for (_, envelope) in stage.world.flight() {
                let text = format!("{} -> {}  {:?}", envelope.from, envelope.to, envelope.message);
                *counts.entry(cut(&text)).or_default() += 1;
            }
            counts
        };
        let (flight_a, flight_b) = (flight(&one), flight(&other));
        let only = |these: &BTreeMap<String, i64>, those: &BTreeMap<String, i64>| -> Vec<String> {
            let more = these.iter().filter(|(text, count)| those.get(*text).unwrap_or(&0) < count);
            more.map(|(text, _)| text.clone()).collect()
        };
        json!({
            "ancestor": ancestor, "a_next": next(&way_a), "b_next": next(&way_b),
            "a_steps": way_a.len() - shared, "b_steps": way_b.len() - shared,
            "nodes": nodes,
            "flight": {"only_a": only(&flight_a, &flight_b), "only_b": only(&flight_b, &flight_a)},
        })
    }
}

/// What differs between two states of a node, which need not run.
pub(crate) fn differences<N: Shown>(before: Option<&N>, after: Option<&N>) -> Vec<Change> {
    let status = |before: &str, after: &str| Change {
        path: String::new(),
        before: Some(before.to_owned()),
        after: Some(after.to_owned()),
    };
    match (before, after) {
        (Some(before), Some(after)) if before != after => changes(before, after),
        (Some(_), None) => vec![status("running", "down")],
        (None, Some(_)) => vec![status("down", "running")],
        (Some(_), Some(_)) | (None, None) => Vec::new(),
    }
}

/// A change, for the page.
pub(crate) fn told(change: Change) -> Value {
    let text = |text: Option<String>| text.map(|text| cut(&text));
    json!({"path": change.path, "before": text(change.before), "after": text(change.after)})
}
