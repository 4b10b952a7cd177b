//! The sharded store on simulated servers of a fixed speed: what groups add, what a transaction across them costs, and how
//! long a slot is away when it moves. Virtual time: the same figures on every machine.

mod measure;
mod users;

use measure::{Figures, Load, Plan, measure};

fn main() {
    println!(
        "each server takes 100 µs a message; messages are 200 to 400 µs on their way, a write to disk 100 to 200 µs"
    );
    println!();
    println!("groups  clients  commands/s  of the last doubling   p50 ms   p99 ms");
    let mut before: Option<f64> = None;
    for groups in [1, 2, 4, 8, 16, 32, 64] {
        let figures =
            measure(&Plan { groups, clients: 24 * groups, load: Load::OneKey, moves: false, ms: 300 });
        let ratio = before.map_or("".to_owned(), |before| format!("{:.2}", figures.rate / before / 2.0));
        before = Some(figures.rate);
        println!(
            "{groups:>6}  {:>7}  {:>10.0}  {ratio:>20}  {:>7.2}  {:>7.2}",
            24 * groups,
            figures.rate,
            figures.p50_ms,
            figures.p99_ms
        );
    }
    println!();
    println!("four groups, 48 clients: commands over two keys");
    println!("what                              commands/s   p50 ms   p99 ms");
    for (what, load) in [
        ("one key", Load::OneKey),
        ("two keys of one group", Load::SameGroup),
        ("two keys at random", Load::TwoGroups),
        ("two keys at random, read", Load::ReadTwoGroups),
        ("two keys of the same sixteen", Load::Contended),
    ] {
        row(what, &measure(&Plan { groups: 4, clients: 48, load, moves: false, ms: 1_000 }));
    }
    println!();
    println!("two groups, 32 clients, 256 slots of 40 kB: half of them move");
    println!("what                              commands/s   p50 ms   p99 ms");
    for (what, moves) in [("nothing moves", false), ("128 slots move", true)] {
        let figures = measure(&Plan { groups: 2, clients: 32, load: Load::Large, moves, ms: 2_000 });
        row(what, &figures);
        if moves {
            println!(
                "a slot that moved was away {:.1} ms (median), {:.1} ms (the longest); all had moved after {:.0} ms",
                figures.away_p50_ms, figures.away_max_ms, figures.moved_ms
            );
        }
    }
}

fn row(what: &str, figures: &Figures) {
    println!("{what:<32}  {:>10.0}  {:>7.2}  {:>7.2}", figures.rate, figures.p50_ms, figures.p99_ms);
}
