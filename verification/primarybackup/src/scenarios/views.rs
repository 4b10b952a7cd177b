//! The rows about the view server alone: direct pings, and checks by hand.

use synod_clientserver::KvStore;
use synod_node::{Context, Effect, NodeId, Stimulus, step};
use synod_primarybackup::{Member, Message, Process, Timer, View, ViewNumber, ViewServer};
use synod_testkit::{Failed, Kind, Outcome, Scenario, Stage};

/// Rows 1.1 to 1.12.
pub const VIEWS: &[Scenario] = &[
    unit("1.1", "the_startup_view_names_nobody", |stage| play(stage, |desk| desk.view_is(0, None, None))),
    unit("1.2", "the_first_server_that_pings_is_primary_of_the_initial_view", |stage| {
        play(stage, |desk| {
            desk.ping(1, 0)?;
            desk.view_is(1, Some(1), None)
        })
    }),
    unit("1.3", "after_the_acknowledgement_a_second_server_becomes_backup", |stage| {
        play(stage, |desk| {
            desk.ping(1, 0)?;
            desk.ping(1, 1)?;
            desk.ping(2, 0)?;
            desk.view_is(2, Some(1), Some(2))
        })
    }),
    unit("1.4", "a_server_that_pinged_before_the_acknowledgement_becomes_backup_with_it", |stage| {
        play(stage, |desk| {
            desk.ping(1, 0)?;
            desk.ping(2, 0)?;
            desk.view_is(1, Some(1), None)?;
            desk.ping(1, 1)?;
            desk.view_is(2, Some(1), Some(2))
        })
    }),
    unit("1.5", "a_primary_that_is_silent_for_two_checks_is_replaced_by_its_backup", |stage| {
        play(stage, |desk| {
            desk.pair()?;
            desk.ping(2, 2)?;
            desk.check()?;
            desk.view_is(2, Some(1), Some(2))?;
            desk.ping(2, 2)?;
            desk.check()?;
            desk.ping(2, 2)?;
            desk.view_is(3, Some(2), None)
        })
    }),
    unit("1.6", "a_primary_that_returns_becomes_backup", |stage| {
        play(stage, |desk| {
            desk.pair()?;
            desk.kill(1, &[(2, 2)])?;
            desk.view_is(3, Some(2), None)?;
            desk.ping(1, 2)?;
            desk.view_is(3, Some(2), None)?;
            desk.ping(2, 3)?;
            desk.view_is(4, Some(2), Some(1))
        })
    }),
    unit("1.7", "an_idle_server_becomes_backup_when_the_primary_dies", |stage| {
        play(stage, |desk| {
            desk.pair()?;
            desk.kill(1, &[(2, 2), (3, 0)])?;
            desk.view_is(3, Some(2), Some(3))
        })
    }),
    unit("1.8", "nothing_changes_before_the_primary_acknowledges", |stage| {
        play(stage, |desk| {
            desk.ping(1, 0)?;
            desk.ping(2, 0)?;
            desk.check()?;
            desk.view_is(1, Some(1), None)?;
            // The primary dies, and had not acknowledged: nobody else has its state.
            desk.kill(1, &[(2, 0)])?;
            desk.view_is(1, Some(1), None)?;
            desk.ping(1, 1)?;
            desk.view_is(2, Some(1), Some(2))?;
            desk.kill(1, &[(2, 2)])?;
            desk.view_is(2, Some(1), Some(2))
        })
    }),
    unit("1.9", "a_backup_that_died_is_removed", |stage| {
        play(stage, |desk| {
            desk.pair()?;
            desk.kill(2, &[(1, 2)])?;
            desk.view_is(3, Some(1), None)
        })
    }),
    unit("1.10", "a_backup_that_was_not_initialised_is_not_promoted", |stage| {
        play(stage, |desk| {
            desk.pair()?;
            desk.kill(1, &[(2, 2), (3, 0)])?;
            desk.view_is(3, Some(2), Some(3))?;
            // The new primary dies before it acknowledged: its backup may lack everything.
            desk.kill(2, &[(3, 3)])?;
            desk.view_is(3, Some(2), Some(3))
        })
    }),
    unit("1.11", "a_server_that_died_while_idle_does_not_become_backup", |stage| {
        play(stage, |desk| {
            desk.pair()?;
            desk.ping(3, 0)?;
            desk.kill(3, &[(1, 2), (2, 2)])?;
            desk.view_is(2, Some(1), Some(2))?;
            desk.kill(2, &[(1, 2)])?;
            desk.view_is(3, Some(1), None)
        })
    }),
    unit("1.12", "two_views_in_a_row_never_name_the_same_servers", pings_at_random),
];

const fn unit(number: &'static str, name: &'static str, play: synod_testkit::Play) -> Scenario {
    Scenario { seeds: 1, ..super::row(number, name, Kind::Unit, play) }
}

type Node = Process<KvStore>;
type Step = Result<(), String>;

/// A view server, and who pings it.
struct Desk {
    view_server: Node,
    steps: u64,
}

