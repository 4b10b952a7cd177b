//! Every file of a data directory, damaged in every way: a node serves all that was acknowledged, or ends and names the file.
//! And of three nodes, one of which is damaged while another missed a write: none is lost, ever.

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/images.rs"]
mod images;

use cluster::{Cluster, PATIENCE, Running, Setup, Wire, wait_for, write_until_acknowledged};
use images::{Damage, Image, files_of};
use std::net::SocketAddr;
use std::ops::Range;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;
use synod_resp::Reply;
use synod_stdx::Rng;

/// So many nodes are damaged at a time: most of the time each waits for its first election.
const AT_A_TIME: usize = 12;
/// So many values a node has.
const VALUES: usize = 80;
/// In a run of all tests, one of so many damages is tried.
const PART: usize = 60;

fn key(index: usize) -> String {
    format!("key:{index}")
}

fn value(index: usize) -> String {
    format!("{index:0200}")
}

fn write_values(addresses: &[SocketAddr], indexes: Range<usize>) {
    for index in indexes {
        write_until_acknowledged(addresses, &key(index), &value(index));
    }
}

/// A node on its own with values, a checkpoint and some records behind it, after two starts.
struct Base {
    cluster: Cluster,
    now: Image,
    /// How its directory was before: while it ran, and between its starts.
    before: Vec<Image>,
}

impl Base {
    fn new(name: &str) -> Base {
        let mut cluster = Cluster::start_as(1, |setup| setup.cluster = name.to_owned());
        let data = cluster.node(1).setup.data();
        let addresses = cluster.client_addresses();
        let mut before = vec![Image::of(&data)];
        write_values(&addresses, 0..VALUES / 2);
        before.push(Image::of(&data));
        cluster.kill(1);
        before.push(Image::of(&data));
        cluster.restart(1);
        cluster.await_leader();
        before.push(Image::of(&data));
        write_values(&addresses, VALUES / 2..VALUES);
        cluster.kill(1);
        let now = Image::of(&data);
        Base { cluster, now, before }
    }
}

/// What became of a start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Outcome {
    Refused,
    Served,
}

/// Starts the node in `setup`: it ends and names one of `names`, or serves all values.
fn start_damaged(setup: &Setup, names: &[String]) -> Result<Outcome, String> {
    loop {
        let said = setup.log().len();
        let mut process = setup.start();
        let mut served = None;
        let status = wait_for(PATIENCE, || {
            if let Some(status) = process.ended() {
                return Some(Some(status));
            }
            served = all_values(setup);
            served.as_ref().map(|_| None)
        });
        let news = setup.log().split_off(said);
        match status {
            None => return Err(format!("neither serves nor ends:\n{news}")),
            Some(None) => {
                return match served {
                    Some(Ok(())) => Ok(Outcome::Served),
                    other => Err(format!("served {other:?}:\n{news}")),
                };
            }
            Some(Some(_)) if news.contains("cannot listen on") => {}
            Some(Some(status)) => {
                let words = news.lines().rfind(|line| line.starts_with("synod: ")).unwrap_or_default();
                let is_clear =
                    status.code() == Some(1) && names.iter().any(|name| words.contains(name.as_str()));
                return if is_clear {
                    Ok(Outcome::Refused)
                } else {
                    Err(format!("{status}, {names:?}:\n{news}"))
                };
            }
        }
    }
}

