//! Moments in words: for traces, for people, for screen readers.

use crate::Shown;
use crate::stage::Stage;
use synod_node::NodeId;
use synod_world::{Step, TraceEvent};

/// The name of what is violated when a handler panics.
pub(crate) const PANIC: &str = "a handler panicked";
/// The name of what is violated when only another answer is right.
pub(crate) const WRONG_ANSWER: &str = "answers are right";

/// What a step looks like in a trace, told before it happens. Whole partitions are told link by link.
pub(crate) fn line<N: Shown>(stage: &Stage<N>, step: &Step<N>, at_us: u64) -> TraceEvent {
    match step {
        Step::World(event) => TraceEvent::of(at_us, event, &stage.world),
        Step::Undrop(envelope) => TraceEvent::Undrop {
            from: envelope.from.to_string(),
            to: envelope.to.to_string(),
            message: format!("{:?}", envelope.message),
        },
        Step::GiveUp(node) => TraceEvent::GiveUp { node: node.to_string() },
        Step::Pause(node) => TraceEvent::Pause { node: node.to_string() },
        Step::Resume(node) => TraceEvent::Resume { node: node.to_string() },
        Step::Cut { from, to } => TraceEvent::CutLink { from: from.to_string(), to: to.to_string() },
        Step::Heal { from, to } => TraceEvent::HealLink { from: from.to_string(), to: to.to_string() },
    }
}

/// A line of a trace as one line for people, whole.
pub(crate) fn title(line: &TraceEvent) -> String {
    match line {
        TraceEvent::Start { node, .. } => format!("{node} starts"),
        TraceEvent::Deliver { from, to, message, .. } => format!("{to} <- {from}  {message}"),
        TraceEvent::Drop { from, to, message, .. } => format!("{to} x- {from}  {message}"),
        TraceEvent::Duplicate { from, to, message, .. } => format!("{to} =- {from}  {message}"),
        TraceEvent::Fire { node, timer, .. } => format!("{node} !! {timer}"),
        TraceEvent::Request { node, id, request, words, .. } => {
            format!("{node} ?? r{id}  {}", words.as_ref().unwrap_or(request))
        }
        TraceEvent::Durable { node, writes, .. } => format!("{node} has {writes} more on disk"),
        TraceEvent::Crash { node, .. } => format!("{node} crashes"),
        TraceEvent::Restart { node, .. } => format!("{node} restarts"),
        TraceEvent::Replace { node, .. } => format!("{node} starts with an empty disk"),
        TraceEvent::Undrop { from, to, message } => format!("{to} +- {from}  {message}"),
        TraceEvent::GiveUp { node } => format!("the user of {node} gives up"),
        TraceEvent::Pause { node } => format!("{node} pauses"),
        TraceEvent::Resume { node } => format!("{node} resumes"),
        TraceEvent::Cut { partition: 0 } => "every link is whole again".to_owned(),
        TraceEvent::Cut { partition } => format!("partition {partition} begins"),
        TraceEvent::CutLink { from, to } => format!("the link from {from} to {to} is cut"),
        TraceEvent::HealLink { from, to } => format!("the link from {from} to {to} is whole"),
    }
}

/// A line of a trace as a sentence.
pub(crate) fn sentence(line: &TraceEvent) -> String {
    let short = |text: &str| synod_world::shorten(text);
    match line {
        TraceEvent::Deliver { from, to, message, .. } => {
            format!("{to} receives {} from {from}.", short(message))
        }
        TraceEvent::Drop { from, to, message, .. } => {
            format!("{} from {from} to {to} is lost.", short(message))
        }
        TraceEvent::Duplicate { from, to, message, .. } => {
            format!("{} from {from} to {to} will arrive once more.", short(message))
        }
        TraceEvent::Fire { node, timer, .. } => format!("The timer {} of {node} fires.", short(timer)),
        TraceEvent::Request { node, id, request, words, .. } => {
            format!("The user of {node} asks {} as request {id}.", short(words.as_ref().unwrap_or(request)))
        }
        TraceEvent::Durable { node, writes, .. } => format!("{writes} writes of {node} become durable."),
        TraceEvent::Undrop { from, to, message } => {
            format!("{} from {from} to {to} is in flight again.", short(message))
        }
        other => format!("{}.", title(other)),
    }
}

/// How a range of milliseconds is written.
pub(crate) fn range(after: &synod_node::TimerRange) -> String {
    if after.start() == after.end() {
        return format!("{} ms", after.start());
    }
    format!("{} to {} ms", after.start(), after.end())
}

/// A node's name, read.
///
/// # Errors
/// If there is none of that name among these.
pub(crate) fn node(nodes: &[NodeId], text: &str) -> Result<NodeId, String> {
    let found = text.parse::<NodeId>().ok().filter(|id| nodes.contains(id));
    found.ok_or_else(|| {
        let names: Vec<String> = nodes.iter().map(ToString::to_string).collect();
        format!("there is no node `{text}`: there are {}", names.join(", "))
    })
}

/// A text as it is shown: at most so many characters, and how many there are.
pub(crate) fn cut(text: &str) -> String {
    const CHARS_MAX: usize = 4_000;
    match text.char_indices().nth(CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} bytes in all)", &text[..end], text.len()),
    }
}

/// A sentence as the name of a test.
pub(crate) fn identifier(sentence: &str) -> String {
    let letters =
        sentence.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' });
    let letters: String = letters.collect();
    let words: Vec<&str> = letters.split_whitespace().collect();
    let name = words.join("_");
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("test_{name}") }
}
