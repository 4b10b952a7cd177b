//! A value as a tree of its named parts, read from its pretty `Debug` text: for whoever shows or compares states.

use std::fmt::Debug;

/// One part of a value.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tree {
    /// Where it is in the whole: names of fields and places in lists, joined by dots. What stands in an enum's variant has the
    /// variant in its path, so a path means the same thing as long as it is there.
    pub path: String,
    /// Its field's name, its key in a map or its place in a list; empty for the whole.
    pub name: String,
    /// What it is: the text of a part without parts, else the name of its type or variant, which may be empty.
    pub value: String,
    /// Its parts, in order.
    pub parts: Vec<Tree>,
}

impl Tree {
    /// The parts of `value`. A text that is not what derived implementations of `Debug` write yields what can be made of it.
    pub fn of(value: &(impl Debug + ?Sized)) -> Tree {
        Tree::of_text(&format!("{value:#?}"))
    }

    /// As [`of`](Tree::of), of a value's pretty text.
    pub fn of_text(text: &str) -> Tree {
        let mut open: Vec<Open> = vec![Open::default()];
        for line in text.lines() {
            read_line(&mut open, line.trim().trim_end_matches(','));
        }
        while open.len() > 1 {
            close(&mut open);
        }
        let mut top = open.pop().map(|open| open.tree.parts).unwrap_or_default();
        if top.len() == 1 {
            Tree { name: String::new(), ..top.remove(0) }
        } else {
            Tree { parts: top, ..Tree::default() }
        }
    }

    /// The innermost parts, in order.
    pub fn leaves(&self) -> Vec<&Tree> {
        let mut leaves = Vec::new();
        let mut waiting = vec![self];
        while let Some(tree) = waiting.pop() {
            if tree.parts.is_empty() {
                leaves.push(tree);
            }
            waiting.extend(tree.parts.iter().rev());
        }
        leaves
    }

    /// The part at `path`.
    pub fn find(&self, path: &str) -> Option<&Tree> {
        let mut waiting = vec![self];
        while let Some(tree) = waiting.pop() {
            if tree.path == path {
                return Some(tree);
            }
            waiting.extend(&tree.parts);
        }
        None
    }
}

/// One open bracket of a pretty text.
#[derive(Default)]
struct Open {
    /// What it opened.
    tree: Tree,
    /// What it adds to the paths of its parts, if anything.
    step: String,
    /// The last word that its own path ends with: a type or variant of the same name within it is not told again.
    last: String,
    /// Whether its parts have no names and it is no list: a tuple, or a variant like one.
    is_tuple: bool,
    /// How many unnamed parts it had so far.
    unnamed: usize,
}

fn read_line(open: &mut Vec<Open>, line: &str) {
    if matches!(line, ")" | "}" | "]") {
        close(open);
        return;
    }
    // The end of a map's key that took several lines.
    let (line, ended) = match line.strip_prefix([')', '}', ']']) {
        Some(rest) if rest.starts_with(": ") && open.len() > 1 => (rest, open.pop().map(|open| open.step)),
        Some(_) | None => (line, None),
    };
    let (key, rest) = match line.split_once(": ") {
        Some((key, rest)) if ended.is_some() || is_key(key) => {
            (ended.unwrap_or_else(|| key.to_owned()), rest)
        }
        Some(_) | None => {
            let number = open.last_mut().map_or(0, |open| {
                open.unnamed += 1;
                open.unnamed - 1
            });
            (number.to_string(), line)
        }
    };
    let is_first = open.len() == 1;
    let is_empty = rest.ends_with("()") || rest.ends_with("{}") || rest.ends_with("[]");
    let opened = ["(", "{", "["].iter().find_map(|bracket| Some((rest.strip_suffix(bracket)?, *bracket)));
    if let Some((kind, bracket)) = opened.filter(|_| !is_empty) {
        let parent = (!is_first).then(|| &open[open.len() - 1]);
        let key = if is_first { "" } else { key.as_str() };
        let mut inner = Open::within(parent, key, kind.trim(), bracket);
        inner.tree.path = path(open, &inner.step);
        open.push(inner);
        return;
    }
    // The one part of something like `Some(…)` needs no number.
    let is_only =
        is_first || (open.last().is_some_and(|open| open.is_tuple && open.unnamed == 1) && key == "0");
    let path = path(open, if is_only { "" } else { &key });
    if let Some(parent) = open.last_mut() {
        parent.tree.parts.push(Tree { path, name: key, value: rest.to_owned(), parts: Vec::new() });
    }
}

fn close(open: &mut Vec<Open>) {
    if open.len() < 2 {
        return;
    }
    if let (Some(closed), Some(parent)) = (open.pop(), open.last_mut()) {
        parent.tree.parts.push(closed.tree);
    }
}

/// The path of a part of the innermost open bracket.
fn path(open: &[Open], last: &str) -> String {
    let steps = open.iter().map(|open| open.step.as_str()).chain([last]);
    steps.filter(|step| !step.is_empty()).collect::<Vec<_>>().join(".")
}

/// Whether a text before `: ` is a field's name or a map's key, and not the beginning of a value on one line.
fn is_key(text: &str) -> bool {
    let is_quoted = text.len() > 1 && text.starts_with('"') && text.ends_with('"');
    is_quoted || (!text.is_empty() && !text.contains([' ', '{', '[', '(', '"']))
}

/// Whether two words are the same but for case and underscores: a field and its type, often.
fn is_same_word(one: &str, other: &str) -> bool {
    let letters = |word: &str| word.replace('_', "").to_lowercase();
    letters(one) == letters(other)
}

impl Open {
    /// What is opened under `key`, a name or a number, by a type or variant `kind`, or by none.
    fn within(parent: Option<&Open>, key: &str, kind: &str, bracket: &str) -> Open {
        let is_numbered = key.is_empty() || key.parse::<usize>().is_ok();
        let is_only = is_numbered && parent.is_none_or(|parent| parent.is_tuple);
        let mut words = Vec::new();
        if !is_only {
            words.push(key);
        }
        let before = words.last().copied().or(parent.map(|parent| parent.last.as_str())).unwrap_or("");
        let is_told = !kind.is_empty() && kind != "Some" && !is_same_word(kind, before);
        if is_told && parent.is_some() {
            words.push(kind);
        }
        let last = if is_told { kind } else { before };
        Open {
            tree: Tree { name: key.to_owned(), value: kind.to_owned(), ..Tree::default() },
            step: words.join("."),
            last: last.to_owned(),
            is_tuple: bracket == "(",
            unnamed: 0,
        }
    }
}
