//! A trace: where a run began and what happened, one line of JSON each, readable, versioned. The common currency of
//! the drivers.

use crate::{EnvelopeId, Event, Origin, TimerId, World};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Debug, Write as _};
use synod_node::{Node, NodeId};

/// The version of the format that this crate writes. It reads this one and all before.
pub const TRACE_VERSION: u32 = 4;

/// What a trace says that it is.
const FORMAT: &str = "synod-trace";

/// The first line of a trace: what ran, and how to run it again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Header {
    /// Always `synod-trace`.
    pub format: String,
    /// See [`TRACE_VERSION`].
    pub version: u32,
    /// The module that ran.
    pub module: String,
    /// The scenario's name: its systems and settings are the initial configuration.
    pub scenario: String,
    /// Which of the scenario's searches found it, if one did; from version 2 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The seed of a simulated run.
    pub seed: Option<u64>,
    /// Why the trace was kept: the violation's words, if it ends in one.
    pub reason: String,
    /// Whose recording it is, if it is one; from version 4 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<Origin>,
}

impl Header {
    /// Of a scenario of a module, by no seed and in no stage of a search.
    pub fn of(module: impl Into<String>, scenario: impl Into<String>, reason: impl Into<String>) -> Header {
        Header {
            format: FORMAT.to_owned(),
            version: TRACE_VERSION,
            module: module.into(),
            scenario: scenario.into(),
            stage: None,
            seed: None,
            reason: reason.into(),
            recording: None,
        }
    }
}

/// One later line of a trace. Messages, timers and requests are in their `Debug` form, by which a replay knows them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum TraceEvent {
    /// See [`Event::Start`].
    Start {
        /// Microseconds of virtual time.
        at_us: u64,
        /// Which node.
        node: String,
    },
    /// See [`Event::Deliver`].
    Deliver {
        /// Microseconds of virtual time.
        at_us: u64,
        /// Who sent it.
        from: String,
        /// Whom it is for.
        to: String,
        /// What it says.
        message: String,
    },
    /// See [`Event::Drop`].
    Drop {
        /// Microseconds of virtual time.
        at_us: u64,
        /// Who sent it.
        from: String,
        /// Whom it is for.
        to: String,
        /// What it says.
        message: String,
    },
    /// See [`Event::Duplicate`].
    Duplicate {
        /// Microseconds of virtual time.
        at_us: u64,
        /// Who sent it.
        from: String,
        /// Whom it is for.
        to: String,
        /// What it says.
        message: String,
    },
    /// See [`Event::Fire`].
    Fire {
        /// Microseconds of virtual time.
        at_us: u64,
        /// Whose timer.
        node: String,
        /// What it reminds of.
        timer: String,
    },
    /// See [`Event::Request`].
    Request {
        /// Microseconds of virtual time.
        at_us: u64,
        /// Which node is asked.
        node: String,
        /// The request's name.
        id: u64,
        /// What is asked.
        request: String,
        /// The same in the words of the person who asked it, if a person did; from version 3 on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<String>,
    },
    /// See [`Event::Durable`].
    Durable {
        /// Microseconds of virtual time.
        at_us: u64,
        /// Whose writes.
        node: String,
        /// How many.
        writes: usize,
    },
    /// See [`Event::Crash`].
    Crash {
        /// Microseconds of virtual time.
        at_us: u64,
        /// Which node.
        node: String,
    },
    /// See [`Event::Restart`].
    Restart {
        /// Microseconds of virtual time.
        at_us: u64,
        /// Which node.
        node: String,
    },
    /// See [`Event::Replace`].
    Replace {
        /// Microseconds of virtual time.
        at_us: u64,
        /// Which node.
        node: String,
    },
    /// A message that was lost is in flight after all. From version 2 on, as all below: a checker's, which has no clock.
    Undrop {
        /// Who sent it.
        from: String,
        /// Whom it is for.
        to: String,
        /// What it says.
        message: String,
    },
    /// A node's user waits no longer for its oldest request.
    GiveUp {
        /// Which node.
        node: String,
    },
    /// A node takes no step until it resumes.
    Pause {
        /// Which node.
        node: String,
    },
    /// A node takes steps again.
    Resume {
        /// Which node.
        node: String,
    },
    /// The partition changes: to this one of the scenario's, or to none for 0.
    Cut {
        /// Its number, from 1.
        partition: u32,
    },
    /// Nothing is delivered over a link any more. From version 3 on, as the next.
    CutLink {
        /// Who sends in vain.
        from: String,
        /// Who hears nothing.
        to: String,
    },
    /// A link that was cut works again.
    HealLink {
        /// Who sends.
        from: String,
        /// Who hears it.
        to: String,
    },
}

