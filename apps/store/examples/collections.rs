//! How long commands on collections of 100,000 elements take on one core, without sockets; and what a write costs while a
//! snapshot holds the collection: `cargo run --release -p synod-store --example collections`.

use std::hint::black_box;
use std::time::Instant;
use synod_node::StateMachine as _;
use synod_resp::{Limits, Parsed, RequestParser, write_request};
use synod_stdx::{Rng, Wire as _};
use synod_store::{Action, Command, Environment, Keyspace, NoFacts, Outcome, Session, Settings};

const ELEMENTS: u64 = 100_000;
const SAMPLES: usize = 20_000;

/// What a client's line becomes.
fn command(line: &str, random: u64) -> Command {
    let settings = Settings::default();
    let environment = Environment { monotonic_ms: 1, random, settings: &settings, facts: &NoFacts };
    let mut session = Session::new(1, String::new(), &environment);
    let (mut bytes, mut parser) = (Vec::new(), RequestParser::new(Limits::default(), true));
    write_request(&mut bytes, &line.split(' ').collect::<Vec<_>>());
    let Ok(Parsed::Command(args)) = parser.advance(&bytes) else { panic!("{line}") };
    let Action::Submit(command, awaiting) = session.on_command(args, &environment) else { panic!("{line}") };
    session.on_outcome(awaiting, Outcome::Done(synod_resp::Reply::OK));
    command
}

/// Commands of a template in which `#` stands for the number of an element.
fn commands(template: &str, count: usize) -> Vec<Command> {
    let mut rng = Rng::new(1);
    let line = |number: u64| template.replace('#', &number.to_string());
    (0..count).map(|_| command(&line(rng.below(ELEMENTS)), rng.next_u64())).collect()
}

fn run(keyspace: &mut Keyspace, command: &Command) {
    match Keyspace::is_read_only(command) {
        true => drop(black_box(keyspace.query(command))),
        false => drop(black_box(keyspace.apply(command))),
    }
}

fn measure(template: &str, keyspace: &mut Keyspace) {
    let commands = commands(template, SAMPLES);
    let started = Instant::now();
    commands.iter().for_each(|command| run(keyspace, command));
    let each = started.elapsed().as_secs_f64() * 1e6 / SAMPLES as f64;
    println!("{template:36} {each:8.2} µs");
}

/// As `measure`, with a new snapshot held during each command: the most that copying can cost.
fn measure_shared(template: &str, keyspace: &mut Keyspace) {
    let commands = commands(template, 2_000);
    let (mut sum, mut worst) = (0.0, 0.0f64);
    for command in &commands {
        let snapshot = keyspace.clone();
        let started = Instant::now();
        run(keyspace, command);
        let took = started.elapsed().as_secs_f64() * 1e6;
        drop(snapshot);
        sum += took;
        worst = worst.max(took);
    }
    let each = sum / commands.len() as f64;
    println!("{template:36} {each:8.2} µs behind a snapshot, {worst:.0} µs at worst");
}

fn main() {
    let mut keyspace = Keyspace::new();
    for number in 0..ELEMENTS {
        for template in ["HSET h f# v#", "RPUSH l e#", "SADD s m#", "ZADD z # m#"] {
            run(&mut keyspace, &command(&template.replace('#', &number.to_string()), 0));
        }
    }
    for template in [
        "HGET h f#",
        "HSET h f# w",
        "LINDEX l #",
        "LSET l # w",
        "LPUSH l w",
        "RPOP l",
        "SISMEMBER s m#",
        "SRANDMEMBER s 10",
        "SADD s n#",
        "ZSCORE z m#",
        "ZRANK z m#",
        "ZRANGE z 0 9",
        "ZRANGE z -10 -1 WITHSCORES",
        "ZRANGE z # # WITHSCORES",
        "ZRANGEBYSCORE z # +inf LIMIT 0 10",
        "ZINCRBY z 0.5 m#",
        "ZADD z # n#",
    ] {
        measure(template, &mut keyspace);
    }
    for template in ["SET k v", "HSET h f# x", "LSET l # x", "LPUSH l x", "SADD s o#", "ZINCRBY z 0.5 m#"] {
        measure_shared(template, &mut keyspace);
    }
    let started = Instant::now();
    let bytes = keyspace.to_bytes();
    println!("writing {} MB: {:.0} ms", bytes.len() >> 20, started.elapsed().as_secs_f64() * 1e3);
    let started = Instant::now();
    let copy = Keyspace::from_bytes(&bytes);
    println!("reading them: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    assert_eq!(copy.as_ref(), Ok(&keyspace));
}
