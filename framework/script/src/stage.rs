//! The stage: a world, and a script's commands to it.

use crate::choice::Choice;
use goldenscript::{ArgumentConsumer, Command, Context, Runner};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use synod_node::{Node, NodeId, RequestId};
use synod_stdx::kind_of;
use synod_world::{Envelope, EnvelopeId, Event, Happening, TimerId, World};

/// More deliveries than this in one command are a story without an end.
const DELIVERIES_MAX: usize = 10_000;

/// A module's own options of `start`: words by name.
pub type Options = BTreeMap<String, String>;

/// What a module's tests say of its nodes.
pub trait Cast {
    /// The module's nodes.
    type Node: Node;

    /// Builds a node. `life` is 0 at first, and one more each time that it lost its disk.
    ///
    /// # Errors
    /// If an option is unknown.
    fn build(&self, id: NodeId, life: u64, options: &Options) -> Result<Self::Node, String>;

    /// Reads the words behind `request c1`.
    ///
    /// # Errors
    /// If they ask for nothing known.
    fn request(&self, words: &[&str]) -> Result<<Self::Node as Node>::Request, String>;

    /// Shows a node in one line.
    fn describe(&self, node: &Self::Node) -> String;

    /// Shows a message in one line.
    fn message(&self, message: &<Self::Node as Node>::Message) -> String {
        format!("{message:?}")
    }

    /// Shows an answer in one line.
    fn response(&self, response: &<Self::Node as Node>::Response) -> String {
        format!("{response:?}")
    }
}

/// Plays a script's commands. See the crate's page.
pub struct Stage<C: Cast> {
    cast: C,
    world: World<C::Node>,
    options: Options,
    lives: BTreeMap<NodeId, u64>,
    requests: BTreeMap<NodeId, u64>,
    /// Nodes whose writes become durable only when a script says so.
    manual: BTreeSet<NodeId>,
    groups: Option<Vec<BTreeSet<NodeId>>>,
    cut: BTreeSet<(NodeId, NodeId)>,
    hidden: BTreeSet<String>,
    /// How each node looked when it was last shown.
    shown: BTreeMap<NodeId, String>,
    output: String,
}

type Done = Result<(), Box<dyn Error>>;

impl<C: Cast> Stage<C> {
    /// An empty stage.
    pub fn new(cast: C) -> Self {
        Stage {
            cast,
            world: World::default(),
            options: Options::new(),
            lives: BTreeMap::new(),
            requests: BTreeMap::new(),
            manual: BTreeSet::new(),
            groups: None,
            cut: BTreeSet::new(),
            hidden: BTreeSet::new(),
            shown: BTreeMap::new(),
            output: String::new(),
        }
    }

    fn say(&mut self, line: &str) {
        let _ = writeln!(self.output, "{line}");
    }

    fn start(&mut self, args: &mut ArgumentConsumer<'_>) -> Done {
        while let Some((key, value)) = args.next_key() {
            self.options.insert(key.to_owned(), value.to_owned());
        }
        for id in ids(args)? {
            if self.world.disk(id).is_none() {
                let node = self.cast.build(id, 0, &self.options)?;
                self.world.add(id, node);
            }
            self.apply(Event::Start(id))?;
        }
        Ok(())
    }

    fn request(&mut self, args: &mut ArgumentConsumer<'_>) -> Done {
        let node = one_id(args)?;
        let words: Vec<&str> = std::iter::from_fn(|| args.next_pos()).collect();
        args.reject_next()?;
        let request = self.cast.request(&words)?;
        let count = self.requests.entry(node).or_default();
        *count += 1;
        let id = RequestId(*count);
        self.apply(Event::Request { node, id, request })
    }

    fn deliver(&mut self, choice: &Choice) -> Done {
        if choice.is_all() {
            return self.deliver_until_quiet();
        }
        for id in self.chosen(choice)? {
            self.arrive(id)?;
        }
        Ok(())
    }

    fn deliver_until_quiet(&mut self) -> Done {
        for _ in 0..DELIVERIES_MAX {
            let Some((id, _)) = self.world.flight().next() else { return Ok(()) };
            self.arrive(id)?;
        }
        Err(format!("after {DELIVERIES_MAX} deliveries there is still something in flight").into())
    }

    fn chosen(&self, choice: &Choice) -> Result<Vec<EnvelopeId>, Box<dyn Error>> {
        let chosen = choice.of(&self.world);
        if chosen.is_empty() { Err("nothing like this is in flight".into()) } else { Ok(chosen) }
    }

    /// A message arrives, or is lost because its way is cut or nobody is there.
    fn arrive(&mut self, id: EnvelopeId) -> Done {
        let Some(Envelope { from, to, .. }) = self.world.envelope(id) else {
            return Err("it arrived already".into());
        };
        let arrives = self.world.is_running(*to) && self.connects(*from, *to);
        self.show_envelope(id, if arrives { "->" } else { "-x" });
        self.apply(if arrives { Event::Deliver(id) } else { Event::Drop(id) })
    }