/// Whether all values are there, once the node answers.
fn all_values(setup: &Setup) -> Option<Result<(), String>> {
    let mut wire = Wire::open(setup.own.client, Duration::from_secs(5))?;
    let words: Vec<String> = std::iter::once("MGET".to_owned()).chain((0..VALUES).map(key)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let reply = wire.ask(&words)?;
    let Reply::Array(values) = &reply else { return None };
    let wrong = (0..VALUES).find(|index| values.get(*index) != Some(&Reply::bulk(value(*index).as_str())));
    Some(wrong.map_or(Ok(()), |index| Err(format!("{}: {:?}", key(index), values.get(index)))))
}

/// All damages of a directory: what is done, to which file, and which files may be named for it.
fn damages(base: &Base, foreign: &[&Image]) -> Vec<(Damage, Vec<String>)> {
    let mut all = Vec::new();
    let every_file: Vec<String> = base.now.names();
    for name in &every_file {
        let only = vec![file_name(name)];
        let (bytes, length) = base.now.size_of(name);
        let mut add = |damage| all.push((damage, only.clone()));
        add(Damage::Gone(name.clone()));
        add(Damage::Cut(name.clone(), 0));
        let is_small = length < 4096;
        // In a large file: 20,000 places of what is written, or all, and a few of what is not.
        let step = if is_small { 1 } else { (bytes / 20_000).max(1) };
        let at = |index: u64| index * step;
        let written = (0..bytes.div_ceil(step)).map(at);
        let unwritten = [bytes + 64, (bytes + length) / 2, length.saturating_sub(1)];
        let places: Vec<u64> = written.chain(unwritten).filter(|at| *at < length).collect();
        for at in &places {
            let bits = if is_small { 0..8 } else { (*at % 8) as u8..(*at % 8) as u8 + 1 };
            bits.for_each(|bit| add(Damage::Flip(name.clone(), *at, bit)));
            if is_small || at % 16 == 0 {
                add(Damage::Cut(name.clone(), *at));
            }
            if at % 16 == 0 {
                add(Damage::Zero(name.clone(), *at, 16));
            }
        }
    }
    for other in base.before.iter().chain(foreign.iter().copied()) {
        for name in other.names() {
            // Which of two files that do not fit each other is the wrong one, nobody can tell.
            let any = every_file.iter().map(|name| file_name(name)).chain([file_name(&name)]).collect();
            all.push((Damage::Put(name.clone(), other.file(&name)), any));
        }
        let journal: Vec<String> = files_of("journal", other);
        let any: Vec<String> = every_file.iter().chain(&journal).map(|name| file_name(name)).collect();
        all.push((Damage::PutAll("journal".to_owned(), other.clone()), any.clone()));
        all.push((Damage::PutAll("superblock-".to_owned(), other.clone()), any));
    }
    all
}

fn file_name(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_owned()
}

/// Tries each of `chosen` on a node of its own.
fn try_all(base: &Base, chosen: Vec<(Damage, Vec<String>)>) -> (usize, usize) {
    let left = Mutex::new(chosen.into_iter());
    let counts = Mutex::new((0, 0));
    let failed = Mutex::new(Vec::new());
    let worker = || {
        let mut own = Cluster::prepare(1);
        let setup = &mut own.node(1).setup;
        setup.cluster.clone_from(&base.cluster.nodes[0].setup.cluster);
        loop {
            let next = left.lock().unwrap().next();
            let Some((damage, names)) = next else { return };
            base.now.restore(&setup.data());
            damage.apply(&setup.data());
            match start_damaged(setup, &names) {
                Ok(Outcome::Refused) => counts.lock().unwrap().0 += 1,
                Ok(Outcome::Served) => counts.lock().unwrap().1 += 1,
                Err(problem) => failed.lock().unwrap().push(format!("{damage}: {problem}")),
            }
        }
    };
    std::thread::scope(|scope| (0..AT_A_TIME).for_each(|_| drop(scope.spawn(worker))));
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} failed, the first: {}", failed.len(), failed[0]);
    counts.into_inner().unwrap()
}

/// `choose` picks from all damages.
fn try_chosen(choose: impl Fn(usize) -> bool) {
    let (base, cluster_of_one_name, other_cluster) =
        (Base::new(cluster::NAME), Base::new(cluster::NAME), Base::new("another"));
    let other_node = {
        let mut cluster = Cluster::start(3);
        write_until_acknowledged(&cluster.client_addresses(), "k", "v");
        cluster.await_caught_up();
        cluster.kill(2);
        Image::of(&cluster.node(2).setup.data())
    };
    let all = damages(&base, &[&cluster_of_one_name.now, &other_cluster.now, &other_node]);
    let count = all.len();
    let chosen: Vec<_> =
        all.into_iter().enumerate().filter(|(at, _)| choose(*at)).map(|(_, chosen)| chosen).collect();
    let tried = chosen.len();
    let (refused, served) = try_all(&base, chosen);
    println!("{tried} of {count} damages: {refused} refused, {served} served");
    assert!(refused > 0 && served > 0 && refused + served == tried);
}

#[test]
fn a_damaged_directory_is_refused_by_name_or_served_whole() {
    // Old and foreign copies come last: some of each kind.
    try_chosen(|at| at % PART == 7);
}

#[test]
#[ignore = "takes many minutes: every damage, `cargo test --release -p synod-synod --test disks -- --ignored`"]
fn every_damaged_directory_is_refused_by_name_or_served_whole() {
    try_chosen(|_| true);
}

/// Three nodes. Node 3 missed the write of `k`; nodes 1 and 2, which acknowledged it, are down.
struct Situation {
    cluster: Cluster,
    images: [Image; 3],
    /// Node 1 before the write.
    older: Image,
}

