//! What several real processes recorded, each for itself, becomes one past again.
//!
//! A recording tells what came to the nodes of one process, in order. The steps are taken again, so what a node sent is known
//! although no recording tells it: a message that a recording says has come is one that is in flight, and comes after it was
//! sent whatever the clocks said. Of what may come next the one with the earliest clock is taken. Processes talk over
//! connections, in order: what was sent over a link before a message that came, and did not come, was lost.
//!
//! What nobody here sent comes all the same, as it was recorded: its sender's recording is not there, or not from that time.

use crate::Shown;
use crate::columns::DIFFERS;
use crate::session::Session;
use crate::stage::Stage;
use std::collections::{BTreeMap, VecDeque};
use synod_node::{Durable, Node, NodeId, RequestId};
use synod_world::{
    Envelope, EnvelopeId, Event, Origin, Recordable, Recorded, Recording, Step, TraceEvent, World,
    recorded_words,
};

/// Builds a node again, by its name and the words of its recording.
pub type Build<N> = dyn Fn(NodeId, &serde_json::Value) -> Result<N, String>;

/// What came to the nodes of one process, from its first start that is known on.
#[derive(Clone, Debug)]
pub struct Strand<N: Node> {
    nodes: BTreeMap<NodeId, N>,
    parts: VecDeque<Part<N>>,
}

/// One thing that happened, when, and what the node did then.
#[derive(Clone, Debug)]
struct Part<N: Node> {
    at_us: u64,
    what: What<N>,
    did: Option<u64>,
}

#[derive(Clone, Debug)]
enum What<N: Node> {
    /// It starts, or recovers this.
    Begin {
        node: NodeId,
        built: N,
        durable: Option<Durable<N>>,
    },
    Came(Envelope<N>),
    Lost {
        from: NodeId,
        to: NodeId,
        words: String,
    },
    Fire {
        node: NodeId,
        words: String,
    },
    Asked {
        node: NodeId,
        id: RequestId,
        request: N::Request,
    },
    Durable {
        node: NodeId,
        writes: usize,
    },
    /// The process ended. The last step that it began may have come to nothing.
    End {
        nodes: Vec<NodeId>,
    },
}

/// What the recordings of some processes hold.
#[derive(Debug)]
pub struct Flight<N: Node> {
    /// Every node, as it was built first.
    pub first: World<N>,
    /// What came to them.
    pub strands: Vec<Strand<N>>,
    /// What had to be left out, for people.
    pub remarks: Vec<String>,
}

impl<N: Shown + Recordable> Flight<N> {
    /// Reads recordings, each with the name of its file. Parts of one process may be given in any order.
    ///
    /// # Errors
    /// If they do not belong together, or a line cannot be read: which, and why.
    pub fn read(recordings: Vec<(String, Recording)>, build: &Build<N>) -> Result<Flight<N>, String> {
        let mut recordings = recordings;
        recordings.sort_by_key(|(_, recording)| (recording.origin.process, recording.origin));
        let mut flight = Flight { first: World::default(), strands: Vec::new(), remarks: Vec::new() };
        let mut last: Option<(Origin, &str)> = None;
        for (file, recording) in &recordings {
            let origin = recording.origin;
            let is_next = match last {
                None => false,
                Some((before, other)) if before.cluster != origin.cluster => {
                    return Err(format!("{other} and {file} are of different clusters"));
                }
                Some((before, other)) if before == origin => {
                    return Err(format!("{other} and {file} are the same recording"));
                }
                Some((before, _)) => before.process == origin.process,
            };
            if !is_next {
                flight.strands.push(Strand { nodes: BTreeMap::new(), parts: VecDeque::new() });
            }
            let goes_on = last.is_some_and(|(before, _)| {
                is_next && before.start == origin.start && before.part + 1 == origin.part
            });
            last = Some((origin, file));
            let strand = flight.strands.last_mut().expect("one was just begun");
            let left_out = strand.read((file, recording), goes_on, build)?;
            if left_out > 0 {
                flight.remarks.push(format!(
                    "{file}: {left_out} of {} lines are left out: they are about nodes whose beginning was not kept",
                    recording.lines.len()
                ));
            }
        }
        for strand in &flight.strands {
            for (id, node) in &strand.nodes {
                if flight.first.built(*id).is_some() {
                    return Err(format!("two processes ran the node {id}"));
                }
                flight.first.add(*id, node.clone());
            }
        }
        if flight.first.ids().next().is_none() {
            let why = "no recording here tells how a node began: it is too long ago";
            return Err(format!(
                "{why}; start the nodes again, each new start is recorded from its beginning"
            ));
        }
        Ok(flight)
    }
}

