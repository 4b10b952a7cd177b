//! The line of commands that wait for room: a connection that asks for much waits behind those that ask for little.
//!
//! Start-time fair queueing (Goyal, Vin and Cheng, 1996): each command has a tag, at which its connection would come to its
//! turn if all were served at once, each as much as the others. The lowest tag is next; the highest is the first to be
//! refused. Commands of one connection keep their order.

use std::collections::BTreeMap;
use std::time::Instant;

/// The fixed cost of a command, in bytes.
const COMMAND_COST: u64 = 256;

/// A place in the line: the tag, and then who came first.
type Place = (u64, u64);

/// The commands that wait, by turn.
pub(super) struct Line<T> {
    waiting: BTreeMap<Place, (Instant, T)>,
    /// The places by who came first.
    by_arrival: BTreeMap<u64, Place>,
    /// How far each connection has got that asked for more than its share lately.
    reached: BTreeMap<u32, u64>,
    /// The tag of what was last taken.
    now: u64,
    arrivals: u64,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Line {
            waiting: BTreeMap::new(),
            by_arrival: BTreeMap::new(),
            reached: BTreeMap::new(),
            now: 0,
            arrivals: 0,
        }
    }
}

impl<T> Line<T> {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Since when the one that came first waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let place = self.by_arrival.values().next()?;
        self.waiting.get(place).map(|(since, _)| *since)
    }

    /// `item`, of so many bytes, of a connection that came at `since`, waits.
    pub(super) fn push(&mut self, connection: u32, bytes: usize, since: Instant, item: T) {
        let begin = self.reached.get(&connection).copied().unwrap_or(0).max(self.now);
        self.reached.insert(connection, begin + COMMAND_COST + bytes as u64);
        let place = (begin, self.arrivals);
        self.by_arrival.insert(self.arrivals, place);
        self.waiting.insert(place, (since, item));
        self.arrivals += 1;
    }

    /// The next.
    pub(super) fn pop(&mut self) -> Option<(Instant, T)> {
        let (place, waiting) = self.waiting.pop_first()?;
        self.by_arrival.remove(&place.1);
        self.now = place.0;
        if self.waiting.is_empty() {
            // Nobody is ahead of anybody any more.
            self.reached.clear();
        }
        Some(waiting)
    }

    /// The one whose turn is last, of those that `may` go: one of the connection that asks for most.
    pub(super) fn pop_last(&mut self, may: impl Fn(&T) -> bool) -> Option<T> {
        let mut from_last = self.waiting.iter().rev();
        let place = from_last.find(|(_, (_, item))| may(item)).map(|(place, _)| *place)?;
        self.by_arrival.remove(&place.1);
        self.waiting.remove(&place).map(|(_, item)| item)
    }
}

#[cfg(test)]
mod tests {
    use super::Line;
    use std::time::Instant;

    /// The order of service. Each connection in turn sends so many commands of so many bytes.
    fn order(connections: &[(u32, usize, usize)]) -> Vec<u32> {
        let mut line = Line::default();
        for (connection, count, bytes) in connections {
            (0..*count).for_each(|_| line.push(*connection, *bytes, Instant::now(), *connection));
        }
        std::iter::from_fn(|| line.pop()).map(|(_, connection)| connection).collect()
    }

    #[test]
    fn connections_are_served_in_turn_whoever_came_first() {
        assert_eq!(order(&[(1, 3, 100), (2, 3, 100)]), [1, 2, 1, 2, 1, 2]);
        assert_eq!(order(&[(1, 3, 100), (2, 1, 100)]), [1, 2, 1, 1]);
    }

    #[test]
    fn who_asks_for_much_at_a_time_waits_longer() {
        assert_eq!(order(&[(1, 2, 100_000), (2, 4, 100)]), [1, 2, 2, 2, 2, 1]);
    }

    #[test]
    fn the_last_turn_is_that_of_the_connection_that_asks_for_most() {
        let mut line = Line::default();
        (0..5).for_each(|number| line.push(1, 1_000, Instant::now(), (1, number)));
        line.push(2, 1_000, Instant::now(), (2, 0));
        assert_eq!(line.pop_last(|item| *item != (1, 4)), Some((1, 3)));
        assert_eq!(line.pop_last(|_| true), Some((1, 4)));
        assert_eq!(line.pop().map(|(_, item)| item), Some((1, 0)));
        assert_eq!(line.pop().map(|(_, item)| item), Some((2, 0)));
        assert_eq!(line.pop().map(|(_, item)| item), Some((1, 1)));
        assert_eq!(line.len(), 1);
    }

    #[test]
    fn what_waits_longest_is_known_whatever_its_turn() {
        let mut line = Line::default();
        let begin = Instant::now();
        line.push(1, 1_000_000, begin, 'a');
        line.push(1, 1_000_000, begin, 'b');
        let later = begin + std::time::Duration::from_secs(1);
        line.push(2, 10, later, 'c');
        line.pop();
        line.pop();
        assert_eq!((line.oldest(), line.len()), (Some(begin), 1));
        line.pop();
        assert!(line.is_empty() && line.oldest().is_none());
    }
}
