//! What the page knows of every moment without asking: a few numbers each, in columns.

use std::collections::BTreeMap;

/// Where there is no number.
pub(crate) const NONE: u32 = u32::MAX;
/// Where there is no name or term.
pub(crate) const NO_NAME: u16 = u16::MAX;
/// Where there is no node.
pub(crate) const NOBODY: u8 = u8::MAX;

/// What happened, by its place in the list that the page is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Beginning,
    Start,
    Deliver,
    Drop,
    Duplicate,
    Fire,
    Request,
    Durable,
    Crash,
    Restart,
    Replace,
    Pause,
    Resume,
    Cut,
    Heal,
    GiveUp,
    Undrop,
}

/// The kinds' names, in their order.
pub(crate) const KINDS: [&str; 17] = [
    "beginning",
    "start",
    "deliver",
    "drop",
    "duplicate",
    "fire",
    "request",
    "durable",
    "crash",
    "restart",
    "replace",
    "pause",
    "resume",
    "cut",
    "heal",
    "give_up",
    "undrop",
];

/// Bits of [`Row::flags`].
pub(crate) const VIOLATION: u8 = 1;
pub(crate) const LEADS: u8 = 2;
pub(crate) const DIFFERS: u8 = 4;
pub(crate) const MADE: u8 = 8;
pub(crate) const OPENED: u8 = 16;

/// One moment's numbers. See `PROTOCOL.md`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Row {
    pub(crate) at_us: f64,
    pub(crate) parent: u32,
    pub(crate) cause: u32,
    pub(crate) answers: u32,
    pub(crate) message: u32,
    pub(crate) name: u16,
    pub(crate) term: u16,
    pub(crate) kind: Kind,
    pub(crate) node: u8,
    pub(crate) peer: u8,
    pub(crate) flags: u8,
}

impl Row {
    pub(crate) const fn of(kind: Kind, parent: u32) -> Row {
        Row {
            at_us: 0.0,
            parent,
            cause: NONE,
            answers: NONE,
            message: NONE,
            name: NO_NAME,
            term: NO_NAME,
            kind,
            node: NOBODY,
            peer: NOBODY,
            flags: 0,
        }
    }
}

/// These rows as the page reads them, the first of which has this number.
pub(crate) fn to_bytes(rows: &[Row], first: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + rows.len() * 32);
    bytes.extend((rows.len() as u32).to_le_bytes());
    bytes.extend(first.to_le_bytes());
    rows.iter().for_each(|row| bytes.extend(row.at_us.to_le_bytes()));
    for column in
        [|row: &Row| row.parent, |row: &Row| row.cause, |row: &Row| row.answers, |row: &Row| row.message]
    {
        rows.iter().for_each(|row| bytes.extend(column(row).to_le_bytes()));
    }
    for column in [|row: &Row| row.name, |row: &Row| row.term] {
        rows.iter().for_each(|row| bytes.extend(column(row).to_le_bytes()));
    }
    for column in
        [|row: &Row| row.kind as u8, |row: &Row| row.node, |row: &Row| row.peer, |row: &Row| row.flags]
    {
        bytes.extend(rows.iter().map(column));
    }
    bytes
}

/// Texts that are told once, and then by their numbers.
#[derive(Default)]
pub(crate) struct Names {
    list: Vec<String>,
    numbers: BTreeMap<String, u16>,
}

impl Names {
    /// The number of a text. There are at most 65,535: later ones have none.
    pub(crate) fn number(&mut self, text: &str) -> u16 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.list.len() as u16;
        if number == NO_NAME {
            return NO_NAME;
        }
        self.list.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    pub(crate) fn list(&self) -> &[String] {
        &self.list
    }
}