/// A header and what happened after.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    /// What ran.
    pub header: Header,
    /// What happened, in order.
    pub events: Vec<TraceEvent>,
}

/// Why a text is no trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TraceError {
    /// The text is empty.
    Empty,
    /// A line is not what it should be: its number from 1, and why.
    BadLine(usize, String),
    /// The first line says that this is something else.
    NotATrace(String),
    /// A later version wrote it.
    NewerVersion(u32),
    /// It is a recording of a real process, which holds more than a trace does.
    Recording,
    /// It is a trace, and no recording of a real process.
    NoRecording,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraceError::Empty => write!(f, "the trace is empty: it should begin with a header line"),
            TraceError::BadLine(line, why) => write!(f, "line {line} of the trace is damaged: {why}"),
            TraceError::NotATrace(format) => {
                write!(
                    f,
                    "the file says that it is `{format}`, not `synod-trace`: give a file that was saved as a trace"
                )
            }
            TraceError::NewerVersion(version) => write!(
                f,
                "the trace has version {version}, this program reads up to {TRACE_VERSION}: use the program that wrote it"
            ),
            TraceError::Recording => {
                write!(f, "it is a recording of a real node: open it with `synod debug FILE ...`")
            }
            TraceError::NoRecording => write!(f, "it is a trace, and no recording of a real node"),
        }
    }
}

impl std::error::Error for TraceError {}

impl Trace {
    /// The trace as lines of JSON.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string(&self.header).expect("a header is plain data");
        text.push('\n');
        for event in &self.events {
            text.push_str(&event.to_line());
        }
        text
    }

    /// Reads a trace back.
    ///
    /// # Errors
    /// If the text is no trace, or a later version's.
    pub fn from_text(text: &str) -> Result<Trace, TraceError> {
        let (header, lines) = read_header(text)?;
        if header.recording.is_some() {
            return Err(TraceError::Recording);
        }
        let bad = |index: usize, error: serde_json::Error| TraceError::BadLine(index + 1, error.to_string());
        let events = lines
            .map(|(index, line)| serde_json::from_str(line).map_err(|error| bad(index, error)))
            .collect::<Result<_, _>>()?;
        Ok(Trace { header, events })
    }
}

/// The first line of a text, and those after it, each with its place in the text, from 0.
///
/// # Errors
/// If the first line is none of this format, or a later version's.
pub(crate) fn read_header(text: &str) -> Result<(Header, impl Iterator<Item = (usize, &str)>), TraceError> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (_, first) = lines.next().ok_or(TraceError::Empty)?;
    let bad = |error: serde_json::Error| TraceError::BadLine(1, error.to_string());
    let value: serde_json::Value = serde_json::from_str(first).map_err(bad)?;
    let format = value.get("format").and_then(serde_json::Value::as_str).unwrap_or("nothing known");
    if format != FORMAT {
        return Err(TraceError::NotATrace(format.to_owned()));
    }
    // The version is looked at before the rest: a later one may have other fields.
    let version = value.get("version").and_then(serde_json::Value::as_u64).unwrap_or(0) as u32;
    if version > TRACE_VERSION {
        return Err(TraceError::NewerVersion(version));
    }
    Ok((serde_json::from_value(value).map_err(bad)?, lines))
}

