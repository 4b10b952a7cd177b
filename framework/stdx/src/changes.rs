//! What differs between two values, told from their pretty `Debug` text: for people who read traces.

use crate::Tree;
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

/// The innermost parts of a value, by their paths. What stands in an enum's variant has the variant in its path, so a
/// change of variant shows as parts that went and parts that came.
fn leaves(value: &impl Debug) -> BTreeMap<String, String> {
    let tree = Tree::of(value);
    tree.leaves().into_iter().map(|leaf| (leaf.path.clone(), leaf.value.clone())).collect()
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
