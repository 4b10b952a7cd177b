//! How many things a search can number: where it would run out of numbers, it ends with words, and never wraps around.
//!
//! States, values and steps are numbered in 32 bits, of which some are marks. What is bounded here is looked at where a search
//! polls its watcher, so the bounds leave room for what comes between two polls.

use crate::Checkable;
use crate::memo::NOTHING;
use crate::shared::Shared;
use crate::stim::CHOICES;
use crate::worker::Worker;

/// So much may come between two looks at the bounds.
const BETWEEN: u32 = 1 << 24;

/// The bounds of a search. Tests lower them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    /// States that are to be left.
    pub(crate) states: u32,
    /// Nodes, places, observers and other values, of each kind.
    pub(crate) values: u32,
    /// Messages, and timers: a stimulus names them.
    pub(crate) named: u32,
    /// Local steps that one thread knows, and what they send in all.
    pub(crate) steps: u32,
}

impl Default for Numbers {
    fn default() -> Self {
        Numbers {
            // The last number is none.
            states: u32::MAX - 1,
            values: NOTHING - BETWEEN,
            named: CHOICES - BETWEEN,
            steps: NOTHING - BETWEEN,
        }
    }
}

impl<N: Checkable> Shared<N> {
    /// Whether the numbers of some kind of value are nearly used up.
    fn is_full(&self) -> bool {
        let Numbers { values, named, .. } = self.numbers;
        let has_many = [
            self.nodes.len(),
            self.sides.len(),
            self.users.len(),
            self.places.len(),
            self.seen.len(),
            self.observers.len(),
            self.extras.len(),
        ];
        let named_ones = [self.envelopes.len(), self.timers.len()];
        has_many.iter().any(|len| *len > values as usize)
            || named_ones.iter().any(|len| *len > named as usize)
    }
}

impl<N: Checkable> Worker<'_, N> {
    /// Whether the numbers of something are nearly used up, states aside.
    pub(crate) fn is_full(&self) -> bool {
        let steps = self.shared.numbers.steps as usize;
        self.known.len() > steps || self.sends.len() > steps || self.shared.is_full()
    }
}

#[cfg(test)]
mod tests {
    use crate::crew::Alone;
    use crate::observer::Blind;
    use crate::report::{Report, Spent, Verdict};
    use crate::settings::Settings;
    use crate::system::{Network, System};
    use crate::{Checker, Fairness, Property, Reads, View, Walks};
    use synod_node::{Context, Durable, Node, NodeId, RequestId};

    const N1: NodeId = NodeId::server(1);
    const LAST: u32 = 1000;

    /// Counts to a thousand, and sends itself and sets as a timer every number on the way.
    #[derive(Clone, PartialEq, Eq, Hash, Debug)]
    struct Counter(u32);

    impl Node for Counter {
        type Message = u32;
        type Timer = u32;
        type Record = ();
        type Checkpoint = ();
        type Request = ();
        type Response = ();

        fn on_start(&mut self, ctx: &mut Context<Self>) {
            ctx.send(ctx.me(), 1);
        }
        fn on_message(&mut self, _from: NodeId, count: u32, ctx: &mut Context<Self>) {
            self.0 = count;
            ctx.set_timer(count, 1..=1);
        }
        fn on_timer(&mut self, count: u32, ctx: &mut Context<Self>) {
            if count < LAST {
                ctx.send(ctx.me(), count + 1);
            }
        }
        fn on_request(&mut self, _id: RequestId, (): (), _ctx: &mut Context<Self>) {}
        fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {}
    }

    /// Every search, within bounds.
    fn reports(bound: impl Fn(&mut super::Numbers)) -> Vec<Report> {
        let mut system = System::new(Network::Bag);
        system.add(N1, Counter(0));
        let mut checker = Checker::new(system, Blind).unwrap();
        bound(&mut checker.shared.numbers);
        let (from, settings) = (checker.start(), Settings::default());
        let is_last = Property::when("last", Reads::Nodes(vec![N1]), |view: &View<'_, Counter>| {
            view.node(N1).is_some_and(|node| node.0 == LAST)
        });
        let walks = Walks { seed: 1, count: 3, steps: 2 * LAST };
        vec![
            checker.breadth_first(&from, &settings, &Alone),
            checker.depth_first(&from, &settings, &Alone),
            checker.eventually(&from, &settings, (&is_last, Fairness::Possible), &Alone),
            checker.walk(&from, &settings, walks, &Alone),
        ]
    }

    #[test]
    fn a_search_that_runs_out_of_numbers_says_so() {
        let full = Verdict::BudgetSpent(Spent::Numbers);
        let verdicts = |bound: &dyn Fn(&mut super::Numbers)| -> Vec<Verdict> {
            reports(bound).iter().map(|report| report.verdict).collect()
        };
        let walked = Verdict::BudgetSpent(Spent::Walks);
        let right = [Verdict::Exhausted, Verdict::Exhausted, Verdict::Exhausted, walked];
        assert_eq!(verdicts(&|_| {}), right);
        // Nobody numbers the states of a depth-first search, nor of walks.
        let [broad, deep, graph, walk] = verdicts(&|numbers| numbers.states = 100)[..] else {
            panic!("four")
        };
        assert_eq!([broad, deep, graph, walk], [full, Verdict::Exhausted, full, walked]);
        assert_eq!(verdicts(&|numbers| numbers.values = 100), [full; 4]);
        assert_eq!(verdicts(&|numbers| numbers.named = 100), [full; 4]);
        assert_eq!(verdicts(&|numbers| numbers.steps = 100), [full; 4]);
        let report = &reports(|numbers| numbers.states = 100)[0];
        assert!(report.to_string().contains("more than a search can number"), "{report}");
        assert!((100..110).contains(&report.stats.unique), "{}", report.stats.unique);
    }
}
