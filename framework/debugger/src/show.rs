//! What there is at a moment, for the page: see `PROTOCOL.md`.

use crate::Shown;
use crate::columns::{DIFFERS, NO_NAME, NONE};
use crate::compare::{differences, told};
use crate::session::{BEGINNING, Session};
use crate::setup::Claim;
use crate::stage::Stage;
use crate::words::{self, cut};
use serde_json::{Value, json};
use synod_node::NodeId;
use synod_stdx::{Tree, kind_of};
use synod_world::{Envelope, EnvelopeId, Happening, TimerId, TraceEvent, Write};

/// So many of a node's durable records are shown: the last ones.
const RECORDS_MAX: usize = 8;
/// So many causes are told, the nearest first.
const CAUSES_MAX: usize = 24;
/// So many changes are told of one node.
const CHANGES_MAX: usize = 400;

impl<N: Shown> Session<N> {
    /// A moment, with its changes since `base`, or since its parent.
    pub(crate) fn show(&mut self, moment: u32, base: Option<u32>) -> Value {
        let parent = self.moments[moment as usize].parent;
        let base = base.or((parent != NONE).then_some(parent));
        // The parent first: from there it is one step to the moment.
        if parent != NONE {
            self.stage(parent);
        }
        let now = self.stage(moment);
        let before = base.map(|base| self.stage(base));
        let line = self.line_of(moment);
        let title = line.as_ref().map_or_else(|| BEGINNING.to_owned(), words::title);
        let nodes: Vec<Value> =
            self.nodes.iter().map(|id| self.show_node(&now, before.as_deref(), *id)).collect();
        let cuts = now.cuts.iter().map(|(from, to)| json!({"from": from.to_string(), "to": to.to_string()}));
        let cuts: Vec<Value> = cuts.collect();
        let violation = self.violations.get(&moment).map(|(name, words)| format!("{name}: {words}"));
        let claims = |claims: &[Claim<N>]| -> Vec<Value> {
            let tell = |claim: &Claim<N>| {
                let words = (claim.test)(&now).err();
                json!({"name": claim.name, "holds": words.is_none(), "words": words.unwrap_or_default()})
            };
            claims.iter().map(tell).collect()
        };
        json!({
            "moment": moment,
            "parent": if parent == NONE { None } else { Some(parent) },
            "base": base,
            "children": self.children.get(&moment).cloned().unwrap_or_default(),
            "title": cut(&title),
            "told": self.sentence(moment, line.as_ref()),
            "at_us": self.rows[moment as usize].at_us,
            "violation": violation,
            "nodes": nodes,
            "cuts": cuts,
            "invariants": claims(&self.setup.invariants),
            "goals": claims(&self.setup.goals),
            "effects": self.effects(moment),
            "causes": self.causes(moment),
            "changes": before.as_deref().map_or_else(Vec::new, |before| self.changes(before, &now)),
            "flagged": self.flagged(moment),
        })
    }

    /// What is not as it was recorded, in words.
    fn flagged(&self, moment: u32) -> Option<String> {
        let row = self.rows[moment as usize];
        let node = self.nodes.get(usize::from(row.node)).filter(|_| row.flags & DIFFERS != 0)?;
        Some(format!(
            "{node} did something else when this was recorded: another program ran, or the node is not deterministic"
        ))
    }

    fn sentence(&self, moment: u32, line: Option<&TraceEvent>) -> String {
        let last = self.moments.len() - 1;
        let what = line.map_or_else(|| "Nothing has happened yet.".to_owned(), words::sentence);
        let violated = self.violations.get(&moment);
        let violated =
            violated.map_or_else(String::new, |(name, words)| format!(" Violated: {name}: {}", cut(words)));
        format!("Moment {moment} of {last}. {what}{violated}")
    }

    fn show_node(&self, now: &Stage<N>, before: Option<&Stage<N>>, id: NodeId) -> Value {
        let world = &now.world;
        let node = world.node(id);
        let is_changed = before.is_some_and(|before| before.world.node(id) != node);
        let portrait = self.setup.portrait.as_ref().zip(node);
        let term = portrait.and_then(|(portrait, node)| portrait.term(node));
        let strips = portrait.map_or_else(Vec::new, |(portrait, node)| portrait.strips(node));
        let strips: Vec<Value> = strips
            .iter()
            .map(|strip| {
                let cells = strip
                    .cells
                    .iter()
                    .map(|cell| json!({"label": cell.label, "tone": cell.tone, "text": cell.text}));
                json!({"title": strip.title, "cells": cells.collect::<Vec<_>>()})
            })
            .collect();
        let inbox = world.flight().filter(|(_, envelope)| envelope.to == id);
        let inbox: Vec<Value> = inbox.map(|(number, envelope)| show_message(now, number, envelope)).collect();
        let timers = world.timers().filter(|(_, timer)| timer.node == id);
        let timers: Vec<Value> = timers
            .map(|(number, timer)| {
                json!({
                    "id": number.0,
                    "name": kind_of(&timer.timer),
                    "text": cut(&format!("{:?}", timer.timer)),
                    "range": words::range(&timer.after),
                    "set_at": now.born.get(&number.0),
                    "blocked": now.timer_blocked(number),
                })
            })
            .collect();
        json!({
            "name": id.to_string(),
            "status": now.status(id),
            "is_changed": is_changed,
            "term": term.as_ref().map(|(term, _)| term),
            "leads": term.is_some_and(|(_, leads)| leads),
            "inbox": inbox,
            "timers": timers,
            "disk": show_disk(now, id),
            "user": self.show_user(now, id),
            "actions": self.actions(now, id),
            "strip": strips,
        })
    }

