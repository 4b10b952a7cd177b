//! The seats of a group, and where each is played.
//!
//! A group has as many seats as it had members when it joined. A seat is who speaks in the group's Paxos: its name is that of
//! the member that had it first, and never changes. Its *home* is the member that plays it now. When a member is replaced, its
//! seat gets another home, where it is played in a new life; no seat has a home that had one in the group before.

use crate::{Configuration, GroupId};
use std::sync::Arc;
use synod_node::NodeId;
use synod_stdx::{Malformed, Reader, Wire, Writer};

/// The lives of a seat are numbered by its replacements, and within each by how often that home lost its disk: below this
/// power of two.
const DISK_BITS: u32 = 32;

/// What a message from a home is worth that speaks for a seat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// It is the seat's home.
    Home,
    /// It was, and the seat has been replaced so often since it joined.
    Former(u64),
    /// It never was, as far as is known here: the seat has moved there since, or shall.
    Unknown,
}

/// Who plays the seats of a group, and who did, as the configurations up to some number have it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Seats {
    /// In the order of the seats' names: the homes of each, the first of which gave it its name, and the last of which has it.
    homes: Vec<Vec<NodeId>>,
}

impl Seats {
    /// The seats of a group after these configurations, which begin with the first; none if the group is in none of them.
    pub fn of(group: GroupId, history: &[Arc<Configuration>]) -> Seats {
        let mut seats = Seats::default();
        for members in history.iter().filter_map(|configuration| configuration.members(group)) {
            seats.take(members);
        }
        seats
    }

    /// The seats whose homes these are, seat by seat and from the first to the newest; `None` if one has none.
    pub fn of_homes(homes: Vec<Vec<NodeId>>) -> Option<Seats> {
        let is_played = !homes.is_empty() && homes.iter().all(|homes| !homes.is_empty());
        is_played.then_some(Seats { homes })
    }

    /// The homes of each seat, from the first to the newest, in the order of the seats' names.
    pub fn all_homes(&self) -> &[Vec<NodeId>] {
        &self.homes
    }

    /// The seats of a group as it joins.
    pub(crate) fn named(members: &[NodeId]) -> Seats {
        let mut seats = Seats::default();
        seats.take(members);
        seats
    }

    /// Every home that a seat has or had, but those of `own`: seat by seat, the newest last.
    pub(crate) fn others(&self, own: NodeId) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
        let others = self.homes.iter().filter(move |homes| homes[0] != own);
        others.flat_map(|homes| homes.iter().map(|home| (homes[0], *home)))
    }

    /// The group's members in the next configuration that it is in.
    pub fn take(&mut self, members: &[NodeId]) {
        if self.homes.len() != members.len() {
            self.homes = members.iter().map(|member| vec![*member]).collect();
            return;
        }
        for (homes, member) in self.homes.iter_mut().zip(members) {
            if homes.last() != Some(member) {
                homes.push(*member);
            }
        }
    }

    /// How often a seat got another home, in all.
    pub(crate) fn replaced(&self) -> u64 {
        self.homes.iter().map(|homes| homes.len() as u64 - 1).sum()
    }

    /// The seats' names.
    pub fn names(&self) -> Vec<NodeId> {
        self.homes.iter().map(|homes| homes[0]).collect()
    }

    /// Who plays each seat, in the order of their names.
    pub fn homes(&self) -> Vec<NodeId> {
        self.homes.iter().filter_map(|homes| homes.last()).copied().collect()
    }

    /// The seat that `member` plays, or did.
    pub fn seat_of(&self, member: NodeId) -> Option<NodeId> {
        self.homes.iter().find(|homes| homes.contains(&member)).map(|homes| homes[0])
    }

    /// Whether `member` plays a seat.
    pub fn is_home(&self, member: NodeId) -> bool {
        self.homes.iter().any(|homes| homes.last() == Some(&member))
    }

    /// The life that `member` lives in its seat, if its node lost its disk so often: the first home's first life is 0.
    pub fn life(&self, member: NodeId, disks_lost: u64) -> u64 {
        let at = self.homes.iter().find_map(|homes| homes.iter().position(|home| *home == member));
        at.map_or(0, |at| life(at as u64)) | disks_lost
    }

    /// The seats that have another home than the first: their names, their homes and the lives that began there.
    pub(crate) fn moved(&self) -> impl Iterator<Item = (NodeId, NodeId, u64)> + '_ {
        let moved = self.homes.iter().filter(|homes| homes.len() > 1);
        moved.filter_map(|homes| Some((homes[0], *homes.last()?, life(homes.len() as u64 - 1))))
    }

    /// The seat that has another home in `members`, the next configuration's; one at most.
    pub(crate) fn moving(&self, members: &[NodeId]) -> Option<NodeId> {
        let mut pairs = self.homes.iter().zip(members);
        pairs.find(|(homes, member)| homes.last() != Some(member)).map(|(homes, _)| homes[0])
    }

    /// What `home` is to `seat`.
    pub(crate) fn standing(&self, seat: NodeId, home: NodeId) -> Standing {
        let homes = self.homes.iter().find(|homes| homes[0] == seat);
        // Before the group is in a configuration, each seat is where it began.
        let Some(homes) = homes else {
            return if seat == home { Standing::Home } else { Standing::Unknown };
        };
        match homes.iter().position(|known| *known == home) {
            Some(at) if at + 1 == homes.len() => Standing::Home,
            Some(_) => Standing::Former(homes.len() as u64 - 1),
            None => Standing::Unknown,
        }
    }
}