impl<N: Shown + Recordable> Strand<N> {
    /// Reads one file, which goes on where the one before ended, or begins anew. Returns how many lines were left out.
    fn read(
        &mut self,
        (file, recording): (&str, &Recording),
        goes_on: bool,
        build: &Build<N>,
    ) -> Result<usize, String> {
        // Who runs now, as far as is known.
        let mut running: Vec<NodeId> =
            if goes_on { self.nodes.keys().copied().collect() } else { Vec::new() };
        let mut ended = self.parts.back().filter(|_| !goes_on).map(|last| last.at_us);
        let mut left_out = 0;
        for (number, (recorded, did)) in recording.lines.iter().enumerate() {
            let bad = |why: String| format!("{file}, event {}: {why}", number + 1);
            let what = what_of(recorded, build).map_err(bad)?;
            let Some(node) = what.as_ref().map(What::node) else {
                left_out += 1;
                continue;
            };
            if let Some(What::Begin { node, built, .. }) = &what {
                if let Some(at_us) = ended.take() {
                    let nodes = self.nodes.keys().copied().collect();
                    self.parts.push_back(Part { at_us, what: What::End { nodes }, did: None });
                }
                running.push(*node);
                self.nodes.entry(*node).or_insert_with(|| built.clone());
            }
            match what.filter(|_| running.contains(&node)) {
                Some(what) => self.parts.push_back(Part { at_us: recorded.event.at_us(), what, did: *did }),
                None => left_out += 1,
            }
        }
        Ok(left_out)
    }
}

impl<N: Node> What<N> {
    /// Whose it is.
    fn node(&self) -> NodeId {
        match self {
            What::Begin { node, .. }
            | What::Fire { node, .. }
            | What::Asked { node, .. }
            | What::Durable { node, .. } => *node,
            What::Came(envelope) => envelope.to,
            What::Lost { from, .. } => *from,
            What::End { .. } => unreachable!("no line says it"),
        }
    }
}

/// What a line means; nothing, if it is a recovery that was not kept.
///
/// # Errors
/// If it cannot be read.
fn what_of<N: Shown + Recordable>(recorded: &Recorded, build: &Build<N>) -> Result<Option<What<N>>, String> {
    let id = |text: &str| text.parse::<NodeId>().map_err(|why| format!("`{text}`: {why}"));
    let built = |node: NodeId| match &recorded.built {
        Some(words) => build(node, words).map_err(|why| format!("{node}: {why}")),
        None => Err(format!("it does not say how {node} was built")),
    };
    Ok(Some(match &recorded.event {
        TraceEvent::Start { node, .. } => {
            let node = id(node)?;
            What::Begin { node, built: built(node)?, durable: None }
        }
        TraceEvent::Restart { .. } if recorded.bytes.is_none() => return Ok(None),
        TraceEvent::Restart { node, .. } => {
            let node = id(node)?;
            let (checkpoint, records) = recorded.value::<(Option<N::Checkpoint>, Vec<N::Record>)>()?;
            What::Begin { node, built: built(node)?, durable: Some(Durable { checkpoint, records }) }
        }
        TraceEvent::Deliver { from, to, .. } => {
            What::Came(Envelope { from: id(from)?, to: id(to)?, message: recorded.value()? })
        }
        TraceEvent::Drop { from, to, message, .. } => {
            What::Lost { from: id(from)?, to: id(to)?, words: message.clone() }
        }
        TraceEvent::Fire { node, timer, .. } => What::Fire { node: id(node)?, words: timer.clone() },
        TraceEvent::Request { node, id: number, .. } => {
            What::Asked { node: id(node)?, id: RequestId(*number), request: recorded.value()? }
        }
        TraceEvent::Durable { node, writes, .. } => What::Durable { node: id(node)?, writes: *writes },
        other => return Err(format!("`{other}` is nothing that a real node records")),
    }))
}