    fn connects(&self, from: NodeId, to: NodeId) -> bool {
        let together = match &self.groups {
            None => true,
            Some(groups) => groups.iter().any(|group| group.contains(&from) && group.contains(&to)),
        };
        from == to || together && !self.cut.contains(&(from, to))
    }

    fn show_envelope(&mut self, id: EnvelopeId, sign: &str) {
        let Some(Envelope { from, to, message }) = self.world.envelope(id) else { return };
        if !self.hidden.contains(&kind_of(message)) {
            let line = format!("{from} {sign} {to}  {}", self.cast.message(message));
            self.say(&line);
        }
    }

    fn on_chosen(&mut self, choice: &Choice, sign: &str, event: fn(EnvelopeId) -> Event<C::Node>) -> Done {
        for id in self.chosen(choice)? {
            self.show_envelope(id, sign);
            self.apply(event(id))?;
        }
        Ok(())
    }

    fn flight(&mut self) {
        let ids: Vec<EnvelopeId> = self.world.flight().map(|(id, _)| id).collect();
        for id in ids {
            self.show_envelope(id, "..");
        }
    }

    fn fire(&mut self, nodes: &[NodeId], prefix: &str) -> Done {
        for node in nodes {
            let timer = self.find_timer(*node, prefix)?;
            if !self.hidden.contains(prefix) {
                let text = self.world.timer(timer).map(|timer| format!("{node} !! {:?}", timer.timer));
                self.say(&text.unwrap_or_default());
            }
            self.apply(Event::Fire(timer))?;
        }
        Ok(())
    }

    fn find_timer(&self, node: NodeId, prefix: &str) -> Result<TimerId, Box<dyn Error>> {
        let mut timers = self.world.timers();
        let found = timers.find(|(_, t)| t.node == node && format!("{:?}", t.timer).starts_with(prefix));
        found.map(|(id, _)| id).ok_or_else(|| format!("{node} has no timer that begins with {prefix}").into())
    }

    fn rounds(&mut self, args: &mut ArgumentConsumer<'_>) -> Done {
        let times: usize = args.take_key("times").unwrap_or("1").parse()?;
        let (nodes, prefix) = ids_and_word(args)?;
        for _ in 0..times {
            self.fire(&nodes, prefix)?;
            self.deliver_until_quiet()?;
        }
        Ok(())
    }

    fn disk(&mut self, args: &mut ArgumentConsumer<'_>) -> Done {
        let (nodes, how) = ids_and_word(args)?;
        for node in nodes {
            match how {
                "manual" => {
                    self.manual.insert(node);
                }
                "auto" => {
                    self.manual.remove(&node);
                    self.settle(node)?;
                }
                _ => return Err(format!("a disk is manual or auto, not {how}").into()),
            }
        }
        Ok(())
    }

    fn durable(&mut self, args: &mut ArgumentConsumer<'_>) -> Done {
        let node = one_id(args)?;
        let all = self.world.writing(node).count();
        let writes = args.take_key("writes").map_or(Ok(all), str::parse)?;
        args.reject_next()?;
        self.apply(Event::Durable { node, writes })
    }

    fn replace(&mut self, node: NodeId) -> Done {
        let life = self.lives.entry(node).or_default();
        *life += 1;
        let replacement = self.cast.build(node, *life, &self.options)?;
        self.apply(Event::Replace { node, replacement })
    }

    fn partition(&mut self, args: &mut ArgumentConsumer<'_>) -> Done {
        let mut groups = Vec::new();
        while let Some(group) = args.next_pos() {
            groups.push(group.split('/').map(str::parse).collect::<Result<BTreeSet<NodeId>, _>>()?);
        }
        args.reject_next()?;
        self.groups = Some(groups);
        Ok(())
    }

    fn cut(&mut self, args: &mut ArgumentConsumer<'_>) -> Done {
        let (from, to) = (one_id(args)?, one_id(args)?);
        args.reject_next()?;
        self.cut.insert((from, to));
        Ok(())
    }

    fn heal(&mut self) {
        self.groups = None;
        self.cut.clear();
    }

    fn state(&mut self, args: &mut ArgumentConsumer<'_>) -> Done {
        let named = ids(args)?;
        let nodes = if named.is_empty() { self.world.ids().collect() } else { named };
        for id in nodes {
            self.shown.remove(&id);
            self.show_change(id);
        }
        Ok(())
    }

    fn show_change(&mut self, id: NodeId) {
        let mut look = match self.world.node(id) {
            Some(node) => self.cast.describe(node),
            None => "does not run".to_owned(),
        };
        let writes = self.world.writing(id).count();
        if writes > 0 {
            let _ = write!(look, ", {writes} under way to disk");
        }
        if !look.is_empty() && self.shown.get(&id) != Some(&look) {
            self.say(&format!("{id} == {look}"));
            self.shown.insert(id, look);
        }
    }