/// The life that begins with this replacement of a seat.
pub(crate) fn life(replacement: u64) -> u64 {
    replacement << DISK_BITS
}

impl Wire for Seats {
    fn encode(&self, out: &mut Writer<'_>) {
        self.homes.encode(out);
        self.replaced().encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let homes = Vec::<Vec<NodeId>>::decode(input)?;
        if homes.iter().any(Vec::is_empty) {
            return Err(Malformed("a seat that nobody ever had"));
        }
        let seats = Seats { homes };
        if u64::decode(input)? != seats.replaced() {
            return Err(Malformed("seats that were replaced more or less often"));
        }
        Ok(seats)
    }
}

#[cfg(test)]
mod tests {
    use super::{Seats, Standing, life};
    use synod_node::NodeId;
    use synod_stdx::Wire;

    fn members(numbers: [u32; 3]) -> Vec<NodeId> {
        numbers.map(NodeId::server).to_vec()
    }

    #[test]
    fn a_seat_keeps_its_name_and_place_whoever_plays_it() {
        let mut seats = Seats::default();
        for numbers in [[1, 2, 3], [1, 2, 3], [1, 9, 3], [1, 4, 3], [8, 4, 3]] {
            seats.take(&members(numbers));
        }
        let id = NodeId::server;
        assert_eq!(
            (seats.names(), seats.homes(), seats.replaced()),
            (members([1, 2, 3]), members([8, 4, 3]), 3)
        );
        assert_eq!(seats.seat_of(id(9)), Some(id(2)));
        assert_eq!((seats.is_home(id(9)), seats.is_home(id(4))), (false, true));
        assert_eq!([1, 9, 4, 8].map(|n| seats.life(id(n), 5)), [5, life(1) | 5, life(2) | 5, life(1) | 5]);
        assert_eq!(seats.moving(&members([8, 4, 7])), Some(id(3)));
        assert_eq!(seats.moving(&members([8, 4, 3])), None);
        assert_eq!(seats.standing(id(2), id(4)), Standing::Home);
        assert_eq!(seats.standing(id(2), id(9)), Standing::Former(2));
        assert_eq!(seats.standing(id(2), id(7)), Standing::Unknown);
        assert_eq!(seats.standing(id(3), id(3)), Standing::Home);
        assert_eq!(Seats::from_bytes(&seats.to_bytes()), Ok(seats));
    }
}
