//! The names of groups.

use std::fmt;
use std::str::FromStr;
use synod_stdx::{Malformed, Reader, Wire, Writer};

/// The name of a group of servers; shown as `g1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("g{}", self.0))
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for GroupId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix('g').and_then(|number| number.parse().ok());
        number.map(GroupId).ok_or_else(|| format!("`{text}` names no group: write g1, g2, …"))
    }
}

impl Wire for GroupId {
    fn encode(&self, out: &mut Writer<'_>) {
        self.0.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(GroupId(u32::decode(input)?))
    }
}
