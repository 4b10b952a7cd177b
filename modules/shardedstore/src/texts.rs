//! A small sharded application: keys and texts, and commands over several keys. What the scenarios run.

use crate::{Sharded, SlotId, Slots};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use synod_node::StateMachine;

/// A key or a value.
pub type Text = Arc<str>;

/// What can be asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TextCommand {
    /// Sets a key.
    Put {
        /// Which key.
        key: Text,
        /// Its new value.
        value: Text,
    },
    /// Reads a key.
    Get {
        /// Which key.
        key: Text,
    },
    /// Extends a key's value; a missing key counts as empty.
    Append {
        /// Which key.
        key: Text,
        /// What comes behind its value.
        value: Text,
    },
    /// Reads keys at one moment.
    MultiGet {
        /// Which keys, at least one.
        keys: Vec<Text>,
    },
    /// Sets keys at one moment.
    MultiPut {
        /// Keys and their new values, at least one.
        pairs: Vec<(Text, Text)>,
    },
    /// Lets two keys change what they hold; a missing one becomes the other's, which is then missing.
    Swap {
        /// The keys.
        keys: (Text, Text),
    },
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TextOutput {
    /// The key or keys were set, or swapped.
    Ok,
    /// What the key holds.
    Value(Option<Text>),
    /// The key's new value.
    Appended(Text),
    /// What each key holds.
    Values(Vec<Option<Text>>),
}

/// Keys and what they hold. A fragment names the keys that hold nothing, too.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Texts {
    pub(crate) slot_count: u16,
    pub(crate) values: BTreeMap<SlotId, BTreeMap<Text, Text>>,
}

impl Texts {
    /// Nothing, in `slot_count` slots.
    pub fn new(slot_count: u16) -> Self {
        Texts { slot_count, values: BTreeMap::new() }
    }

    /// The slot of `key`, where there are `slot_count` of them.
    pub fn slot_of(key: &str, slot_count: u16) -> SlotId {
        SlotId::at(SlotId::of(key.as_bytes()).number() % slot_count)
    }

    fn slot(&self, key: &str) -> SlotId {
        Texts::slot_of(key, self.slot_count)
    }

    fn find(&self, key: &Text) -> Option<Text> {
        self.values.get(&self.slot(key))?.get(key).cloned()
    }

    fn set(&mut self, key: &Text, value: Option<Text>) {
        let slot = self.slot(key);
        match value {
            Some(value) => {
                self.values.entry(slot).or_default().insert(key.clone(), value);
            }
            None => {
                let Some(keys) = self.values.get_mut(&slot) else { return };
                keys.remove(key);
                if keys.is_empty() {
                    self.values.remove(&slot);
                }
            }
        }
    }

    fn answer(&self, command: &TextCommand) -> Option<TextOutput> {
        match command {
            TextCommand::Get { key } => Some(TextOutput::Value(self.find(key))),
            TextCommand::MultiGet { keys } => {
                Some(TextOutput::Values(keys.iter().map(|key| self.find(key)).collect()))
            }
            TextCommand::Put { .. }
            | TextCommand::Append { .. }
            | TextCommand::MultiPut { .. }
            | TextCommand::Swap { .. } => None,
        }
    }
}

impl TextCommand {
    /// [`TextCommand::Put`].
    pub fn put(key: &str, value: &str) -> Self {
        TextCommand::Put { key: key.into(), value: value.into() }
    }

    /// [`TextCommand::Get`].
    pub fn get(key: &str) -> Self {
        TextCommand::Get { key: key.into() }
    }

    /// [`TextCommand::Append`].
    pub fn append(key: &str, value: &str) -> Self {
        TextCommand::Append { key: key.into(), value: value.into() }
    }

    /// [`TextCommand::MultiGet`].
    pub fn multi_get(keys: &[&str]) -> Self {
        TextCommand::MultiGet { keys: keys.iter().map(|key| Text::from(*key)).collect() }
    }

    /// [`TextCommand::MultiPut`].
    pub fn multi_put(pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter().map(|(key, value)| (Text::from(*key), Text::from(*value)));
        TextCommand::MultiPut { pairs: pairs.collect() }
    }

    /// [`TextCommand::Swap`].
    pub fn swap(one: &str, two: &str) -> Self {
        TextCommand::Swap { keys: (one.into(), two.into()) }
    }

    fn keys(&self) -> Vec<&Text> {
        match self {
            TextCommand::Put { key, .. } | TextCommand::Get { key } | TextCommand::Append { key, .. } => {
                vec![key]
            }
            TextCommand::MultiGet { keys } => keys.iter().collect(),
            TextCommand::MultiPut { pairs } => pairs.iter().map(|(key, _)| key).collect(),
            TextCommand::Swap { keys: (one, two) } => vec![one, two],
        }
    }
}

impl TextOutput {
    /// [`TextOutput::Value`] of something.
    pub fn value(value: &str) -> Self {
        TextOutput::Value(Some(value.into()))
    }

    /// [`TextOutput::Appended`].
    pub fn appended(value: &str) -> Self {
        TextOutput::Appended(value.into())
    }

    /// [`TextOutput::Values`], all of which are there.
    pub fn values(values: &[&str]) -> Self {
        TextOutput::Values(values.iter().map(|value| Some(Text::from(*value))).collect())
    }
}

