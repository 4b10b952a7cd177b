//! What goes wrong goes wrong as told.

use super::{Do, N1, N2, N3, Probe, calm, probe, three, who_hears_whom};
use crate::{Network, Options, Scope, Simulator};
use synod_node::NodeId;

const ALL: [(NodeId, NodeId); 6] = [(N1, N2), (N1, N3), (N2, N1), (N2, N3), (N3, N1), (N3, N2)];

#[test]
fn the_narrower_loss_wins() {
    let mut network = Network::default();
    assert_eq!(network.loss(N1, N2), None);
    network.lose(Scope::All, 1);
    assert_eq!(network.loss(N1, N2), Some(1));
    network.lose(Scope::To(N2), 2);
    assert_eq!(network.loss(N1, N2), Some(2));
    network.lose(Scope::From(N1), 3);
    assert_eq!(network.loss(N1, N2), Some(3));
    network.lose(Scope::Link(N1, N2), 4);
    assert_eq!(network.loss(N1, N2), Some(4));
    assert_eq!(
        [network.loss(N2, N1), network.loss(N1, N3), network.loss(N3, N2)],
        [Some(1), Some(3), Some(2)]
    );
    network.forget_loss(Scope::Link(N1, N2));
    assert_eq!(network.loss(N1, N2), Some(3), "the next wider one counts");
}

#[test]
fn loss_is_per_link_sender_receiver_or_for_all() {
    let lossy = |scope: Scope| {
        let mut sim = three(1, calm());
        sim.network().lose(scope, 1000);
        who_hears_whom(&mut sim)
    };
    let without = |lost: fn(NodeId, NodeId) -> bool| -> Vec<_> {
        ALL.into_iter().filter(|(from, to)| !lost(*from, *to)).collect()
    };
    assert_eq!(lossy(Scope::Link(N1, N2)), without(|from, to| (from, to) == (N1, N2)));
    assert_eq!(lossy(Scope::From(N1)), without(|from, _| from == N1));
    assert_eq!(lossy(Scope::To(N1)), without(|_, to| to == N1));
    assert_eq!(lossy(Scope::All), []);
}

#[test]
fn so_many_in_a_thousand_are_lost_as_were_asked_for() {
    let mut sim = three(5, Options { loss_permille: 250, ..calm() });
    for word in 0..2_000 {
        sim.ask(N1, Do::Say(word)).unwrap();
    }
    sim.run_ms(10).unwrap();
    let heard = probe(&sim, N2).heard.len();
    assert!((1_400..1_600).contains(&heard), "{heard} of 2000 arrived where about 1500 should");
    assert_eq!((sim.sent_to(N2), sim.delivered(N2)), (2_000, heard as u64));
}

#[test]
fn only_nodes_of_one_group_talk_and_healing_ends_it() {
    let mut sim = three(1, calm());
    sim.network().partition(&[&[N1, N2], &[N3]]);
    assert_eq!(who_hears_whom(&mut sim), [(N1, N2), (N2, N1)]);
    sim.network().partition(&[&[N1, N3]]);
    assert_eq!(who_hears_whom(&mut sim), [(N1, N3), (N3, N1)], "who is in no group reaches nobody");
    sim.network().heal();
    assert_eq!(who_hears_whom(&mut sim), ALL);
}

#[test]
fn a_node_in_two_groups_is_a_bridge() {
    let mut sim = three(1, calm());
    sim.network().partition(&[&[N1, N2], &[N2, N3]]);
    assert_eq!(who_hears_whom(&mut sim), [(N1, N2), (N2, N1), (N2, N3), (N3, N2)]);
}

#[test]
fn a_cut_is_one_way_until_it_is_mended() {
    let mut sim = three(1, calm());
    sim.network().cut(N1, N2);
    assert_eq!(who_hears_whom(&mut sim), ALL[1..]);
    sim.network().mend(N1, N2);
    sim.network().cut_both(N3, &[N1, N2]);
    assert_eq!(who_hears_whom(&mut sim), [(N1, N2), (N2, N1)]);
}

#[test]
fn a_message_under_way_is_lost_if_its_link_is_cut_meanwhile() {
    let mut sim = three(1, calm());
    sim.ask(N1, Do::Say(1)).unwrap();
    sim.network().cut(N1, N2);
    sim.run_ms(5).unwrap();
    assert_eq!((probe(&sim, N2).heard.len(), probe(&sim, N3).heard.len()), (0, 1));
}

