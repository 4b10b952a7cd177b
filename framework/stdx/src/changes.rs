//! What differs between two values, told from their pretty `Debug` text: for people who read traces.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// One part of a value that is not as it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Where: names of fields and places in lists, joined by dots.
    pub path: String,
    /// What was there, if anything.
    pub before: Option<String>,
    /// What is there now, if anything.
    pub after: Option<String>,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{}: {before} -> {after}", self.path),
            (None, Some(after)) => write!(f, "{}: + {after}", self.path),
            (Some(before), None) => write!(f, "{}: - {before}", self.path),
            (None, None) => write!(f, "{}", self.path),
        }
    }
}

/// The parts in which `after` differs from `before`, in the order of their paths.
pub fn changes(before: &impl Debug, after: &impl Debug) -> Vec<Change> {
    let (before, after) = (leaves(before), leaves(after));
    let mut changes = Vec::new();
    for (path, old) in &before {
        let new = after.get(path);
        if new != Some(old) {
            let change = Change { path: path.clone(), before: Some(old.clone()), after: new.cloned() };
            changes.push(change);
        }
    }
    for (path, new) in after.iter().filter(|(path, _)| !before.contains_key(*path)) {
        changes.push(Change { path: path.clone(), before: None, after: Some(new.clone()) });
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes
}

/// One open bracket of a pretty text.
struct Open {
    /// What it adds to the paths of its parts, if anything.
    name: String,
    /// The last word that its own path ends with: a type or variant of the same name within it is not told again.
    last: String,
    /// Whether its parts have no names and it is no list: a tuple, or a variant like one.
    is_tuple: bool,
    /// How many unnamed parts it had so far.
    parts: usize,
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
        Open { name: words.join("."), last: last.to_owned(), is_tuple: bracket == "(", parts: 0 }
    }
}

/// The innermost parts of a value, by their paths. What stands in an enum's variant has the variant in its path, so a
/// change of variant shows as parts that went and parts that came.
fn leaves(value: &impl Debug) -> BTreeMap<String, String> {
    let text = format!("{value:#?}");
    let mut leaves = BTreeMap::new();
    let mut open: Vec<Open> = Vec::new();
    for line in text.lines() {
        let line = line.trim().trim_end_matches(',');
        if matches!(line, ")" | "}" | "]") {
            open.pop();
            continue;
        }
        // The end of a map's key that took several lines.
        let (line, ended) = match line.strip_prefix([')', '}', ']']) {
            Some(rest) => (rest, open.pop().map(|open| open.name)),
            None => (line, None),
        };
        let (key, rest) = match line.split_once(": ") {
            Some((key, rest)) if ended.is_some() || is_key(key) => {
                (ended.unwrap_or_else(|| key.to_owned()), rest)
            }
            Some(_) | None => {
                let number = open.last_mut().map(|open| {
                    open.parts += 1;
                    open.parts - 1
                });
                (number.map_or_else(String::new, |number| number.to_string()), line)
            }
        };
        let is_empty = rest.ends_with("()") || rest.ends_with("{}") || rest.ends_with("[]");
        let opened = ["(", "{", "["].iter().find_map(|bracket| Some((rest.strip_suffix(bracket)?, *bracket)));
        if let Some((kind, bracket)) = opened.filter(|_| !is_empty) {
            open.push(Open::within(open.last(), &key, kind.trim(), bracket));
            continue;
        }
        // The one part of something like `Some(…)` needs no number.
        let is_only = open.last().is_some_and(|open| open.is_tuple && open.parts == 1) && key == "0";
        let names = open.iter().map(|open| open.name.as_str()).chain((!is_only).then_some(key.as_str()));
        let path: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        leaves.insert(path.join("."), rest.to_owned());
    }
    leaves
}

#[cfg(test)]
mod tests {
    #![expect(dead_code, reason = "only the texts of these are read")]

    use super::changes;

    #[derive(Debug)]
    struct Inner {
        count: u32,
        names: Vec<&'static str>,
    }

    #[derive(Debug)]
    enum Role {
        Idle,
        Busy { inner: Inner },
    }

    #[derive(Debug)]
    struct Outer {
        role: Role,
        log: Vec<(u32, u32)>,
        text: Option<String>,
    }

    fn lines(before: &Outer, after: &Outer) -> Vec<String> {
        changes(before, after).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_what_differs_is_told_and_where() {
        let busy = |count, names: &[&'static str]| Outer {
            role: Role::Busy { inner: Inner { count, names: names.to_vec() } },
            log: vec![(1, 2)],
            text: None,
        };
        assert_eq!(lines(&busy(1, &["a"]), &busy(1, &["a"])), Vec::<String>::new());
        assert_eq!(
            lines(&busy(1, &["a"]), &busy(2, &["a", "b"])),
            ["role.Busy.inner.count: 1 -> 2", "role.Busy.inner.names.1: + \"b\"",]
        );
    }

    #[test]
    fn another_variant_shows_what_went_and_what_came() {
        let idle = Outer { role: Role::Idle, log: Vec::new(), text: None };
        let busy = Outer {
            role: Role::Busy { inner: Inner { count: 3, names: Vec::new() } },
            log: vec![(1, 2)],
            text: Some("b: c".to_owned()),
        };
        let expected = [
            "log: - []",
            "log.0: + 1",
            "log.0.1: + 2",
            "role: - Idle",
            "role.Busy.inner.count: + 3",
            "role.Busy.inner.names: + []",
            "text: None -> \"b: c\"",
        ];
        assert_eq!(lines(&idle, &busy), expected);
    }

    #[test]
    fn a_key_of_several_lines_is_one_part_of_the_path() {
        let map = |value: u32| std::collections::BTreeMap::from([((1, 2), value)]);
        let told: Vec<String> = changes(&map(3), &map(4)).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["0: 3 -> 4"]);
    }
}
