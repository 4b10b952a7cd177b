//! A recording: what happened to the nodes of one process, one line each, with all that it takes to let it happen again.
//!
//! A trace tells in words what happened in a system whose nodes are known. A recording is a real process's: so each of its
//! lines is a trace's, and beside the words it has how a node was built ([`Recorded::built`]) and what it got, in byte form
//! ([`Recorded::bytes`]). Behind every line that a node handled comes one that says what the node did, as a digest of its
//! effects: `{"did":"…"}`. Where it is missing the process ended within that step.
//!
//! The first line says whose recording it is ([`Origin`]). A process that records much begins a new part now and then; a
//! part that is not the first of a start does not say what there was at its beginning.

use crate::trace::{Header, TraceError, TraceEvent, read_header};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use synod_node::{Effect, Node, NodeId, Stimulus};
use synod_stdx::{Digest, Malformed, Wire, words_of};

/// A node whose stimuli have a byte form; its timers are known by their words.
pub trait Recordable: Node<Message: Wire, Request: Wire, Record: Wire, Checkpoint: Wire> {}

impl<N: Node<Message: Wire, Request: Wire, Record: Wire, Checkpoint: Wire>> Recordable for N {}

/// Whose recording it is, and which part of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// A digest of the cluster's name: recordings of one cluster belong together.
    pub cluster: u64,
    /// The process's number in its cluster.
    pub process: u32,
    /// Which start of it: later ones have higher numbers.
    pub start: u64,
    /// Which part of what this start recorded, from 0.
    pub part: u32,
}

/// One line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// What happened, in the words of a trace.
    #[serde(flatten)]
    pub event: TraceEvent,
    /// In base64: the message or the request that came, or the checkpoint and the records that were recovered. None for what
    /// has no such, and for a recovery or a state that was too large to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// Of a node that starts or recovers: how it was built, in the words of who builds such nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built: Option<serde_json::Value>,
}

/// So many bytes of what came are told in words at most: the words are for people, what counts is the byte form.
const WORDS_BYTES_MAX: usize = 2_000;

/// A message or a request in the words of a recording: their beginning, if it is long.
pub fn recorded_words(value: &impl Debug) -> String {
    words_of(value, WORDS_BYTES_MAX)
}

/// The byte form, if it has at most `bytes_max` bytes: more is never held.
fn kept_bytes(value: &impl Wire, bytes_max: usize) -> Option<Vec<u8>> {
    const PART_BYTES: usize = 64 << 10;
    let mut bytes = Vec::new();
    let is_whole = value.to_parts(PART_BYTES, &mut |part| {
        bytes.append(part);
        bytes.len() <= bytes_max
    });
    is_whole.then_some(bytes)
}

/// What a node did in the step of the line before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Did {
    did: String,
}

/// What one process wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recording {
    /// Whose it is.
    pub origin: Origin,
    /// What happened, in order; and what the node did then, where it got so far.
    pub lines: Vec<(Recorded, Option<u64>)>,
}

impl Recorded {
    /// What happens to a node now. A recovery of more than `recovered_max` bytes is noted without them, and so is a message
    /// that holds such a state.
    pub fn of<N: Recordable>(
        (at_us, node): (u64, NodeId),
        stimulus: &Stimulus<N>,
        built: &serde_json::Value,
        recovered_max: usize,
    ) -> Recorded {
        let node = node.to_string();
        let built = matches!(stimulus, Stimulus::Start | Stimulus::Recover(_)).then(|| built.clone());
        let (event, bytes) = match stimulus {
            Stimulus::Start => (TraceEvent::Start { at_us, node }, None),
            Stimulus::Recover(durable) => {
                let mut bytes = Vec::new();
                durable.checkpoint.append_to(&mut bytes);
                durable.records.append_to(&mut bytes);
                (TraceEvent::Restart { at_us, node }, (bytes.len() <= recovered_max).then_some(bytes))
            }
            Stimulus::Message { from, message } => {
                let bytes = kept_bytes(message, if message.is_bulky() { recovered_max } else { usize::MAX });
                let words = recorded_words(message);
                (TraceEvent::Deliver { at_us, from: from.to_string(), to: node, message: words }, bytes)
            }
            Stimulus::Timer(timer) => (TraceEvent::Fire { at_us, node, timer: format!("{timer:?}") }, None),
            Stimulus::Request { id, request } => {
                let (id, words) = (id.0, recorded_words(request));
                let event = TraceEvent::Request { at_us, node, id, request: words, words: None };
                (event, Some(request.to_bytes()))
            }
        };
        Recorded { event, bytes: bytes.map(|bytes| BASE64.encode(&bytes)), built }
    }

    /// What came, or was recovered, of this kind.
    ///
    /// # Errors
    /// If nothing was kept, or it is no such value: in words.
    pub fn value<T: Wire>(&self) -> Result<T, String> {
        let text = self.bytes.as_ref().ok_or("it has no bytes")?;
        let bytes = BASE64.decode(text.as_bytes()).map_err(|error| format!("its bytes: {error}"))?;
        T::from_bytes(&bytes).map_err(|error: Malformed| error.to_string())
    }

    /// The line, with its end.
    pub fn to_line(&self) -> String {
        line_of(self)
    }
}

/// The line that says what a node did, with its end.
pub fn did_line(did: u64) -> String {
    line_of(&Did { did: format!("{did:016x}") })
}

fn line_of(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("a line is plain data");
    line.push('\n');
    line
}

/// A digest of what a step did, equal on every machine of 64 bits. Checkpoints count by their kind alone: a large state is
/// not gone through.
pub fn digest_of<N: Node>(effects: &[Effect<N>]) -> u64 {
    let mut digest = Digest::default();
    for effect in effects {
        match effect {
            Effect::Checkpoint(_) | Effect::Compact(_) => std::mem::discriminant(effect).hash(&mut digest),
            Effect::Send { .. }
            | Effect::SendEarly { .. }
            | Effect::SetTimer { .. }
            | Effect::Persist(_)
            | Effect::Reply { .. } => effect.hash(&mut digest),
        }
    }
    digest.finish()
}

impl Recording {
    /// The header's line, with its end.
    pub fn header_line(origin: Origin) -> String {
        line_of(&Header { recording: Some(origin), ..Header::of("host", "recording", "") })
    }

    /// Reads what a process wrote. A last line without an end was being written when the process ended, and is left out.
    ///
    /// # Errors
    /// If the text is no recording.
    pub fn from_text(text: &str) -> Result<Recording, TraceError> {
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let (header, lines) = read_header(whole)?;
        let origin = header.recording.ok_or(TraceError::NoRecording)?;
        let mut recording = Recording { origin, lines: Vec::new() };
        for (index, line) in lines {
            let bad = |why: String| TraceError::BadLine(index + 1, why);
            if !line.starts_with("{\"did\":") {
                let recorded = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
                recording.lines.push((recorded, None));
                continue;
            }
            let Did { did } = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
            let did = u64::from_str_radix(&did, 16).map_err(|error| bad(error.to_string()))?;
            let last = recording.lines.last_mut().ok_or_else(|| bad("nothing was done before".to_owned()))?;
            last.1 = Some(did);
        }
        Ok(recording)
    }
}
