//! Where two moments part, and how they differ.

use crate::Shown;
use crate::columns::NONE;
use crate::session::Session;
use crate::words::cut;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use synod_stdx::changes;

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
            let differing: Vec<Value> = match (one.world.node(*id), other.world.node(*id)) {
                (Some(at_a), Some(at_b)) if at_a != at_b => changes(at_a, at_b)
                    .into_iter()
                    .map(|change| {
                        let text = |text: Option<String>| text.map(|text| cut(&text));
                        json!({"path": change.path, "before": text(change.before), "after": text(change.after)})
                    })
                    .collect(),
                (Some(_), None) => vec![json!({"path": "", "before": "running", "after": "down"})],
                (None, Some(_)) => vec![json!({"path": "", "before": "down", "after": "running"})],
                (Some(_), Some(_)) | (None, None) => Vec::new(),
            };
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
