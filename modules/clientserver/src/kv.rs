//! A small key-value application: what the scenarios run.

use std::collections::BTreeMap;
use std::sync::Arc;
use synod_node::StateMachine;
use synod_stdx::{Malformed, Reader, Wire, Writer};

/// A key or a value.
pub type Text = Arc<str>;

/// What can be asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum KvCommand {
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
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum KvOutput {
    /// The key was set.
    PutOk,
    /// The key's value.
    Value(Text),
    /// There is no such key.
    KeyNotFound,
    /// The key's new value.
    Appended(Text),
}

/// Keys and their values.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct KvStore {
    values: BTreeMap<Text, Text>,
}

impl KvStore {
    fn read(&self, key: &Text) -> KvOutput {
        self.values.get(key).cloned().map_or(KvOutput::KeyNotFound, KvOutput::Value)
    }

    /// The bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.values.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

impl KvCommand {
    /// [`KvCommand::Put`].
    pub fn put(key: &str, value: &str) -> Self {
        KvCommand::Put { key: key.into(), value: value.into() }
    }

    /// [`KvCommand::Get`].
    pub fn get(key: &str) -> Self {
        KvCommand::Get { key: key.into() }
    }

    /// [`KvCommand::Append`].
    pub fn append(key: &str, value: &str) -> Self {
        KvCommand::Append { key: key.into(), value: value.into() }
    }
}

impl KvOutput {
    /// [`KvOutput::Value`].
    pub fn value(value: &str) -> Self {
        KvOutput::Value(value.into())
    }

    /// [`KvOutput::Appended`].
    pub fn appended(value: &str) -> Self {
        KvOutput::Appended(value.into())
    }

    /// The bytes of the value in it.
    pub fn bytes(&self) -> usize {
        match self {
            KvOutput::PutOk | KvOutput::KeyNotFound => 0,
            KvOutput::Value(value) | KvOutput::Appended(value) => value.len(),
        }
    }
}

impl StateMachine for KvStore {
    type Command = KvCommand;
    type Output = KvOutput;

    fn apply(&mut self, command: &KvCommand) -> KvOutput {
        match command {
            KvCommand::Put { key, value } => {
                self.values.insert(key.clone(), value.clone());
                KvOutput::PutOk
            }
            KvCommand::Get { key } => self.read(key),
            KvCommand::Append { key, value } => {
                let extended: Text = match self.values.get(key) {
                    None => value.clone(),
                    Some(old) => format!("{old}{value}").into(),
                };
                self.values.insert(key.clone(), extended.clone());
                KvOutput::Appended(extended)
            }
        }
    }

    fn is_read_only(command: &KvCommand) -> bool {
        match command {
            KvCommand::Get { .. } => true,
            KvCommand::Put { .. } | KvCommand::Append { .. } => false,
        }
    }

    fn query(&self, command: &KvCommand) -> Option<KvOutput> {
        match command {
            KvCommand::Get { key } => Some(self.read(key)),
            KvCommand::Put { .. } | KvCommand::Append { .. } => unreachable!("not a read"),
        }
    }

    fn output_bytes(output: &KvOutput) -> usize {
        output.bytes()
    }

    fn bytes(command: &KvCommand) -> usize {
        match command {
            KvCommand::Get { key } => key.len(),
            KvCommand::Put { key, value } | KvCommand::Append { key, value } => key.len() + value.len(),
        }
    }
}

impl Wire for KvCommand {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            KvCommand::Put { key, value } => (0u32, key.clone(), value.clone()).encode(out),
            KvCommand::Get { key } => (1u32, key.clone()).encode(out),
            KvCommand::Append { key, value } => (2u32, key.clone(), value.clone()).encode(out),
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match u32::decode(input)? {
            0 => KvCommand::Put { key: Text::decode(input)?, value: Text::decode(input)? },
            1 => KvCommand::Get { key: Text::decode(input)? },
            2 => KvCommand::Append { key: Text::decode(input)?, value: Text::decode(input)? },
            3.. => return Err(Malformed("no such command")),
        })
    }
}

impl Wire for KvOutput {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            KvOutput::PutOk => 0u32.encode(out),
            KvOutput::Value(value) => (1u32, value.clone()).encode(out),
            KvOutput::KeyNotFound => 2u32.encode(out),
            KvOutput::Appended(value) => (3u32, value.clone()).encode(out),
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match u32::decode(input)? {
            0 => KvOutput::PutOk,
            1 => KvOutput::Value(Text::decode(input)?),
            2 => KvOutput::KeyNotFound,
            3 => KvOutput::Appended(Text::decode(input)?),
            4.. => return Err(Malformed("no such output")),
        })
    }
}

impl Wire for KvStore {
    fn encode(&self, out: &mut Writer<'_>) {
        let pairs: Vec<(Text, Text)> =
            self.values.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        pairs.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let pairs = Vec::<(Text, Text)>::decode(input)?;
        Ok(KvStore { values: pairs.into_iter().collect() })
    }
}