    /// The one place where the world changes.
    fn apply(&mut self, event: Event<C::Node>) -> Done {
        let touched = match &event {
            Event::Durable { node, .. } | Event::Crash(node) => Some(*node),
            Event::Start(_)
            | Event::Deliver(_)
            | Event::Drop(_)
            | Event::Duplicate(_)
            | Event::Fire(_)
            | Event::Request { .. }
            | Event::Restart(_)
            | Event::Replace { .. }
            | Event::Recover { .. } => None,
        };
        let mut happenings = Vec::new();
        let stepped = self.world.apply(event, &mut happenings)?.or(touched);
        if let Some(id) = stepped.filter(|id| !self.manual.contains(id)) {
            self.settle_quietly(id, &mut happenings)?;
        }
        if let Some(id) = stepped {
            self.show_change(id);
        }
        for happening in happenings {
            match happening {
                Happening::Replied { node, id, response } => {
                    let line = format!("{node} <- {id}  {}", self.cast.response(&response));
                    self.say(&line);
                }
                Happening::Sent(id) => {
                    if self.world.envelope(id).is_some_and(|envelope| envelope.from == envelope.to) {
                        self.arrive(id)?;
                    }
                }
                Happening::TimerSet(..) | Happening::Wrote(_) => {}
            }
        }
        Ok(())
    }

    fn settle(&mut self, node: NodeId) -> Done {
        let writes = self.world.writing(node).count();
        if writes > 0 { self.apply(Event::Durable { node, writes }) } else { Ok(()) }
    }

    /// A quick disk: what is being written is durable.
    fn settle_quietly(&mut self, node: NodeId, happenings: &mut Vec<Happening<C::Node>>) -> Done {
        let writes = self.world.writing(node).count();
        if writes > 0 {
            self.world.apply(Event::Durable { node, writes }, happenings)?;
        }
        Ok(())
    }
}

impl<C: Cast> Runner for Stage<C> {
    type Command = Command;

    fn run(&mut self, command: &Command, _context: &Context) -> Result<String, Box<dyn Error>> {
        let mut args = command.consume_args();
        let args = &mut args;
        // What an expected failure left behind.
        self.output.clear();
        match command.name.as_str() {
            "start" => self.start(args)?,
            "request" => self.request(args)?,
            "deliver" => self.deliver(&Choice::read(args)?)?,
            "drop" => self.on_chosen(&Choice::read(args)?, "-x", Event::Drop)?,
            "duplicate" => self.on_chosen(&Choice::read(args)?, "=>", Event::Duplicate)?,
            "flight" => self.flight(),
            "fire" => {
                let (nodes, prefix) = ids_and_word(args)?;
                self.fire(&nodes, prefix)?;
            }
            "rounds" => self.rounds(args)?,
            "disk" => self.disk(args)?,
            "durable" => self.durable(args)?,
            "crash" => ids(args)?.into_iter().try_for_each(|id| self.apply(Event::Crash(id)))?,
            "restart" => ids(args)?.into_iter().try_for_each(|id| self.apply(Event::Restart(id)))?,
            "replace" => ids(args)?.into_iter().try_for_each(|id| self.replace(id))?,
            "partition" => self.partition(args)?,
            "cut" => self.cut(args)?,
            "heal" => self.heal(),
            "hide" => self.hidden.extend(std::iter::from_fn(|| args.next_pos()).map(str::to_owned)),
            "show" => {
                std::iter::from_fn(|| args.next_pos()).for_each(|kind| _ = self.hidden.remove(kind));
            }
            "state" => self.state(args)?,
            unknown => return Err(format!("there is no command `{unknown}`").into()),
        }
        Ok(std::mem::take(&mut self.output))
    }
}

/// All positional arguments, as names of nodes.
fn ids(args: &mut ArgumentConsumer<'_>) -> Result<Vec<NodeId>, Box<dyn Error>> {
    let ids = std::iter::from_fn(|| args.next_pos()).map(str::parse).collect::<Result<_, _>>()?;
    args.reject_next()?;
    Ok(ids)
}

fn one_id(args: &mut ArgumentConsumer<'_>) -> Result<NodeId, Box<dyn Error>> {
    Ok(args.next_pos().ok_or("a node's name is missing")?.parse()?)
}

/// Names of nodes, and a word behind them.
fn ids_and_word<'a>(args: &mut ArgumentConsumer<'a>) -> Result<(Vec<NodeId>, &'a str), Box<dyn Error>> {
    let mut words: Vec<&str> = std::iter::from_fn(|| args.next_pos()).collect();
    args.reject_next()?;
    let word = words.pop().filter(|_| !words.is_empty()).ok_or("a node's name and a word are missing")?;
    Ok((words.into_iter().map(str::parse).collect::<Result<_, _>>()?, word))
}