#[test]
fn messages_are_duplicated() {
    let mut sim = three(1, Options { duplicate_permille: 1000, ..calm() });
    sim.ask(N1, Do::Say(7)).unwrap();
    sim.run_ms(5).unwrap();
    assert_eq!(probe(&sim, N2).heard, [(N1, 7), (N1, 7)]);
}

#[test]
fn messages_overtake_each_other() {
    let mut sim = three(1, Options { latency_us: (100, 10_000), ..calm() });
    for word in 0..100 {
        sim.ask(N1, Do::Say(word)).unwrap();
    }
    sim.run_ms(20).unwrap();
    let heard: Vec<u64> = probe(&sim, N2).heard.iter().map(|(_, word)| *word).collect();
    assert_eq!(heard.len(), 100);
    assert!(!heard.is_sorted(), "a hundred messages of random latency arrived in order");
}

#[test]
fn a_few_messages_take_much_longer_than_the_others() {
    let mut sim = three(1, Options { tail_permille: 100, tail_us_max: 100_000, ..calm() });
    for word in 0..100 {
        sim.ask(N1, Do::Say(word)).unwrap();
    }
    sim.run_ms(2).unwrap();
    let early = probe(&sim, N2).heard.len();
    assert!((75..100).contains(&early), "{early} of 100 arrived in the usual time");
    sim.run_ms(100).unwrap();
    assert_eq!(probe(&sim, N2).heard.len(), 100);
}

#[test]
fn a_crash_loses_what_was_not_durable_and_keeps_what_was() {
    let mut sim = three(1, calm());
    sim.ask(N1, Do::Keep(1)).unwrap();
    sim.run_ms(1).unwrap();
    sim.ask(N1, Do::Keep(2)).unwrap();
    sim.crash(N1).unwrap();
    sim.run_ms(5).unwrap();
    sim.restart(N1).unwrap();
    assert_eq!(probe(&sim, N1).kept, [1]);
    assert_eq!(probe(&sim, N2).heard, [(N1, 1)], "what promises the lost record never left");
    // The write of the former life does not finish in this one.
    sim.ask(N1, Do::Keep(3)).unwrap();
    sim.run_ms(5).unwrap();
    assert_eq!(sim.world().disk(N1).unwrap().records, [1, 3]);
}

#[test]
fn a_replaced_node_begins_with_an_empty_disk() {
    let mut sim = three(1, calm());
    sim.ask(N1, Do::Keep(1)).unwrap();
    sim.run_ms(5).unwrap();
    sim.crash(N1).unwrap();
    sim.replace(N1, Probe::default()).unwrap();
    assert_eq!(*probe(&sim, N1), Probe::default());
    assert!(sim.world().disk(N1).unwrap().records.is_empty());
}

#[test]
fn messages_to_a_crashed_node_are_lost() {
    let mut sim = three(1, calm());
    sim.crash(N2).unwrap();
    sim.ask(N1, Do::Say(1)).unwrap();
    sim.run_ms(5).unwrap();
    sim.restart(N2).unwrap();
    sim.run_ms(5).unwrap();
    assert_eq!(probe(&sim, N2).heard, []);
}

#[test]
fn a_pause_defers_everything_and_resuming_delivers_it() {
    let mut sim = three(1, calm());
    sim.ask(N2, Do::Remember(1, 5, 5)).unwrap();
    sim.pause(N2);
    sim.ask(N1, Do::Say(1)).unwrap();
    sim.run_ms(100).unwrap();
    assert_eq!((probe(&sim, N2).heard.len(), probe(&sim, N2).fired.len()), (0, 0));
    sim.resume(N2);
    sim.run_ms(0).unwrap();
    assert_eq!(sim.now_us(), 100_000);
    assert_eq!((&probe(&sim, N2).heard[..], &probe(&sim, N2).fired[..]), (&[(N1, 1)][..], &[1][..]));
}

/// When a timer of 100 ms fires at `id`, in microseconds.
fn rings_at(sim: &mut Simulator<Probe>, id: NodeId) -> u64 {
    let (begin, count) = (sim.now_us(), probe(sim, id).fired.len());
    sim.ask(id, Do::Remember(1, 100, 100)).unwrap();
    assert!(sim.run_until(1_000, |sim| probe(sim, id).fired.len() > count).unwrap());
    sim.now_us() - begin
}