impl<N: Shown> Session<N> {
    /// Takes the steps that these strands tell, in an order in which they can have happened. Returns the last moment.
    ///
    /// What cannot be taken is remarked, and left out.
    pub(crate) fn relive(&mut self, strands: Vec<Strand<N>>) -> u32 {
        let mut strands = strands;
        let begin = strands.iter().filter_map(|strand| strand.parts.front()).map(|part| part.at_us).min();
        let mut homes: BTreeMap<NodeId, usize> = BTreeMap::new();
        for (number, strand) in strands.iter().enumerate() {
            homes.extend(strand.nodes.keys().map(|node| (*node, number)));
        }
        let (mut at, mut at_us) = (0, 0);
        let mut panicked = None;
        while let Some(next) = next_of(self.peek(at), &strands, &homes) {
            let Some(part) = strands[next].parts.pop_front() else { unreachable!("it was chosen") };
            at_us = at_us.max(part.at_us - begin.unwrap_or(0));
            // A step that did not end, for its handler panicked, or the process was killed in it: nobody saw what it did.
            let is_whole = part.did.is_some() || part.what.is_no_step();
            let moment = match self.live_again(at, &part, at_us as f64) {
                Ok(moment) => moment,
                Err(why) => {
                    // After a step that went otherwise than it was recorded, much can be missing that comes of it.
                    self.remarks.push(format!("after moment {at}, {}: {why}", part.what.words()));
                    continue;
                }
            };
            if is_whole && !self.has_panicked(moment) {
                at = moment;
            } else {
                panicked = panicked.or(self.has_panicked(moment).then_some(moment));
                self.labels.insert(moment, format!("the last step of {}", part.what.node()));
            }
        }
        let differs = |moment: &u32| self.rows[*moment as usize].flags & DIFFERS != 0;
        let differing: Vec<u32> = (0..self.rows.len() as u32).filter(differs).collect();
        match &differing[..] {
            [] => {}
            [one] => {
                self.remarks.push(format!("a step did something else when it was recorded: moment {one}"));
            }
            [first, ..] => self.remarks.push(format!(
                "{} steps did something else when they were recorded; the first is moment {first}",
                differing.len()
            )),
        }
        panicked.unwrap_or(at)
    }

    fn live_again(&mut self, at: u32, part: &Part<N>, at_us: f64) -> Result<u32, String> {
        let mut at = at;
        if let What::Came(envelope) = &part.what
            && sent(self.peek(at), envelope).is_none()
        {
            at = self.add(at, Step::Undrop(envelope.clone()), at_us)?;
        }
        let steps = steps_of(self.peek(at), &part.what)?;
        let last = steps.len().saturating_sub(1);
        for (number, step) in steps.into_iter().enumerate() {
            at = self.add_recorded(at, step, (at_us, part.did.filter(|_| number == last)))?;
        }
        Ok(at)
    }
}

impl<N: Node> What<N> {
    /// Whether no handler runs for it.
    fn is_no_step(&self) -> bool {
        matches!(self, What::Lost { .. } | What::Durable { .. } | What::End { .. })
    }