impl Situation {
    fn new() -> Situation {
        let mut cluster = Cluster::start(3);
        write_until_acknowledged(&cluster.client_addresses(), "k", "old");
        cluster.await_caught_up();
        cluster.kill(3);
        let data = cluster.node(1).setup.data();
        let older = Image::of(&data);
        write_until_acknowledged(&[cluster.client_address(1)], "k", "new");
        cluster.await_caught_up();
        // What node 2 heard of node 1 is written down with its next batch, or a moment later.
        std::thread::sleep(Duration::from_millis(400));
        cluster.kill(1);
        cluster.kill(2);
        let images = [1, 2, 3].map(|number| Image::of(&cluster.node(number).setup.data()));
        Situation { cluster, images, older }
    }

    /// Puts everything back, damages node 1, and starts nodes 1 and 3; later node 2.
    fn play(&mut self, damage: &Damage) -> Result<Outcome, String> {
        for (number, image) in (1..).zip(&self.images) {
            image.restore(&self.cluster.node(number).setup.data());
        }
        damage.apply(&self.cluster.node(1).setup.data());
        let setups = [1, 2, 3].map(|number| self.cluster.node(number).setup.clone());
        let said = setups[0].log().len();
        let (mut one, three) = (setups[0].start(), setups[2].start());
        let read = |setup: &Setup| {
            let mut wire = Wire::open(setup.own.client, Duration::from_millis(500))?;
            wire.ask(&["GET", "k"]).filter(|reply| !reply.is_error())
        };
        // Node 1 ends, or both serve: long enough for elections that must not come to pass.
        let early = wait_for(Duration::from_secs(5), || match one.ended() {
            Some(_) => Some(None),
            None => read(&setups[2]).map(Some),
        });
        let outcome = match early.flatten() {
            Some(reply) if reply == Reply::bulk("new") => Outcome::Served,
            Some(reply) => return Err(format!("node 3 answers {reply:?} without node 2")),
            None => Outcome::Refused,
        };
        let refusal = setups[0].log().split_off(said);
        if let Some(status) = one.ended().filter(|status| status.code() != Some(1)) {
            return Err(format!("node 1 ended with {status}: {refusal}"));
        }
        let two = setups[1].start();
        let late = wait_for(PATIENCE, || read(&setups[1]));
        let running: [&Running; 3] = [&one, &two, &three];
        match late {
            Some(reply) if reply == Reply::bulk("new") => Ok(outcome),
            reply => Err(format!("with node 2, {} nodes: {reply:?}; node 1 said {refusal}", running.len())),
        }
    }
}

#[test]
fn no_damage_to_one_of_three_nodes_loses_a_write() {
    let mut situation = Situation::new();
    let names = situation.images[0].names();
    let mut damages: Vec<Damage> = Vec::new();
    for name in &names {
        damages.push(Damage::Gone(name.clone()));
        damages.push(Damage::Cut(name.clone(), 0));
        if situation.older.names().contains(name) {
            damages.push(Damage::Put(name.clone(), situation.older.file(name)));
        }
    }
    let mut rng = Rng::new(24);
    for name in names.iter().filter(|name| situation.images[0].size_of(name).0 > 0) {
        let written = situation.images[0].size_of(name).0;
        damages.extend((0..2).map(|_| Damage::Flip(name.clone(), rng.below(written), rng.below(8) as u8)));
    }
    damages.push(Damage::PutAll("journal".to_owned(), situation.older.clone()));
    damages.push(Damage::PutAll("superblock-".to_owned(), situation.older.clone()));
    let mut outcomes = Vec::new();
    for damage in damages {
        let outcome = situation.play(&damage).unwrap_or_else(|problem| panic!("{damage}: {problem}"));
        outcomes.push((damage.to_string(), outcome));
    }
    println!("{outcomes:#?}");
    assert!(outcomes.iter().any(|(_, outcome)| *outcome == Outcome::Served));
    assert!(outcomes.iter().any(|(_, outcome)| *outcome == Outcome::Refused));
}

