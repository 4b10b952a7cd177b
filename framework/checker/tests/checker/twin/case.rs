//! A random system, for the checker and for its twin.

use super::naive::{Global, Plan, Setting, Shown, Watch, sort_letters};
use super::protocol::{Puppet, Rules, WORDS};
use super::space::{Space, explore};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use synod_checker::{Budgets, Checker, Network, Property, Reads, Settings, System, User, View};
use synod_node::{NodeId, Rename as _};
use synod_stdx::{Digest, Rng};

/// Larger spaces are left out.
const STATES_MAX: usize = 400;

/// Other names for nodes: every permutation within the groups, and first the one that changes nothing.
pub type Names = Arc<Vec<BTreeMap<NodeId, NodeId>>>;

/// New names for nodes.
type Name<'a> = &'a dyn Fn(NodeId) -> NodeId;

/// One case: what is checked, and how.
pub struct Case {
    pub seed: u64,
    pub setting: Setting,
    /// Who may change names.
    pub groups: Vec<Vec<NodeId>>,
    pub names: Names,
    /// A state is not left where this says so.
    pub pruned: Pruned,
    pub has_sink: bool,
}

/// Which states are not left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pruned {
    Never,
    /// By what the nodes are: one state in so many.
    Nodes(u64),
    /// Where more messages than that are in flight.
    Crowded(usize),
}

impl Pruned {
    /// Whether it says so of what is shown.
    pub fn holds(self, shown: &Shown) -> bool {
        match self {
            Pruned::Never => false,
            Pruned::Nodes(one_in) => {
                let nodes = format!(
                    "{:?}",
                    shown.nodes.iter().map(|node| (&node.1, node.2, node.3)).collect::<Vec<_>>()
                );
                Digest::of(nodes.as_bytes()).is_multiple_of(one_in)
            }
            Pruned::Crowded(most) => shown.in_flight > most,
        }
    }

    fn sees_all(self) -> bool {
        matches!(self, Pruned::Crowded(_))
    }
}

/// How states are looked at.
#[derive(Clone)]
pub struct Sight {
    ids: Vec<NodeId>,
    names: Names,
    network: Network,
    sees_all: bool,
}

