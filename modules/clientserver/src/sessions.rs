//! The session table: what makes a request run exactly once. Part of the replicated state wherever there is one.

use std::collections::VecDeque;
use std::fmt;
use synod_node::{NodeId, Rename};
use synod_stdx::{Malformed, Reader, Wire, Writer, mark};

/// The most results that are kept of one client, and so the most requests that it may have outstanding.
pub const WINDOW_MAX: usize = 16_384;

/// The name of a session: a node, and which of its lives. A client that lost its memory begins a new one. Where lives are real,
/// their numbers are 128 random bits: no clock and no file then has to vouch for a number that must not come again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    /// The number of the life, the highest word first.
    life: [u32; 4],
    node: NodeId,
}

impl ClientId {
    /// The session of `node` in its life number `life`.
    pub const fn new(node: NodeId, life: u128) -> Self {
        ClientId { life: [(life >> 96) as u32, (life >> 64) as u32, (life >> 32) as u32, life as u32], node }
    }

    /// A session that belongs to no node of the protocol, named by its owner.
    pub const fn from_bits(bits: u64) -> Self {
        ClientId::new(NodeId::from_bits(bits as u32), (bits >> 32) as u128)
    }

    /// The node whose session it is.
    pub const fn node(self) -> NodeId {
        self.node
    }

    fn life(self) -> u128 {
        self.life.iter().fold(0, |life, word| life << 32 | u128::from(*word))
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.life() {
            0 => write!(f, "{}", self.node),
            life if life <= u128::from(u32::MAX) => write!(f, "{}.{life}", self.node),
            life => write!(f, "{}.{life:032x}", self.node),
        }
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Wire for ClientId {
    fn encode(&self, out: &mut Writer<'_>) {
        let life = self.life();
        (self.node, (life >> 64) as u64, life as u64).encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (node, high, low) = <(NodeId, u64, u64)>::decode(input)?;
        Ok(ClientId::new(node, u128::from(high) << 64 | u128::from(low)))
    }
}

impl Rename for ClientId {
    /// The life stays. A session that belongs to no node is to be named so that the name in its lower half stays.
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        self.node = name(self.node);
    }
}

/// The number of a request within its session, from 1.
pub type Seq = u64;

/// No client ever numbers so many requests, so there is always a next number.
const SEQ_MAX: Seq = 1 << 62;

/// A request's number from a process that may say anything.
///
/// # Errors
/// If no client ever gets so far.
pub fn read_seq(input: &mut Reader<'_>) -> Result<Seq, Malformed> {
    match input.varint()? {
        seq if seq > SEQ_MAX => Err(Malformed("a request's number that no client ever reaches")),
        seq => Ok(seq),
    }
}

/// What becomes of a request that arrives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Admission<'a, O> {
    /// It is the next one: run it and [`record`](Sessions::record) its result.
    Run,
    /// It ran; this is its result.
    Again(&'a O),
    /// It ran, and the client said that it has the result, or fell so far behind that it was dropped.
    Answered,
    /// One before it is missing.
    Early,
    /// The session is unknown and this is not its first request: it may have run.
    Forgotten,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Session<O> {
    client: ClientId,
    /// The last request that ran.
    executed: Seq,
    /// The results of the last ones, up to `executed`.
    results: VecDeque<O>,
    /// When it last ran something, on the table's own clock.
    used: u64,
}

impl<O> Session<O> {
    /// The lowest number whose result is kept.
    fn kept_from(&self) -> Seq {
        self.executed + 1 - self.results.len() as u64
    }
}

/// Per client, the last request that ran and the results not yet acknowledged. Deterministic: equal tables given equal
/// calls stay equal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sessions<O> {
    /// In the order of their clients. Of the many tables of a sharded store most have one or two.
    sessions: Vec<Session<O>>,
    clock: u64,
    sessions_max: usize,
    results_max: usize,
}

impl<O: Clone> Sessions<O> {
    /// An empty table for at most `sessions_max` clients with at most `results_max` results each. When one more comes,
    /// the sixteenth part that was not used for longest is forgotten.
    ///
    /// # Panics
    /// If a bound is zero.
    pub fn new(sessions_max: usize, results_max: usize) -> Self {
        assert!(sessions_max > 0 && results_max > 0, "a session table has room");
        Sessions { sessions: Vec::new(), clock: 0, sessions_max, results_max }
    }

    /// Where the session of `client` stands, or would.
    fn place(&self, client: ClientId) -> Result<usize, usize> {
        self.sessions.binary_search_by_key(&client, |session| session.client)
    }

