//! The outcome of a check, in a form that a person can act on.

use std::fmt;

use crate::history::{Moment, OpId, Operation, Outcome};

/// Whether a history is linearizable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// There is an order that the specification allows.
    Linearizable {
        /// How many operations the history has.
        operations: usize,
        /// How many keys it has; 1 if some operation may touch anything.
        keys: usize,
    },
    /// There is none.
    NotLinearizable(Box<Contradiction>),
    /// The budget ran out before either was certain. Never to be counted as a pass.
    GaveUp {
        /// The key or keys that were too hard, if the history has keys.
        key: Option<String>,
        /// What ran out.
        reason: Reason,
    },
}

/// What a search ran out of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// `Budget::steps_max`.
    Steps,
    /// `Budget::memo_bytes_max`.
    Memory,
}

/// Why a history is not linearizable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contradiction {
    /// The key whose operations are shown, the one that fails after the fewest; `None` if the history has
    /// none.
    pub key: Option<String>,
    /// How many operations that key has, failed ones not counted.
    pub operations: usize,
    /// A smallest set of operations whose answers exclude each other, whatever the others did, in the order of
    /// their invocations. Where values repeat, such a set may be huge: then `culprit`, what overlaps it, and the
    /// operations that may have been the last before it to change anything.
    pub window: Vec<Seen>,
    /// What is wrong with them, in words.
    pub why: String,
    /// The operation whose answer cannot be explained, while those before it can.
    pub culprit: OpId,
    /// Whether the search for `culprit` was cut short: then an operation that answered later may be the one. The verdict is
    /// certain all the same.
    pub is_cut: bool,
    /// How many operations of the key answered before `culprit` did: the longest linearizable prefix.
    pub answered_before: usize,
    /// An order of that prefix, with what else had to happen in it. `None` where the check of registers decided,
    /// which needs no order.
    pub order: Option<Vec<OpId>>,
}

/// One operation as it is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Its name in the history.
    pub id: OpId,
    /// Who invoked it.
    pub process: u64,
    /// What was asked for.
    pub op: String,
    /// What was answered; `None` if the outcome is unknown.
    pub ret: Option<String>,
    /// When it was invoked.
    pub invoked: Moment,
    /// When it was answered.
    pub returned: Option<Moment>,
}

impl Seen {
    pub(crate) fn new<Op: fmt::Display, Ret: fmt::Display>(id: OpId, of: &Operation<Op, Ret>) -> Self {
        let (ret, returned) = match &of.outcome {
            Outcome::Returned { ret, at } => (Some(ret.to_string()), Some(*at)),
            Outcome::Unknown | Outcome::Failed => (None, None),
        };
        Seen { id, process: of.process, op: of.op.to_string(), ret, invoked: of.invoked, returned }
    }
}

impl Verdict {
    /// Whether it is certain that the history is linearizable.
    pub fn is_linearizable(&self) -> bool {
        match self {
            Verdict::Linearizable { .. } => true,
            Verdict::NotLinearizable(_) | Verdict::GaveUp { .. } => false,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Linearizable { operations, keys: 0 | 1 } => {
                write!(f, "linearizable: {operations} operations")
            }
            Verdict::Linearizable { operations, keys } => {
                write!(f, "linearizable: {operations} operations on {keys} keys")
            }
            Verdict::NotLinearizable(contradiction) => contradiction.fmt(f),
            Verdict::GaveUp { key, reason } => {
                f.write_str("gave up without a verdict: ")?;
                if let Some(key) = key {
                    write!(f, "key {key}: ")?;
                }
                write!(f, "{reason}")
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Steps => "the steps ran out; allow more, or record a shorter history",
            Reason::Memory => "the memory ran out; allow more, or record a shorter history",
        })
    }
}

/// Between two columns.
const GAP: &str = "  ";
/// A drawing of more events than this helps nobody.
const DRAWN_EVENTS_MAX: usize = 48;
/// A longer text is cut in its middle.
const CELL_CHARS_MAX: usize = 60;
/// The last operations of a long order are the ones that matter.
const ORDER_SHOWN_MAX: usize = 12;

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not linearizable: ")?;
        if let Some(key) = &self.key {
            write!(f, "key {key}: ")?;
        }
        let (shown, all) = (self.window.len(), self.operations);
        if self.is_cut {
            writeln!(f, "{all} operations contradict each other: {}; {shown} of them:", self.why)?;
        } else {
            writeln!(f, "{shown} of {all} operations contradict each other: {}", self.why)?;
        }
        let rows = rows(&self.window);
        let columns = rows[0].len();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[column] - cell.chars().count());
                // Numbers stand right, words stand left.
                let aligned = if column < 4 { pad + cell } else { cell.clone() + &pad };
                line.push_str(GAP);
                line.push_str(&aligned);
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        let wrong = if self.is_cut { "that one or a later one cannot" } else { "that one cannot" };
        write!(
            f,
            "the {} answers before that of {} can be explained, {wrong}",
            self.answered_before, self.culprit
        )?;
        let Some(order) = &self.order else { return Ok(()) };
        let skipped = order.len().saturating_sub(ORDER_SHOWN_MAX);
        f.write_str(if skipped > 0 { "; until then: ..." } else { "; until then:" })?;
        for id in &order[skipped..] {
            write!(f, " {id}")?;
        }
        if order.is_empty() { f.write_str(" nothing") } else { Ok(()) }
    }
}

/// The cell of a long text: its two ends.
fn shortened(text: &str) -> String {
    let length = text.chars().count();
    if length <= CELL_CHARS_MAX {
        return text.to_owned();
    }
    let half = CELL_CHARS_MAX / 2 - 2;
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(length - half).collect();
    format!("{head} .. {tail}")
}

fn rows(window: &[Seen]) -> Vec<Vec<String>> {
    let moment = |moment: Moment| match moment.time_us {
        Some(time_us) => format!("{time_us}us"),
        None => moment.index.to_string(),
    };
    let mut rows =
        vec![["op", "process", "invoked", "answered", "operation", "answer", ""].map(str::to_owned).to_vec()];
    let drawing = drawing(window);
    for (at, seen) in window.iter().enumerate() {
        rows.push(vec![
            seen.id.to_string(),
            seen.process.to_string(),
            moment(seen.invoked),
            seen.returned.map_or_else(|| "never".to_owned(), moment),
            shortened(&seen.op),
            shortened(seen.ret.as_deref().unwrap_or("unknown")),
            drawing.get(at).cloned().unwrap_or_default(),
        ]);
    }
    rows
}

/// The intervals as lines one below the other, a column for each event.
fn drawing(window: &[Seen]) -> Vec<String> {
    let mut events: Vec<u64> = window.iter().map(|seen| seen.invoked.index).collect();
    events.extend(window.iter().filter_map(|seen| seen.returned).map(|moment| moment.index));
    events.sort_unstable();
    if events.len() > DRAWN_EVENTS_MAX {
        return Vec::new();
    }
    let column = |moment: Moment| events.partition_point(|index| *index < moment.index);
    window
        .iter()
        .map(|seen| {
            let from = column(seen.invoked);
            let (to, end) = seen.returned.map_or((events.len(), '>'), |moment| (column(moment), '|'));
            format!("{}|{}{end}", " ".repeat(from), "-".repeat(to - from - 1))
        })
        .collect()
}
