//! What is opened: a system of nodes, what is known of them, and what happened to them already.

use crate::Shown;
use crate::flight::Strand;
use crate::predicate::Predicate;
use crate::stage::Stage;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use synod_node::{Node, NodeId};
use synod_world::{Step, Taker, TraceEvent, World};

/// The name of what is violated, and the objection.
pub type Violation = (String, String);

/// Reads the words of a request that a node's user makes.
pub type Read<N> = Arc<dyn Fn(NodeId, &str) -> Result<<N as Node>::Request, String> + Send + Sync>;
/// What the user of a client asks as its first, second, … request, and the only right answer, if there is only one.
pub type Script<N> =
    Arc<dyn Fn(u64) -> Option<(<N as Node>::Request, Option<<N as Node>::Response>)> + Send + Sync>;

/// See the module's page. Only `first` must be given: [`Setup::of`].
pub struct Setup<N: Shown> {
    /// What was opened, for people.
    pub title: String,
    /// The module that its trace names.
    pub module: String,
    /// The scenario that its trace names.
    pub scenario: String,
    /// The stage of a search that its trace names.
    pub stage: Option<String>,
    /// The seed that its trace names.
    pub seed: Option<u64>,
    /// The command that opens it again.
    pub command: String,
    /// Every node; none has started.
    pub first: World<N>,
    /// Who takes the nodes' steps, if not they: a mutant.
    pub taker: Option<Arc<Taker<'static, N>>>,
    /// The users of clients, whose requests are known.
    pub users: BTreeMap<NodeId, Script<N>>,
    /// How a person's words become a request, and how they are written.
    pub reader: Option<(String, Read<N>)>,
    /// What must hold at every moment.
    pub invariants: Vec<Claim<N>>,
    /// What is looked for.
    pub goals: Vec<Claim<N>>,
    /// Whether claims want to know what users saw.
    pub hears: bool,
    /// What a protocol shows of itself.
    pub portrait: Option<Arc<dyn Portrait<N>>>,
    /// The checker, if there is one.
    pub seeker: Option<Arc<dyn Seeker<N>>>,
    /// What a checker's traces call partitions, from number 1: links, from and to.
    pub partitions: Vec<Vec<(NodeId, NodeId)>>,
    /// Whether what nodes do is compared with what a recording says that they did.
    pub compares: bool,
    /// What whoever opens it should know.
    pub remarks: Vec<String>,
    /// What happened already.
    pub past: Past<N>,
    /// What is wrong at the end of that, if it is not an invariant of these.
    pub ending: Option<Violation>,
}

/// What happened before a session began.
pub enum Past<N: Node> {
    /// Steps, each with its moment in microseconds.
    Steps(Vec<(u64, Step<N>)>),
    /// The lines of a trace.
    Lines(Vec<TraceEvent>),
    /// What real processes recorded, each for itself.
    Recorded(Vec<Strand<N>>),
}

impl<N: Shown> Setup<N> {
    /// These nodes, and nothing else.
    pub fn of(title: impl Into<String>, nodes: impl IntoIterator<Item = (NodeId, N)>) -> Setup<N> {
        let mut first = World::default();
        nodes.into_iter().for_each(|(id, node)| first.add(id, node));
        Setup {
            title: title.into(),
            module: String::new(),
            scenario: String::new(),
            stage: None,
            seed: None,
            command: String::new(),
            first,
            taker: None,
            users: BTreeMap::new(),
            reader: None,
            invariants: Vec::new(),
            goals: Vec::new(),
            hears: false,
            portrait: None,
            seeker: None,
            partitions: Vec::new(),
            compares: false,
            remarks: Vec::new(),
            past: Past::Steps(Vec::new()),
            ending: None,
        }
    }

    /// The first invariant that does not hold, and the objection.
    pub(crate) fn objection(&self, stage: &Stage<N>) -> Option<Violation> {
        let broken = |claim: &Claim<N>| Some((claim.name.clone(), (claim.test)(stage).err()?));
        self.invariants.iter().find_map(broken)
    }

    pub(crate) fn taker(&self) -> &Taker<'_, N> {
        match &self.taker {
            Some(taker) => &**taker,
            None => &synod_node::step,
        }
    }
}

/// A named claim about a moment.
pub struct Claim<N: Node> {
    /// Its name, a sentence.
    pub name: String,
    /// The objection, if it does not hold.
    pub test: Test<N>,
}

/// Objects to a moment.
pub type Test<N> = Arc<dyn Fn(&Stage<N>) -> Result<(), String> + Send + Sync>;

impl<N: Node> Claim<N> {
    /// A claim that holds where `test` has no objection.
    pub fn new(
        name: impl Into<String>,
        test: impl Fn(&Stage<N>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Claim<N> {
        Claim { name: name.into(), test: Arc::new(test) }
    }
}

/// What a protocol may say of a node, in shapes that any protocol has. Everything has a default: nothing.
pub trait Portrait<N: Node>: Send + Sync {
    /// In which term, view or ballot the node is, and whether it leads in it.
    fn term(&self, node: &N) -> Option<(String, bool)> {
        let _ = node;
        None
    }

    /// Rows of cells, such as a log's slots or a shard map.
    fn strips(&self, node: &N) -> Vec<Strip> {
        let _ = node;
        Vec::new()
    }
}

/// A row of cells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Strip {
    /// What it shows.
    pub title: String,
    /// From left to right.
    pub cells: Vec<Cell>,
}

/// One cell of a strip.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cell {
    /// A few letters.
    pub label: String,
    /// Which of eight tones it has, 0 to 7: cells of one tone mean the same.
    pub tone: u8,
    /// What it means.
    pub text: String,
}

/// Who searches from a moment on: a model checker.
pub trait Seeker<N: Node>: Send + Sync {
    /// The nearest moment at which `predicate` holds, breadth-first from a moment on.
    ///
    /// # Errors
    /// Why it cannot be searched, in words.
    fn seek(&self, from: &Stage<N>, predicate: &Predicate, errand: &Errand) -> Result<Sought, String>;
}

/// What a search came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sought {
    /// The way from that moment on, and what was found: that it holds, or that something is violated.
    Found(Vec<TraceEvent>, String),
    /// All states were seen: it holds in none.
    Nowhere(String),
    /// The budget was spent, or somebody had enough.
    Unknown(String),
}

/// How far a search may go, and how far it is.
#[derive(Debug, Default)]
pub struct Errand {
    /// So many states at most.
    pub states_max: u64,
    /// So many servers may crash on the way, and start again.
    pub crashes: u8,
    /// So many messages may be lost on the way.
    pub losses: u16,
    /// States seen, or steps taken.
    pub done: AtomicU64,
    /// How deep it is.
    pub depth: AtomicU64,
    /// Somebody had enough.
    pub is_cancelled: AtomicBool,
}