    fn show_user(&self, now: &Stage<N>, id: NodeId) -> Option<Value> {
        if !id.is_client() {
            return None;
        }
        let position = now.users.get(&id).cloned().unwrap_or_default();
        let waiting = position.waiting.iter().map(|waiting| {
            json!({"id": waiting.id.0, "text": cut(&self.request_text(waiting.asked_at)), "asked_at": waiting.asked_at})
        });
        let next = now.next_request(&self.setup, id).map(|(_, request)| cut(&format!("{request:?}")));
        Some(json!({"next": next, "waiting": waiting.collect::<Vec<_>>(), "answered": position.answered}))
    }

    /// The request that was made in a moment.
    fn request_text(&self, moment: u32) -> String {
        use synod_world::{Event, Step};
        if let Some(spoken) = self.spoken.get(&moment) {
            return spoken.clone();
        }
        match &self.moments[moment as usize].step {
            Some(Step::World(Event::Request { request, .. })) => format!("{request:?}"),
            Some(_) | None => String::new(),
        }
    }

    fn actions(&self, now: &Stage<N>, id: NodeId) -> Value {
        let nothing_next = || {
            let has_next = now.next_request(&self.setup, id).is_some() || self.setup.reader.is_some();
            (!has_next).then(|| format!("the user of {id} has nothing more to ask"))
        };
        json!({
            "start": now.start_blocked(id),
            "crash": now.crash_blocked(id),
            "crash_keeping": now.durable_blocked(id),
            "restart": now.restart_blocked(id),
            "pause": now.pause_blocked(id),
            "resume": now.resume_blocked(id),
            "durable": now.durable_blocked(id),
            "request": now.request_blocked(id).or_else(nothing_next),
            "give_up": now.give_up_blocked(id),
        })
    }

    /// What came of the step that led to a moment.
    fn effects(&mut self, moment: u32) -> Vec<Value> {
        let parent = self.moments[moment as usize].parent;
        let Some(step) = self.moments[moment as usize].step.clone() else { return Vec::new() };
        let mut stage = (*self.stage(parent)).clone();
        let Ok(taken) = stage.take(&self.setup, step, moment) else { return Vec::new() };
        let later = |number: u64| -> Vec<u32> {
            let all = self.later.get(&moment).map_or(&[][..], Vec::as_slice);
            all.iter().copied().filter(|later| self.rows[*later as usize].message == number as u32).collect()
        };
        let tell = |happening: &Happening<N>| match happening {
            Happening::Sent(EnvelopeId(number)) => {
                let envelope = stage.world.envelope(EnvelopeId(*number))?;
                Some(json!({
                    "what": "sent", "id": number, "to": envelope.to.to_string(), "name": kind_of(&envelope.message),
                    "text": cut(&format!("{:?}", envelope.message)), "later": later(*number),
                }))
            }
            Happening::TimerSet(TimerId(number), range) => {
                let timer = stage.world.timer(TimerId(*number))?;
                Some(json!({
                    "what": "timer", "id": number, "name": kind_of(&timer.timer),
                    "text": cut(&format!("{:?}", timer.timer)), "range": words::range(range), "later": later(*number),
                }))
            }
            Happening::Wrote(_) => None,
            Happening::Replied { id, response, .. } => Some(json!({
                "what": "replied", "id": id.0, "text": cut(&format!("{response:?}")),
                "asked_at": Some(self.rows[moment as usize].answers).filter(|asked| *asked != NONE),
            })),
        };
        let mut effects: Vec<Value> = taken.happenings.iter().filter_map(tell).collect();
        let wrote =
            taken.happenings.iter().filter(|happening| matches!(happening, Happening::Wrote(_))).count();
        if let Some(Happening::Wrote(node)) =
            taken.happenings.iter().find(|happening| matches!(happening, Happening::Wrote(_)))
        {
            let writes: Vec<&Write<N>> = stage.world.writing(*node).collect();
            let new = &writes[writes.len().saturating_sub(wrote)..];
            effects.extend(new.iter().map(|write| json!({"what": "wrote", "text": cut(&write_text(write))})));
        }
        effects
    }

    /// What led to a moment, step by step, back to a request, a start or what a person did.
    fn causes(&mut self, moment: u32) -> Vec<Value> {
        let chain = self.cause_chain(moment);
        let tell = |moment: u32| json!({"moment": moment, "title": cut(&self.title(moment))});
        chain.into_iter().map(tell).collect()
    }