impl TraceEvent {
    /// The moment that it tells, in microseconds; 0 if it tells none.
    pub fn at_us(&self) -> u64 {
        match self {
            TraceEvent::Start { at_us, .. }
            | TraceEvent::Deliver { at_us, .. }
            | TraceEvent::Drop { at_us, .. }
            | TraceEvent::Duplicate { at_us, .. }
            | TraceEvent::Fire { at_us, .. }
            | TraceEvent::Request { at_us, .. }
            | TraceEvent::Durable { at_us, .. }
            | TraceEvent::Crash { at_us, .. }
            | TraceEvent::Restart { at_us, .. }
            | TraceEvent::Replace { at_us, .. } => *at_us,
            TraceEvent::Undrop { .. }
            | TraceEvent::GiveUp { .. }
            | TraceEvent::Pause { .. }
            | TraceEvent::Resume { .. }
            | TraceEvent::Cut { .. }
            | TraceEvent::CutLink { .. }
            | TraceEvent::HealLink { .. } => 0,
        }
    }

    /// The event's line of a trace, with the line's end.
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("an event is plain data");
        line.push('\n');
        line
    }

    /// What `event` looks like in a trace, told before it happens in `world`.
    pub fn of<N: Node>(at_us: u64, event: &Event<N>, world: &World<N>) -> TraceEvent {
        let parts = |id: EnvelopeId| match world.envelope(id) {
            Some(e) => (e.from.to_string(), e.to.to_string(), format!("{:?}", e.message)),
            None => Default::default(),
        };
        match event {
            Event::Start(node) => TraceEvent::Start { at_us, node: node.to_string() },
            Event::Deliver(id) => {
                let (from, to, message) = parts(*id);
                TraceEvent::Deliver { at_us, from, to, message }
            }
            Event::Drop(id) => {
                let (from, to, message) = parts(*id);
                TraceEvent::Drop { at_us, from, to, message }
            }
            Event::Duplicate(id) => {
                let (from, to, message) = parts(*id);
                TraceEvent::Duplicate { at_us, from, to, message }
            }
            Event::Fire(id) => {
                let (node, timer) = match world.timer(*id) {
                    Some(timer) => (timer.node.to_string(), format!("{:?}", timer.timer)),
                    None => Default::default(),
                };
                TraceEvent::Fire { at_us, node, timer }
            }
            Event::Request { node, id, request } => TraceEvent::Request {
                at_us,
                node: node.to_string(),
                id: id.0,
                request: format!("{request:?}"),
                words: None,
            },
            Event::Durable { node, writes } => {
                TraceEvent::Durable { at_us, node: node.to_string(), writes: *writes }
            }
            Event::Crash(node) => TraceEvent::Crash { at_us, node: node.to_string() },
            Event::Restart(node) | Event::Recover { node, .. } => {
                TraceEvent::Restart { at_us, node: node.to_string() }
            }
            Event::Replace { node, .. } => TraceEvent::Replace { at_us, node: node.to_string() },
        }
    }
}

