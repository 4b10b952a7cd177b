//! The specification of one register: read, write, compare-and-set.

use std::fmt;
use std::sync::Arc;

use crate::bytes::{Shown, ShownOr};
use crate::specification::{Access, Specification};

/// One register whose value is absent at first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Register {}

/// What a client asks of a [`Register`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RegisterOp {
    /// What is the value?
    Read,
    /// Let this be the value.
    Write(Arc<[u8]>),
    /// If the value is `from`, let it be `to`.
    CompareAndSet {
        /// The value it must have, `None` for absent.
        from: Option<Arc<[u8]>>,
        /// The value it then gets.
        to: Arc<[u8]>,
    },
}

/// What a client of a [`Register`] is told.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RegisterRet {
    /// The write happened.
    Written,
    /// A read's answer, `None` for absent.
    Value(Option<Arc<[u8]>>),
    /// Whether the compare-and-set found what it asked for.
    Swapped(bool),
}

impl Specification for Register {
    type State = Option<Arc<[u8]>>;
    type Op = RegisterOp;
    type Ret = RegisterRet;

    fn initial() -> Self::State {
        None
    }

    fn run(state: &Self::State, op: &RegisterOp) -> (Self::State, RegisterRet) {
        match op {
            RegisterOp::Read => (state.clone(), RegisterRet::Value(state.clone())),
            RegisterOp::Write(value) => (Some(value.clone()), RegisterRet::Written),
            RegisterOp::CompareAndSet { from, to } if from == state => {
                (Some(to.clone()), RegisterRet::Swapped(true))
            }
            RegisterOp::CompareAndSet { .. } => (state.clone(), RegisterRet::Swapped(false)),
        }
    }

    fn is_read_only(op: &RegisterOp) -> bool {
        matches!(op, RegisterOp::Read)
    }

    fn keeps_state(op: &RegisterOp, ret: Option<&RegisterRet>) -> bool {
        Self::is_read_only(op) || matches!(ret, Some(RegisterRet::Swapped(false)))
    }

    fn access<'a>(op: &'a RegisterOp, ret: Option<&'a RegisterRet>) -> Access<'a> {
        match (op, ret) {
            (RegisterOp::Read, Some(RegisterRet::Value(value))) => Access::Read(value.as_deref()),
            (RegisterOp::Read, None) => Access::ReadUnseen,
            (RegisterOp::Write(value), None | Some(RegisterRet::Written)) => Access::Write(value),
            (RegisterOp::Read | RegisterOp::Write(_) | RegisterOp::CompareAndSet { .. }, _) => Access::Other,
        }
    }
}

impl fmt::Display for RegisterOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegisterOp::Read => f.write_str("read"),
            RegisterOp::Write(value) => write!(f, "write {}", Shown(value)),
            RegisterOp::CompareAndSet { from, to } => {
                write!(f, "cas {} to {}", ShownOr(from.as_deref()), Shown(to))
            }
        }
    }
}

impl fmt::Display for RegisterRet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegisterRet::Written => f.write_str("ok"),
            RegisterRet::Value(value) => ShownOr(value.as_deref()).fmt(f),
            RegisterRet::Swapped(true) => f.write_str("swapped"),
            RegisterRet::Swapped(false) => f.write_str("not swapped"),
        }
    }
}