    /// The moments that led to this one: its cause, that one's, and so on.
    pub(crate) fn cause_chain(&self, moment: u32) -> Vec<u32> {
        let mut chain = Vec::new();
        let mut at = self.rows[moment as usize].cause;
        // A timer that is set again and again has a chain as long as the run.
        while at != NONE && chain.len() < CAUSES_MAX {
            chain.push(at);
            at = self.rows[at as usize].cause;
        }
        chain
    }

    fn changes(&self, before: &Stage<N>, now: &Stage<N>) -> Vec<Value> {
        let mut all = Vec::new();
        for id in &self.nodes {
            let changes = differences(before.world.node(*id), now.world.node(*id));
            all.extend(changes.into_iter().take(CHANGES_MAX).map(|change| {
                let mut told = told(change);
                told["node"] = json!(id.to_string());
                told
            }));
        }
        all
    }

    /// A node's state as a tree with what changed since `base`, or since the parent. Null if it does not run.
    ///
    /// # Errors
    /// If there is no such node.
    pub(crate) fn tree(&mut self, moment: u32, node: &str, base: Option<u32>) -> Result<Value, String> {
        let id = words::node(&self.nodes, node)?;
        let parent = self.moments[moment as usize].parent;
        let base = base.or((parent != NONE).then_some(parent));
        let now = self.stage(moment);
        let Some(node) = now.world.node(id) else { return Ok(Value::Null) };
        let before = base.map(|base| self.stage(base));
        let old = before.as_ref().and_then(|before| before.world.node(id)).map(|node| Tree::of(node));
        Ok(marked(&Tree::of(node), old.as_ref(), before.is_some()))
    }

    /// The name of a moment's message, timer or request.
    pub(crate) fn name_of(&self, moment: u32) -> Option<&str> {
        let name = self.rows[moment as usize].name;
        (name != NO_NAME).then(|| self.names.list()[usize::from(name)].as_str())
    }
}

impl<N: Shown> Stage<N> {
    fn status(&self, id: NodeId) -> &'static str {
        match (self.world.is_running(id), self.paused.contains(&id), self.started.contains(&id)) {
            (true, true, _) => "paused",
            (true, false, _) => "running",
            (false, _, true) => "crashed",
            (false, _, false) => "not started",
        }
    }
}

fn show_message<N: Shown>(now: &Stage<N>, number: EnvelopeId, envelope: &Envelope<N>) -> Value {
    json!({
        "id": number.0,
        "from": envelope.from.to_string(),
        "name": kind_of(&envelope.message),
        "text": cut(&format!("{:?}", envelope.message)),
        "sent_at": now.born.get(&number.0),
        "blocked": now.delivery_blocked(envelope),
    })
}

fn show_disk<N: Shown>(now: &Stage<N>, id: NodeId) -> Value {
    let disk = now.world.disk(id);
    let records = disk.map_or(&[][..], |disk| disk.records.as_slice());
    let last = records.iter().skip(records.len().saturating_sub(RECORDS_MAX));
    let checkpoint = disk.and_then(|disk| disk.checkpoint.as_ref());
    json!({
        "checkpoint": checkpoint.map(|checkpoint| cut(&format!("{checkpoint:?}"))),
        "records": records.len(),
        "last": last.map(|record| cut(&format!("{record:?}"))).collect::<Vec<_>>(),
        "writing": now.world.writing(id).map(|write| cut(&write_text(write))).collect::<Vec<_>>(),
    })
}

fn write_text<N: Shown>(write: &Write<N>) -> String {
    match write {
        Write::Record(record) => format!("{record:?}"),
        Write::Checkpoint(checkpoint) => format!("checkpoint {checkpoint:?}"),
    }
}

/// A tree with the marks of what changed since `old`. Nothing is marked where there is nothing to compare with.
fn marked(tree: &Tree, old: Option<&Tree>, compares: bool) -> Value {
    let mark = match old {
        _ if !compares => "",
        None => "+",
        Some(old) if old == tree => "",
        Some(old) if old.value != tree.value || tree.parts.is_empty() => "~",
        Some(_) => ".",
    };
    let find = |name: &str| old.and_then(|old| old.parts.iter().find(|part| part.name == name));
    let mut parts: Vec<Value> =
        tree.parts.iter().map(|part| marked(part, find(&part.name), compares)).collect();
    let is_gone = |part: &&Tree| tree.parts.iter().all(|other| other.name != part.name);
    let gone = old.map_or(&[][..], |old| &old.parts).iter().filter(is_gone);
    parts.extend(gone.map(removed));
    json!({"path": tree.path, "name": tree.name, "value": cut(&tree.value), "mark": mark, "children": parts})
}

fn removed(tree: &Tree) -> Value {
    let parts: Vec<Value> = tree.parts.iter().map(removed).collect();
    json!({"path": tree.path, "name": tree.name, "value": cut(&tree.value), "mark": "-", "children": parts})
}
