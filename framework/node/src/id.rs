//! Names of nodes and of requests.

use std::fmt;
use std::str::FromStr;
use synod_stdx::{Malformed, Reader, Wire, Writer};

/// The name of a node: a server (`n1`, `n2`, …) or a client (`c1`, `c2`, …).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

const CLIENT_BIT: u32 = 1 << 31;

impl NodeId {
    /// The server with this number; shown as `n1`.
    pub const fn server(number: u32) -> Self {
        assert!(number < CLIENT_BIT, "a server's number has 31 bits");
        NodeId(number)
    }

    /// The client with this number; shown as `c1`.
    pub const fn client(number: u32) -> Self {
        assert!(number < CLIENT_BIT, "a client's number has 31 bits");
        NodeId(number | CLIENT_BIT)
    }

    /// Whether this is a client.
    pub const fn is_client(self) -> bool {
        self.0 & CLIENT_BIT != 0
    }

    /// The number within its kind.
    pub const fn number(self) -> u32 {
        self.0 & !CLIENT_BIT
    }

    /// One number for both kinds, for tables and wire formats.
    pub const fn to_bits(self) -> u32 {
        self.0
    }

    /// The inverse of [`to_bits`](NodeId::to_bits).
    pub const fn from_bits(bits: u32) -> Self {
        NodeId(bits)
    }

    /// Servers `n1` to `n{count}`.
    pub fn servers(count: u32) -> Vec<NodeId> {
        (1..=count).map(NodeId::server).collect()
    }

    /// Clients `c1` to `c{count}`.
    pub fn clients(count: u32) -> Vec<NodeId> {
        (1..=count).map(NodeId::client).collect()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}", if self.is_client() { 'c' } else { 'n' }, self.number()))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for NodeId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` names no node: write n1, n2, … for servers and c1, c2, … for clients");
        let (kind, number) = text.split_at_checked(1).ok_or_else(wrong)?;
        let number: u32 = number.parse().map_err(|_| wrong())?;
        match kind {
            _ if number >= CLIENT_BIT => Err(wrong()),
            "n" => Ok(NodeId::server(number)),
            "c" => Ok(NodeId::client(number)),
            _ => Err(wrong()),
        }
    }
}

impl Wire for NodeId {
    fn encode(&self, out: &mut Writer<'_>) {
        self.0.rotate_left(1).encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(NodeId(u32::decode(input)?.rotate_right(1)))
    }
}

/// The name that a user gives to a request, to know the answer by. Unique per node while it runs; users count from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

impl RequestId {
    /// The name of a request whose answer nobody waits for: a driver tells a node what its clocks read, or where others are.
    pub const TOLD: RequestId = RequestId(0);
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::NodeId;
    use synod_stdx::Wire;

    #[test]
    fn names_read_back_as_they_are_shown() {
        for id in [NodeId::server(1), NodeId::client(1), NodeId::server(0), NodeId::client(77)] {
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(NodeId::from_bytes(&id.to_bytes()), Ok(id));
        }
        for wrong in ["", "n", "x1", "n-1", "n4294967295", "ñ1"] {
            assert!(wrong.parse::<NodeId>().is_err(), "{wrong}");
        }
    }
}