/// What no disk shows alone: node 2 has seen more of node 1's.
#[test]
fn a_whole_disk_that_was_put_back_stops_once_it_meets_a_node_that_saw_more() {
    let mut situation = Situation::new();
    for (number, image) in (1..).zip(&situation.images) {
        let image = if number == 1 { &situation.older } else { image };
        image.restore(&situation.cluster.node(number).setup.data());
    }
    let setup = situation.cluster.node(1).setup.clone();
    situation.cluster.restart(2);
    let said = setup.log().len();
    let status = setup.start().wait(PATIENCE).expect("it stops by itself");
    let news = setup.log().split_off(said);
    assert_eq!(status.code(), Some(1), "{news}");
    assert!(
        news.contains("this disk is an older copy of what it was: node 2 has heard of its record"),
        "{news}"
    );
    let status = setup.start().wait(PATIENCE).expect("nor does it start again");
    assert_eq!(status.code(), Some(1));
    situation.cluster.restart(3);
    let addresses = [situation.cluster.client_address(2), situation.cluster.client_address(3)];
    let read = wait_for(PATIENCE, || {
        Wire::open(addresses[1], PATIENCE)?.ask(&["GET", "k"]).filter(|reply| !reply.is_error())
    });
    assert_eq!(read, Some(Reply::bulk("new")));
}

/// `synod disk`, with these words behind it.
fn synod_disk(words: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_synod")).arg("disk").args(words).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code(), text)
}

#[test]
fn a_damaged_node_is_checked_and_brought_back_from_its_peers_by_a_command() {
    let mut cluster = Cluster::start(3);
    let addresses = cluster.client_addresses();
    write_values(&addresses, 0..50);
    cluster.await_caught_up();
    let victim = cluster.follower();
    let setup = cluster.node(victim).setup.clone();
    let data = setup.data();
    let place = data.to_str().unwrap();

    let (code, text) = synod_disk(&["check", place]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("in use by another program"), "{text}");
    assert!(cluster.stop(victim).0.success());
    let (code, text) = synod_disk(&["check", place]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("superblock-a") && text.contains("segment-") && text.contains("Whole:"), "{text}");

    let segment = Image::of(&data).names().into_iter().find(|name| name.contains("segment-")).unwrap();
    Damage::Flip(segment.clone(), 700, 3).apply(&data);
    let (code, text) = synod_disk(&["check", place]);
    assert_eq!(code, Some(1), "{text}");
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("  damaged  ")).collect();
    assert!(lines.len() == 1 && lines[0].starts_with(&file_name(&segment)), "{text}");
    assert!(
        lines[0].contains("at byte ") && text.contains(&format!("synod disk check {place} --repair")),
        "{text}"
    );

    let others: Vec<String> = cluster
        .numbers()
        .into_iter()
        .filter(|number| *number != victim)
        .map(|number| cluster.node(number).setup.own.admin.to_string())
        .collect();
    let config = setup.directory.join("synod.toml");
    let config = config.to_str().unwrap();
    let repair = |admin: &str| {
        synod_disk(&["check", place, "--repair-from-peers", "--config", config, "--admin", admin])
    };
    let (code, text) = repair(&others[0]);
    assert_eq!(code, Some(1), "one of three is no majority: {text}");
    assert!(text.contains("which is no majority"), "{text}");
    let (code, text) = repair(&others.join(","));
    assert_eq!(code, Some(0), "{text}");
    assert!(data.join("damaged-1").join("journal").is_dir(), "{text}");
    let (code, text) = repair(&others.join(","));
    assert_eq!(code, Some(0), "{text}");
    // Its configuration file still says the first life.
    cluster.restart(victim);
    let is_back = || cluster.status(victim).filter(|status| cluster.follows(victim) && status.keys >= 50);
    assert!(wait_for(PATIENCE, is_back).is_some(), "{:?}", cluster.status(victim));
    // And again, when the superblocks are lost too.
    assert!(cluster.stop(victim).0.success());
    for name in ["superblock-a", "superblock-b", "journal/manifest"] {
        Damage::Cut(name.to_owned(), 0).apply(&data);
    }
    let (code, text) = repair(&others.join(","));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("say --incarnation 1"), "{text}");
    let with = |incarnation: &str| {
        let words = ["check", place, "--repair-from-peers", "--config", config, "--admin", &others.join(",")];
        synod_disk(&[&words[..], &["--incarnation", incarnation]].concat())
    };
    let (code, text) = with("2");
    assert_eq!(code, Some(0), "{text}");
    cluster.restart(victim);
    let is_back = || cluster.status(victim).filter(|status| cluster.follows(victim) && status.keys >= 50);
    assert!(wait_for(PATIENCE, is_back).is_some(), "{:?}", cluster.status(victim));
}

#[test]
fn a_check_of_nothing_says_what_to_give() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("nothing");
    let (code, text) = synod_disk(&["check", place.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("it is no directory; give the one that the node has as `data`"), "{text}");
    assert!(!place.exists());
}