#[test]
fn each_clock_runs_at_a_rate_of_its_own() {
    let mut sim = three(1, calm());
    assert_eq!(rings_at(&mut sim, N1), 100_000, "without skew clocks are right");
    sim.options().clock_skew_permille = 200;
    let rates: Vec<u64> = [N1, N2, N3].map(|id| rings_at(&mut sim, id)).to_vec();
    assert!(rates.iter().all(|us| (80_000..=120_000).contains(us)), "{rates:?}");
    assert!(rates[0] != rates[1] || rates[1] != rates[2], "{rates:?}");
    assert_eq!(rings_at(&mut sim, N1), rates[0], "a node's rate stays");
}

#[test]
fn timers_of_one_node_that_do_not_overlap_keep_their_order_whatever_its_clock() {
    for seed in 0..200 {
        let mut sim = three(seed, Options { clock_skew_permille: 500, ..calm() });
        for number in 0..10 {
            let from = u64::from(number) * 3;
            sim.ask(N1, Do::Remember(number, from, from + 3)).unwrap();
        }
        sim.run_ms(100).unwrap();
        assert_eq!(probe(&sim, N1).fired, (0..10).collect::<Vec<u8>>(), "seed {seed}");
    }
}

#[test]
fn timers_that_do_not_overlap_keep_their_order_when_clocks_change_their_rate_between() {
    for seed in 0..200 {
        for skews in [[0, 900, 0], [900, 0, 900], [100, 999, 500]] {
            let mut sim = three(seed, calm());
            for (number, skew) in (0..).zip(skews) {
                sim.options().clock_skew_permille = skew;
                sim.ask(N1, Do::Remember(number, 20, 20)).unwrap();
                sim.run_ms(1).unwrap();
            }
            assert!(sim.run_until(100, |sim| probe(sim, N1).fired.len() == 3).unwrap());
            assert_eq!(probe(&sim, N1).fired, [0, 1, 2], "seed {seed}, skews {skews:?}");
        }
    }
}

#[test]
fn a_clock_that_changes_its_rate_changes_it_for_timers_that_wait() {
    let mut sim = three(1, calm());
    sim.options().clock_skew_permille = 500;
    let skewed = rings_at(&mut sim, N1);
    assert_ne!(skewed, 100_000);
    sim.options().clock_skew_permille = 0;
    let begin = sim.now_us();
    sim.ask(N1, Do::Remember(1, 100, 100)).unwrap();
    sim.run_ms(50).unwrap();
    sim.options().clock_skew_permille = 500;
    assert!(sim.run_until(1_000, |sim| probe(sim, N1).fired.len() == 2).unwrap());
    assert_eq!(sim.now_us() - begin, 50_000 + skewed / 2);
}

#[test]
fn a_slow_disk_delays_what_promises_and_nothing_else() {
    let mut sim = three(1, Options { disk_us: (50_000, 50_000), ..calm() });
    sim.ask(N1, Do::Say(1)).unwrap();
    sim.ask(N1, Do::Keep(2)).unwrap();
    sim.run_ms(50).unwrap();
    assert_eq!(probe(&sim, N2).heard, [(N1, 1)]);
    sim.run_ms(1).unwrap();
    assert_eq!(probe(&sim, N2).heard, [(N1, 1), (N1, 2)]);
}

#[test]
fn one_disk_write_covers_all_that_waits_for_it() {
    let mut sim = three(1, Options { disk_us: (10_000, 10_000), ..calm() });
    for word in 1..=5 {
        sim.ask(N1, Do::Keep(word)).unwrap();
    }
    sim.run_ms(10).unwrap();
    assert_eq!(sim.world().disk(N1).unwrap().records, [1]);
    sim.run_ms(10).unwrap();
    assert_eq!(sim.world().disk(N1).unwrap().records, [1, 2, 3, 4, 5]);
}

#[test]
fn settings_that_change_during_a_run_take_effect() {
    let mut sim = three(1, calm());
    assert_eq!(who_hears_whom(&mut sim), ALL);
    sim.options().loss_permille = 1000;
    assert_eq!(who_hears_whom(&mut sim), []);
    sim.network().lose(Scope::From(N1), 0);
    assert_eq!(who_hears_whom(&mut sim), ALL[..2], "what is said of a sender wins over the options");
    sim.options().loss_permille = 0;
    sim.options().latency_us = (20_000, 20_000);
    assert_eq!(who_hears_whom(&mut sim), [], "nothing arrives within ten milliseconds any more");
}