fn play(stage: &Stage, script: impl FnOnce(&mut Desk) -> Step) -> Result<Outcome, Box<Failed>> {
    let mut desk = Desk { view_server: Process::ViewServer(ViewServer::default()), steps: 0 };
    let result = desk.take(Stimulus::Start).map(|_| ()).and_then(|()| script(&mut desk));
    stage.conclude_calls(desk.steps, result)
}

impl Desk {
    fn take(&mut self, stimulus: Stimulus<Node>) -> Result<Vec<Effect<Node>>, String> {
        let before = self.view();
        let mut ctx = Context::new(NodeId::server(0));
        step(&mut self.view_server, stimulus, &mut ctx);
        self.steps += 1;
        let after = self.view();
        let is_same = (before.primary, before.backup) == (after.primary, after.backup);
        if before.number != after.number && (is_same || before.number.next() != after.number) {
            return Err(format!("{before} became {after}"));
        }
        Ok(ctx.take_effects())
    }

    fn view(&self) -> View {
        self.view_server.view_server().expect("it is one").view()
    }

    /// Server `number` pings, and says that it took its part in view `acked`; it is told the view.
    fn ping(&mut self, number: u32, acked: u64) -> Step {
        self.ping_in_life(number, 1, acked)
    }

    fn ping_in_life(&mut self, number: u32, life: u64, acked: u64) -> Step {
        let from = NodeId::server(number);
        let message = Message::Ping { life, acked: ViewNumber(acked), is_backup_lost: false };
        let effects = self.take(Stimulus::Message { from, message })?;
        let told = |effect: &Effect<Node>| match effect {
            Effect::Send { to, message: Message::Announce { view } } if *to == from => Some(*view),
            _ => None,
        };
        match effects.iter().find_map(told) {
            Some(view) if view == self.view() => Ok(()),
            other => Err(format!("{from} was told {other:?}, and the view is {}", self.view())),
        }
    }

    fn check(&mut self) -> Step {
        self.take(Stimulus::Timer(Timer::Check)).map(|_| ())
    }

    /// Server `number` is silent for two checks; others ping with what they acknowledge, and once more after the second:
    /// whoever serves next must be heard then.
    fn kill(&mut self, number: u32, others: &[(u32, u64)]) -> Step {
        for _ in 0..2 {
            for (other, acked) in others {
                assert_ne!(*other, number, "who is silent does not ping");
                self.ping(*other, *acked)?;
            }
            self.check()?;
        }
        others.iter().try_for_each(|(other, acked)| self.ping(*other, *acked))
    }

    /// Servers 1 and 2 are primary and backup of an acknowledged view.
    fn pair(&mut self) -> Step {
        self.ping(1, 0)?;
        self.ping(1, 1)?;
        self.ping(2, 0)?;
        self.ping(1, 2)?;
        self.view_is(2, Some(1), Some(2))
    }

    fn view_is(&self, number: u64, primary: Option<u32>, backup: Option<u32>) -> Step {
        let member = |number: u32| Member { id: NodeId::server(number), life: 1 };
        let wanted =
            View { number: ViewNumber(number), primary: primary.map(member), backup: backup.map(member) };
        match self.view() {
            view if view == wanted => Ok(()),
            view => Err(format!("the view is {view}, not {wanted}")),
        }
    }
}

/// Whatever pings come, each view names others than the last (see [`Desk::take`]), and nobody is promoted that was not the
/// acknowledged view's backup.
fn pings_at_random(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut rng = synod_stdx::Rng::new(stage.seed);
    let mut lives = [1u64; 4];
    play(stage, |desk| {
        for _ in 0..20_000 {
            let before = desk.view();
            let was_acked = desk.view_server.view_server().is_some_and(ViewServer::is_acked);
            let acked = before.number.0.saturating_sub(rng.below(3));
            let number = rng.between(1, 4) as u32;
            let is_primarys_ack = before.primary.is_some_and(|primary| primary.id == NodeId::server(number))
                && acked == before.number.0;
            let life = &mut lives[number as usize - 1];
            let is_member = before.names(Member { id: NodeId::server(number), life: *life });
            match rng.below(10) {
                0 => desk.check()?,
                // One without a part restarts. If both with a part did, nobody would have the state.
                1 if !is_member => {
                    *life += 1;
                    desk.ping_in_life(number, *life, acked)?;
                }
                // One of a former life comes late: it is not even answered.
                2 if *life > 1 => {
                    let late =
                        Message::Ping { life: *life - 1, acked: ViewNumber(acked), is_backup_lost: false };
                    let from = NodeId::server(number);
                    if !desk.take(Stimulus::Message { from, message: late })?.is_empty() {
                        return Err(format!("a ping of a former life of {from} counted"));
                    }
                }
                _ => desk.ping_in_life(number, *life, acked)?,
            }
            let after = desk.view();
            let is_startup = before.number == ViewNumber::STARTUP;
            if after.number != before.number && !is_startup {
                if !was_acked && !is_primarys_ack {
                    return Err(format!("{before} was not acknowledged, and {after} follows it"));
                }
                if after.primary != before.primary && after.primary != before.backup {
                    return Err(format!("{after} promotes somebody that {before} does not name"));
                }
            }
        }
        if desk.view().number.0 < 100 { Err("hardly anything happened".to_owned()) } else { Ok(()) }
    })
}