    fn words(&self) -> String {
        match self {
            What::Begin { node, durable: None, .. } => format!("{node} starts"),
            What::Begin { node, .. } => format!("{node} recovers"),
            What::Came(Envelope { from, to, message }) => {
                format!("{} from {from} to {to}", recorded_words(message))
            }
            What::Lost { from, to, words } => format!("the loss of {words} from {from} to {to}"),
            What::Fire { node, words } => format!("the timer {words} of {node}"),
            What::Asked { node, id, request } => {
                format!("request {id} of {node}, {}", recorded_words(request))
            }
            What::Durable { node, writes } => format!("{writes} writes of {node}"),
            What::End { nodes } => format!("the end of {nodes:?}"),
        }
    }
}

/// The strand that goes on next: of those that can, the one with the earliest clock; none if all have ended.
fn next_of<N: Shown>(
    stage: &Stage<N>,
    strands: &[Strand<N>],
    homes: &BTreeMap<NodeId, usize>,
) -> Option<usize> {
    // What its sender has still to send is waited for.
    let waits = |what: &What<N>| match what {
        What::Came(envelope) => {
            let sender = homes.get(&envelope.from).map(|home| &strands[*home]);
            sender.is_some_and(|sender| !sender.parts.is_empty()) && sent(stage, envelope).is_none()
        }
        _ => false,
    };
    let heads =
        strands.iter().enumerate().filter_map(|(number, strand)| Some((number, strand.parts.front()?)));
    heads.min_by_key(|(_, part)| (waits(&part.what), part.at_us)).map(|(number, _)| number)
}

/// The oldest message in flight that is equal to this one.
fn sent<N: Shown>(stage: &Stage<N>, meant: &Envelope<N>) -> Option<EnvelopeId> {
    stage.world.flight().find(|(_, envelope)| *envelope == meant).map(|(id, _)| id)
}

/// The steps that it means.
///
/// # Errors
/// Why it cannot happen here.
fn steps_of<N: Shown>(stage: &Stage<N>, what: &What<N>) -> Result<Vec<Step<N>>, String> {
    let world = &stage.world;
    let event = match what {
        What::Begin { node, durable: None, .. } if !stage.started.contains(node) => Event::Start(*node),
        What::Begin { node, built, durable: None } => {
            Event::Replace { node: *node, replacement: built.clone() }
        }
        What::Begin { node, built, durable: Some(durable) } => {
            Event::Recover { node: *node, built: built.clone(), durable: durable.clone() }
        }
        What::Came(envelope) => {
            let came = sent(stage, envelope).ok_or("it is not in flight")?;
            let is_before = |id: &EnvelopeId, other: &Envelope<N>| {
                *id < came && (other.from, other.to) == (envelope.from, envelope.to)
            };
            let lost = world.flight().filter(|(id, other)| is_before(id, other));
            let lost = lost.map(|(id, _)| Step::World(Event::Drop(id)));
            return Ok(lost.chain([Step::World(Event::Deliver(came))]).collect());
        }
        What::Lost { from, to, words } => {
            // It is lost as it is sent, so of several with these words it is the newest.
            let is_meant = |(_, sent): &(EnvelopeId, &Envelope<N>)| {
                (sent.from, sent.to) == (*from, *to) && recorded_words(&sent.message) == *words
            };
            let (lost, _) = world.flight().filter(is_meant).last().ok_or("no such message was sent")?;
            Event::Drop(lost)
        }
        What::Fire { node, words } => {
            let line = TraceEvent::Fire { at_us: 0, node: node.to_string(), timer: words.clone() };
            world.find(&line).ok_or("no such timer waits")?
        }
        What::Asked { node, id, request } => {
            Event::Request { node: *node, id: *id, request: request.clone() }
        }
        What::Durable { node, writes } => Event::Durable { node: *node, writes: *writes },
        What::End { nodes } => {
            let running = nodes.iter().filter(|node| world.is_running(**node));
            return Ok(running.map(|node| Step::World(Event::Crash(*node))).collect());
        }
    };
    Ok(vec![Step::World(event)])
}