impl Sight {
    /// The least of what is shown under all names.
    pub fn least(&self, shown: &dyn Fn(Name<'_>) -> Shown) -> Shown {
        let under = |names: &BTreeMap<NodeId, NodeId>| shown(&|id| names.get(&id).copied().unwrap_or(id));
        self.names.iter().map(under).min().expect("there is one")
    }
}

/// What a property sees, under other names.
pub fn seen(view: &View<'_, Puppet>, sight: &Sight, name: &dyn Fn(NodeId) -> NodeId) -> Shown {
    let mut nodes = Vec::new();
    for id in sight.ids.iter().copied() {
        let mut node = view.node(id).cloned();
        node.rename(name);
        let (timers, disk) = if sight.sees_all {
            let mut timers = view.timers(id);
            timers.sort_unstable();
            (timers, format!("{:?}", view.disk(id).expect("each node has one")))
        } else {
            Default::default()
        };
        nodes.push((name(id), format!("{node:?}"), view.asked(id), view.answered(id), timers, disk));
    }
    nodes.sort();
    let mut letters = if sight.sees_all { view.messages() } else { Vec::new() };
    letters.iter_mut().for_each(|(from, to, _)| (*from, *to) = (name(*from), name(*to)));
    sort_letters(sight.network, &mut letters);
    Shown { nodes, letters, in_flight: if sight.sees_all { view.in_flight() } else { 0 } }
}

fn permutations(ids: &[NodeId]) -> Vec<Vec<NodeId>> {
    let Some((last, rest)) = ids.split_last() else { return vec![Vec::new()] };
    let insert = |order: Vec<NodeId>| {
        (0..=order.len()).rev().map(move |at| [&order[..at], &[*last], &order[at..]].concat())
    };
    permutations(rest).into_iter().flat_map(insert).collect()
}

fn all_names(groups: &[Vec<NodeId>]) -> Names {
    let mut all = vec![BTreeMap::new()];
    for group in groups {
        let join = |one: &BTreeMap<NodeId, NodeId>| {
            let with = |order: &Vec<NodeId>| {
                let pairs = group.iter().copied().zip(order.iter().copied());
                one.iter().map(|(from, to)| (*from, *to)).chain(pairs).collect()
            };
            permutations(group).iter().map(with).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(join).collect();
    }
    Arc::new(all)
}

fn throw_budgets(dice: &mut Rng) -> Budgets {
    let mut one = |most: u64| if dice.chance(250) { dice.between(1, most) as u8 } else { 0 };
    Budgets {
        crashes: one(1),
        late_writes: one(2),
        drops: u16::from(one(2)),
        give_ups: one(1),
        pauses: one(1),
        cuts: one(2),
    }
}

fn throw_links(dice: &mut Rng, ids: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    let all = ids.iter().flat_map(|from| ids.iter().map(|to| (*from, *to)));
    all.filter(|_| dice.chance(300)).collect()
}

impl Case {
    /// The case of a seed.
    pub fn new(seed: u64) -> Self {
        let mut dice = Rng::new(seed).split("case");
        let network = *dice.pick(&[Network::Set, Network::Bag, Network::Ordered]).expect("there are three");
        let budgets = throw_budgets(&mut dice);
        let is_symmetric = dice.chance(250);
        let (servers, clients) = match (is_symmetric, dice.below(4)) {
            (true, 0) => (3, 0),
            (true, 1) => (1, 2),
            (true, _) => (2, dice.below(2) as u32),
            (false, 0) => (1, 0),
            (false, 1) => (3, 0),
            (false, _) => (1 + dice.below(2) as u32, 1),
        };
        let rules = Arc::new(Rules::new(seed, (network, &budgets), is_symmetric));
        let ids: Vec<NodeId> = NodeId::servers(servers).into_iter().chain(NodeId::clients(clients)).collect();
        let mut nodes: Vec<Plan> = Vec::new();
        for (at, id) in ids.iter().copied().enumerate() {
            let alike = nodes.iter().rfind(|other| is_symmetric && other.id.is_client() == id.is_client());
            let (mut kind, mut fuel) = (at, dice.between(0, 3) as u8);
            let has_user = id.is_client() || dice.chance(200);
            let mut asks = has_user
                .then(|| (0..dice.between(1, 2)).map(|_| dice.below(u64::from(WORDS)) as u8).collect());
            let mut window = dice.between(1, 2) as usize;
            if let Some(other) = alike {
                (kind, fuel, asks, window) = (other.kind, other.fuel, other.asks.clone(), other.window);
            }
            let peers = ids.iter().copied().filter(|other| *other != id).collect();
            let built = Puppet::new(&rules, kind, fuel, peers);
            nodes.push(Plan { id, built, kind, fuel, asks, window });
        }
        let groups =
            if is_symmetric { vec![NodeId::servers(servers), NodeId::clients(clients)] } else { Vec::new() };
        let partitions = (0..dice.between(1, 2)).map(|_| throw_links(&mut dice, &ids)).collect();
        let cut_links = if dice.chance(150) { throw_links(&mut dice, &ids) } else { Vec::new() };
        let stopped = ids.iter().copied().filter(|_| dice.chance(70)).collect();
        let pruned = match dice.below(6) {
            0 | 1 => Pruned::Nodes(dice.between(3, 8)),
            2 => Pruned::Crowded(dice.between(1, 4) as usize),
            _ => Pruned::Never,
        };
        let setting = Setting {
            nodes,
            network,
            budgets,
            partitions,
            cut_links: cut_links.into_iter().collect(),
            stopped,
            is_calm: dice.chance(100),
            watch: Watch::new(&rules.wrong),
        };
        Case { seed, setting, names: all_names(&groups), groups, pruned, has_sink: rules.has_sink }
    }

    /// The case in words, without its tables.
    pub fn words(&self) -> String {
        let Setting { nodes, network, budgets, partitions, cut_links, stopped, is_calm, .. } = &self.setting;
        let nodes: Vec<_> = nodes.iter().map(|plan| (plan.id, plan.fuel, &plan.asks, plan.window)).collect();
        format!(
            "{nodes:?} {network:?} {budgets:?} {partitions:?} cut {cut_links:?} stopped {stopped:?} \
             calm {is_calm} symmetric {} pruned {:?}",
            self.names.len() > 1,
            self.pruned
        )
    }

    /// As the checker takes it.
    pub fn system(&self) -> System<Puppet> {
        let mut system = System::new(self.setting.network);
        system.budgets = self.setting.budgets.clone();
        system.partitions.clone_from(&self.setting.partitions);
        for plan in &self.setting.nodes {
            match &plan.asks {
                None => system.add(plan.id, plan.built.clone()),
                Some(asks) => {
                    let user = User::asks(asks.iter().map(|ask| (*ask, None)).collect());
                    system.add_with_user(plan.id, plan.built.clone(), user.with_window(plan.window));
                }
            }
        }
        system
    }

    /// A new checker.
    pub fn checker(&self) -> Result<Checker<Puppet>, String> {
        Checker::new(self.system(), self.setting.watch.clone())
    }

    /// How states are looked at.
    pub fn sight(&self, sees_all: bool) -> Sight {
        let ids = self.setting.nodes.iter().map(|plan| plan.id).collect();
        Sight { ids, names: Arc::clone(&self.names), network: self.setting.network, sees_all }
    }

    /// What a property that looks so reads.
    pub fn reads(&self, sees_all: bool) -> Reads {
        if sees_all { Reads::Everything } else { Reads::Nodes(self.sight(false).ids) }
    }

    /// What a search is told besides its reductions and properties.
    pub fn settings(&self) -> Settings<Puppet> {
        let settings = Settings {
            cut_links: self.setting.cut_links.clone(),
            stopped_timers: self.setting.stopped.clone(),
            is_calm: self.setting.is_calm,
            ..Settings::default()
        };
        let (pruned, sight) = (self.pruned, self.sight(self.pruned.sees_all()));
        if pruned == Pruned::Never {
            return settings;
        }
        settings.prune(Property::when("pruned", self.reads(pruned.sees_all()), move |view| {
            pruned.holds(&sight.least(&|name| seen(view, &sight, name)))
        }))
    }

    /// All states by the dumb twin, which leaves none that is pruned, nor one of which `others` hold. None if there are too
    /// many.
    pub fn explore(&self, others: &[Pruned]) -> Option<Space> {
        let holds = |pruned: Pruned, state: &Global| pruned.holds(&self.shown(state, pruned.sees_all()));
        let is_left =
            |state: &Global| !holds(self.pruned, state) && !others.iter().any(|other| holds(*other, state));
        explore(&self.setting, &is_left, STATES_MAX)
    }

    fn shown(&self, state: &Global, sees_all: bool) -> Shown {
        self.sight(sees_all).least(&|name| self.setting.shown(state, name, sees_all))
    }

    /// What is to be seen of a space, up to a depth.
    pub fn sights(&self, space: &Space, sees_all: bool, limit: u32) -> BTreeSet<Shown> {
        let states = space.states.iter().zip(&space.depths).filter(|(_, depth)| **depth <= limit);
        states.map(|(state, _)| self.shown(state, sees_all)).collect()
    }
}
