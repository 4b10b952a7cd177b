//! Views: who serves, who stands by, and since which change.

use std::fmt;
use synod_node::NodeId;
use synod_stdx::{Malformed, Reader, Wire, Writer};

/// The number of a view. Each is one more than the last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewNumber(pub u64);

impl ViewNumber {
    /// Before any server was heard of.
    pub const STARTUP: ViewNumber = ViewNumber(0);
    /// The first view that has a primary: its state is the application's first.
    pub const INITIAL: ViewNumber = ViewNumber(1);

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        ViewNumber(self.0 + 1)
    }

    /// The one before; [`STARTUP`](ViewNumber::STARTUP) has none, and stays.
    #[must_use]
    pub fn previous(self) -> Self {
        ViewNumber(self.0.saturating_sub(1))
    }
}

impl fmt::Display for ViewNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl fmt::Debug for ViewNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A server in one of its lives, from 1. After a restart it has lost its memory, so it is another member: what the
/// former one was, the new one is not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// The server.
    pub id: NodeId,
    /// Which of its lives.
    pub life: u64,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.life {
            1 => write!(f, "{}", self.id),
            life => write!(f, "{}.{life}", self.id),
        }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who serves and who stands by. Shown as `v3(n1,n2)`, with `-` for nobody.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct View {
    /// Its number: two views with one number are the same.
    pub number: ViewNumber,
    /// Who serves. None in the startup view alone.
    pub primary: Option<Member>,
    /// Who stands by, and takes over. Never the primary.
    pub backup: Option<Member>,
}

impl View {
    /// The view before any server was heard of.
    pub const STARTUP: View = View { number: ViewNumber::STARTUP, primary: None, backup: None };

    /// Which server is primary, in whichever of its lives.
    pub fn primary_id(&self) -> Option<NodeId> {
        self.primary.map(|member| member.id)
    }

    /// Which server is backup, in whichever of its lives.
    pub fn backup_id(&self) -> Option<NodeId> {
        self.backup.map(|member| member.id)
    }

    /// Whether `member` has a part in it.
    pub fn names(&self, member: Member) -> bool {
        self.primary == Some(member) || self.backup == Some(member)
    }

    /// The next view, with these.
    #[must_use]
    pub fn next(&self, primary: Option<Member>, backup: Option<Member>) -> View {
        View { number: self.number.next(), primary, backup }
    }

    /// Panics if nobody could have made such a view.
    pub fn assert_invariants(&self) {
        let is_startup = self.number == ViewNumber::STARTUP;
        assert_eq!(
            self.primary.is_none(),
            is_startup,
            "every view but the startup one has a primary: {self}"
        );
        assert!(
            self.backup.is_none() || self.backup != self.primary,
            "a primary is not its own backup: {self}"
        );
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            |member: Option<Member>| member.map_or_else(|| "-".to_owned(), |member| member.to_string());
        write!(f, "{}({},{})", self.number, name(self.primary), name(self.backup))
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Views never get so far, so there is always a next one.
const NUMBER_MAX: u64 = 1 << 62;

impl Wire for ViewNumber {
    fn encode(&self, out: &mut Writer<'_>) {
        self.0.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match u64::decode(input)? {
            number if number > NUMBER_MAX => Err(Malformed("a view that is never reached")),
            number => Ok(ViewNumber(number)),
        }
    }
}

impl Wire for Member {
    fn encode(&self, out: &mut Writer<'_>) {
        (self.id, self.life).encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Member { id: NodeId::decode(input)?, life: u64::decode(input)? })
    }
}

impl Wire for View {
    fn encode(&self, out: &mut Writer<'_>) {
        (self.number, self.primary, self.backup).encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (number, primary, backup) = <(ViewNumber, Option<Member>, Option<Member>)>::decode(input)?;
        if primary.iter().chain(&backup).any(|member| member.id.is_client()) {
            return Err(Malformed("a client that serves"));
        }
        let is_startup = number == ViewNumber::STARTUP;
        if primary.is_none() != is_startup || (backup.is_some() && backup == primary) {
            return Err(Malformed("no such view"));
        }
        Ok(View { number, primary, backup })
    }
}