/// One aligned line: when, who, what.
impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |at_us: &u64, node: &str, what: &str| {
            write!(f, "{:>12.3} ms  {node:<5} {what}", *at_us as f64 / 1000.0)
        };
        match self {
            TraceEvent::Start { at_us, node } => line(at_us, node, "starts"),
            TraceEvent::Deliver { at_us, from, to, message } => {
                line(at_us, to, &format!("<- {from:<5} {}", shorten(message)))
            }
            TraceEvent::Drop { at_us, from, to, message } => {
                line(at_us, to, &format!("x- {from:<5} {}", shorten(message)))
            }
            TraceEvent::Duplicate { at_us, from, to, message } => {
                line(at_us, to, &format!("=- {from:<5} {}", shorten(message)))
            }
            TraceEvent::Fire { at_us, node, timer } => line(at_us, node, &format!("timer    {timer}")),
            TraceEvent::Request { at_us, node, id, request, .. } => {
                line(at_us, node, &format!("asked    r{id} {}", shorten(request)))
            }
            TraceEvent::Durable { at_us, node, writes } => line(at_us, node, &format!("durable  {writes}")),
            TraceEvent::Crash { at_us, node } => line(at_us, node, "crashes"),
            TraceEvent::Restart { at_us, node } => line(at_us, node, "restarts"),
            TraceEvent::Replace { at_us, node } => line(at_us, node, "starts with an empty disk"),
            TraceEvent::Undrop { from, to, message } => {
                line(&0, to, &format!("+- {from:<5} {}", shorten(message)))
            }
            TraceEvent::GiveUp { node } => line(&0, node, "its user gives up"),
            TraceEvent::Pause { node } => line(&0, node, "pauses"),
            TraceEvent::Resume { node } => line(&0, node, "resumes"),
            TraceEvent::Cut { partition: 0 } => line(&0, "", "every link is whole again"),
            TraceEvent::Cut { partition } => line(&0, "", &format!("partition {partition} begins")),
            TraceEvent::CutLink { from, to } => line(&0, from, &format!("is not heard by {to} any more")),
            TraceEvent::HealLink { from, to } => line(&0, from, &format!("is heard by {to} again")),
        }
    }
}

/// At most 160 characters of a text, for lines that people read.
pub fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 160;
    match text.char_indices().nth(CHARS_MAX) {
        None => text.to_owned(),
        Some((cut, _)) => {
            let mut short = text[..cut].to_owned();
            let _ = write!(short, "… ({} bytes)", text.len());
            short
        }
    }
}

impl<N: Node> World<N> {
    /// The event of this world that a line of a trace means, if there is one: messages and timers are known by their
    /// text, the oldest of several equal ones is taken. Requests and replacements need values that a trace does not
    /// hold; for them `None`.
    pub fn find(&self, line: &TraceEvent) -> Option<Event<N>> {
        let id = |text: &String| text.parse::<NodeId>().ok();
        let envelope = |from: &String, to: &String, text: &String| -> Option<EnvelopeId> {
            let (from, to) = (id(from)?, id(to)?);
            let same = |m: &dyn Debug| format!("{m:?}") == *text;
            self.flight().find(|(_, e)| e.from == from && e.to == to && same(&e.message)).map(|(id, _)| id)
        };
        let timer = |node: &String, text: &String| -> Option<TimerId> {
            let node = id(node)?;
            self.timers().find(|(_, t)| t.node == node && format!("{:?}", t.timer) == *text).map(|(id, _)| id)
        };
        Some(match line {
            TraceEvent::Start { node, .. } => Event::Start(id(node)?),
            TraceEvent::Deliver { from, to, message, .. } => Event::Deliver(envelope(from, to, message)?),
            TraceEvent::Drop { from, to, message, .. } => Event::Drop(envelope(from, to, message)?),
            TraceEvent::Duplicate { from, to, message, .. } => Event::Duplicate(envelope(from, to, message)?),
            TraceEvent::Fire { node, timer: text, .. } => Event::Fire(timer(node, text)?),
            TraceEvent::Durable { node, writes, .. } => Event::Durable { node: id(node)?, writes: *writes },
            TraceEvent::Crash { node, .. } => Event::Crash(id(node)?),
            TraceEvent::Restart { node, .. } => Event::Restart(id(node)?),
            TraceEvent::Request { .. } | TraceEvent::Replace { .. } => return None,
            // The world has no users and no links.
            TraceEvent::Undrop { .. }
            | TraceEvent::GiveUp { .. }
            | TraceEvent::Pause { .. }
            | TraceEvent::Resume { .. }
            | TraceEvent::Cut { .. }
            | TraceEvent::CutLink { .. }
            | TraceEvent::HealLink { .. } => return None,
        })
    }
}