impl StateMachine for Texts {
    type Command = TextCommand;
    type Output = TextOutput;

    fn apply(&mut self, command: &TextCommand) -> TextOutput {
        if let Some(answer) = self.answer(command) {
            return answer;
        }
        match command {
            TextCommand::Put { key, value } => self.set(key, Some(value.clone())),
            TextCommand::Append { key, value } => {
                let extended: Text = match self.find(key) {
                    None => value.clone(),
                    Some(old) => format!("{old}{value}").into(),
                };
                self.set(key, Some(extended.clone()));
                return TextOutput::Appended(extended);
            }
            TextCommand::MultiPut { pairs } => {
                pairs.iter().for_each(|(key, value)| self.set(key, Some(value.clone())));
            }
            TextCommand::Swap { keys: (one, two) } => {
                let (first, second) = (self.find(one), self.find(two));
                self.set(one, second);
                self.set(two, first);
            }
            TextCommand::Get { .. } | TextCommand::MultiGet { .. } => unreachable!("answered above"),
        }
        TextOutput::Ok
    }

    fn is_read_only(command: &TextCommand) -> bool {
        match command {
            TextCommand::Get { .. } | TextCommand::MultiGet { .. } => true,
            TextCommand::Put { .. }
            | TextCommand::Append { .. }
            | TextCommand::MultiPut { .. }
            | TextCommand::Swap { .. } => false,
        }
    }

    fn query(&self, command: &TextCommand) -> Option<TextOutput> {
        self.answer(command)
    }

    fn bytes(command: &TextCommand) -> usize {
        let keys: usize = command.keys().iter().map(|key| key.len()).sum();
        let values = match command {
            TextCommand::Put { value, .. } | TextCommand::Append { value, .. } => value.len(),
            TextCommand::MultiPut { pairs } => pairs.iter().map(|(_, value)| value.len()).sum(),
            TextCommand::Get { .. } | TextCommand::MultiGet { .. } | TextCommand::Swap { .. } => 0,
        };
        keys + values
    }

    fn output_bytes(output: &TextOutput) -> usize {
        match output {
            TextOutput::Ok => 0,
            TextOutput::Value(value) => value.as_ref().map_or(0, |value| value.len()),
            TextOutput::Appended(value) => value.len(),
            TextOutput::Values(values) => values.iter().flatten().map(|value| value.len()).sum(),
        }
    }
}

impl Sharded for Texts {
    type Fragment = Vec<(Text, Option<Text>)>;
    type View = BTreeMap<Text, Text>;

    fn slots(command: &TextCommand, slot_count: u16) -> Slots {
        Slots::of(command.keys().into_iter().map(|key| Texts::slot_of(key, slot_count)))
    }

    fn read(&self, command: &TextCommand, wanted: &dyn Fn(SlotId) -> bool) -> Self::Fragment {
        let keys = command.keys().into_iter().filter(|key| wanted(self.slot(key)));
        keys.map(|key| (key.clone(), self.find(key))).collect()
    }

    fn run_apart(&self, command: &TextCommand, fragments: &[Self::Fragment]) -> (TextOutput, Self::Fragment) {
        let mut apart = Texts::new(self.slot_count);
        fragments.iter().for_each(|fragment| apart.write(fragment));
        let output = apart.apply(command);
        (output, apart.read(command, &|_| true))
    }

    fn part(&self, fragment: &Self::Fragment, wanted: &dyn Fn(SlotId) -> bool) -> Self::Fragment {
        fragment.iter().filter(|(key, _)| wanted(self.slot(key))).cloned().collect()
    }

    fn write(&mut self, fragment: &Self::Fragment) {
        fragment.iter().for_each(|(key, value)| self.set(key, value.clone()));
    }

    fn slot_view(&self, slot: SlotId) -> Self::View {
        self.values.get(&slot).cloned().unwrap_or_default()
    }

    fn difference(
        &self,
        earlier: Option<&Self::View>,
        later: &Self::View,
        position: u64,
        bytes_max: usize,
    ) -> (Self::Fragment, Option<u64>) {
        let nothing = BTreeMap::new();
        let earlier = earlier.unwrap_or(&nothing);
        let keys: BTreeSet<&Text> = earlier.keys().chain(later.keys()).collect();
        let differs = |key: &&Text| earlier.get(*key) != later.get(*key);
        let (mut part, mut bytes) = (Vec::new(), 0);
        for (at, key) in (0..).zip(keys.into_iter().filter(differs)).skip(position as usize) {
            if bytes > bytes_max {
                return (part, Some(at));
            }
            let value = later.get(key).cloned();
            bytes += key.len() + value.as_ref().map_or(0, |value| value.len());
            part.push((key.clone(), value));
        }
        (part, None)
    }

    fn slot_bytes(&self, slot: SlotId) -> usize {
        self.values.get(&slot).into_iter().flatten().map(|(key, value)| key.len() + value.len()).sum()
    }

    fn clear(&mut self, slot: SlotId) {
        self.values.remove(&slot);
    }

    fn fragment_bytes(fragment: &Self::Fragment) -> usize {
        fragment.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, |value| value.len())).sum()
    }
}