    fn find(&self, client: ClientId) -> Option<&Session<O>> {
        self.place(client).ok().map(|place| &self.sessions[place])
    }

    /// What becomes of request `seq` of `client`.
    pub fn admit(&self, client: ClientId, seq: Seq) -> Admission<'_, O> {
        let Some(session) = self.find(client) else {
            return if seq == 1 { Admission::Run } else { Admission::Forgotten };
        };
        if seq > session.executed {
            return if seq == session.executed + 1 { Admission::Run } else { Admission::Early };
        }
        match seq.checked_sub(session.kept_from()) {
            None => Admission::Answered,
            Some(index) => Admission::Again(&session.results[index as usize]),
        }
    }

    /// The last request of `client` that ran; 0 if none that is known.
    pub fn executed(&self, client: ClientId) -> Seq {
        self.find(client).map_or(0, |session| session.executed)
    }

    /// Whether anything is known of `client`.
    pub fn knows(&self, client: ClientId) -> bool {
        self.find(client).is_some()
    }

    /// Request `seq` of `client` ran and gave `output`; results below `acked_below` are needed no more.
    ///
    /// # Panics
    /// If [`admit`](Sessions::admit) would not have said [`Admission::Run`].
    pub fn record(&mut self, client: ClientId, seq: Seq, acked_below: Seq, output: O) {
        self.clock += 1;
        if self.sessions.len() >= self.sessions_max && !self.knows(client) {
            self.forget_oldest();
        }
        let place = self.place(client).unwrap_or_else(|place| {
            if self.sessions.is_empty() {
                self.sessions.reserve_exact(1);
            }
            self.sessions.insert(place, Session { client, executed: 0, results: VecDeque::new(), used: 0 });
            place
        });
        let session = &mut self.sessions[place];
        assert_eq!(seq, session.executed + 1, "requests of {client} run in order");
        session.executed = seq;
        session.used = self.clock;
        session.results.push_back(output);
        while session.kept_from() < acked_below.min(seq) || session.results.len() > self.results_max {
            session.results.pop_front();
        }
    }

    fn forget_oldest(&mut self) {
        mark!("clientserver.session_forgotten");
        let mut ages: Vec<u64> = self.sessions.iter().map(|session| session.used).collect();
        let forgotten = self.sessions_max.div_ceil(16);
        let (_, newest_forgotten, _) = ages.select_nth_unstable(forgotten - 1);
        let limit = *newest_forgotten;
        self.sessions.retain(|session| session.used > limit);
    }

    /// How many clients are known.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether no client is known.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The results that are kept, of all clients.
    pub fn results(&self) -> impl Iterator<Item = &O> {
        self.sessions.iter().flat_map(|session| &session.results)
    }

    /// Panics if a bound does not hold.
    pub fn assert_invariants(&self) {
        assert!(self.sessions.len() <= self.sessions_max, "more sessions than there may be");
    }
}

impl<O: Rename> Rename for Session<O> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Session { client, executed: _, results, used: _ } = self;
        client.rename(name);
        results.rename(name);
    }
}

impl<O: Rename> Rename for Sessions<O> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Sessions { sessions, clock: _, sessions_max: _, results_max: _ } = self;
        sessions.iter_mut().for_each(|session| session.rename(name));
        sessions.sort_unstable_by_key(|session| session.client);
    }
}

impl<O: Wire + Clone> Wire for Sessions<O> {
    fn encode(&self, out: &mut Writer<'_>) {
        (self.clock, self.sessions_max as u64, self.results_max as u64).encode(out);
        (self.sessions.len() as u64).encode(out);
        for session in &self.sessions {
            session.client.encode(out);
            (session.executed, session.used, session.results.len() as u64).encode(out);
            session.results.iter().for_each(|result| result.encode(out));
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (clock, sessions_max, results_max) = <(u64, u64, u64)>::decode(input)?;
        if sessions_max == 0 || results_max == 0 {
            return Err(Malformed("a session table without room"));
        }
        let mut table = Sessions::new(sessions_max as usize, results_max as usize);
        table.clock = clock;
        for _ in 0..input.length(4)? {
            let client = ClientId::decode(input)?;
            let (executed, used, count) = <(u64, u64, u64)>::decode(input)?;
            if count > executed || count > results_max {
                return Err(Malformed("more results than requests"));
            }
            let results = (0..count).map(|_| O::decode(input)).collect::<Result<_, _>>()?;
            if table.sessions.last().is_some_and(|last| last.client >= client) {
                return Err(Malformed("sessions out of order"));
            }
            table.sessions.push(Session { client, executed, results, used });
        }
        Ok(table)
    }
}
