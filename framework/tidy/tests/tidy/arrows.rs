//! Who may depend on whom, and what a manifest may say.

use crate::house::{House, Member};
use crate::{Objection, assert_tidy, objection};

/// The crates, and which of the others each may depend on. Arrows go up this list only, so there is no circle.
const ARROWS: &[(&str, &[&str])] = &[
    ("tidy", &[]),
    ("stdx", &[]),
    ("node", &["stdx"]),
    ("world", &["stdx", "node"]),
    ("history", &["stdx"]),
    // The drivers: they know the world, and not each other.
    ("simulator", &["stdx", "node", "world"]),
    ("checker", &["stdx", "node", "world"]),
    ("script", &["stdx", "node", "world"]),
    ("debugger", &["stdx", "node", "world"]),
    ("journal", &["stdx"]),
    // The host knows the world for the format of recordings alone.
    ("host", &["stdx", "node", "world", "journal"]),
    ("testkit", &["stdx", "node", "world", "history", "simulator", "checker", "debugger", "script"]),
    ("resp", &["stdx"]),
    ("pingpong", &["stdx", "node"]),
    ("register", &["stdx", "node"]),
    ("clientserver", &["stdx", "node"]),
    ("primarybackup", &["stdx", "node", "clientserver"]),
    ("paxos", &["stdx", "node", "clientserver"]),
    ("shardedstore", &["stdx", "node", "clientserver", "paxos"]),
    ("store", &["stdx", "node", "clientserver", "shardedstore", "resp"]),
    ("client", &["stdx", "resp"]),
    // What is claimed of each module, and the list of all of it.
    (
        "verify",
        &["stdx", "node", "world", "history", "simulator", "checker", "debugger", "testkit", "clientserver"],
    ),
    ("verify-pingpong", &["node", "simulator", "checker", "debugger", "testkit", "pingpong", "verify"]),
    (
        "verify-register",
        &["stdx", "node", "history", "simulator", "checker", "debugger", "testkit", "register", "verify"],
    ),
    (
        "verify-clientserver",
        &["node", "simulator", "checker", "debugger", "testkit", "clientserver", "verify"],
    ),
    (
        "verify-primarybackup",
        &[
            "stdx",
            "node",
            "world",
            "simulator",
            "checker",
            "debugger",
            "testkit",
            "clientserver",
            "primarybackup",
            "verify",
        ],
    ),
    (
        "verify-paxos",
        &[
            "stdx",
            "node",
            "world",
            "history",
            "simulator",
            "checker",
            "debugger",
            "testkit",
            "clientserver",
            "paxos",
            "verify",
        ],
    ),
    (
        "verify-shardedstore",
        &[
            "stdx",
            "node",
            "world",
            "history",
            "simulator",
            "checker",
            "debugger",
            "testkit",
            "clientserver",
            "paxos",
            "shardedstore",
            "verify",
            "verify-paxos",
        ],
    ),
    (
        "verify-store",
        &[
            "stdx",
            "node",
            "world",
            "simulator",
            "checker",
            "testkit",
            "clientserver",
            "paxos",
            "shardedstore",
            "resp",
            "store",
            "verify",
            "verify-shardedstore",
        ],
    ),
    (
        "registry",
        &[
            "world",
            "debugger",
            "testkit",
            "verify",
            "verify-pingpong",
            "verify-register",
            "verify-clientserver",
            "verify-primarybackup",
            "verify-paxos",
            "verify-shardedstore",
            "verify-store",
        ],
    ),
    (
        "synod",
        &[
            "stdx",
            "node",
            "world",
            "history",
            "checker",
            "debugger",
            "journal",
            "host",
            "testkit",
            "resp",
            "pingpong",
            "clientserver",
            "primarybackup",
            "paxos",
            "shardedstore",
            "store",
            "client",
            "verify-shardedstore",
            "registry",
        ],
    ),
];

/// What the tests of modules may lean on besides.
const TEST_BENCH: &[&str] = &["script", "testkit"];

const DRIVERS: &[&str] = &["simulator", "checker", "script", "debugger", "host"];

/// Names of crates that draw numbers: randomness comes from `stdx`, seeded.
const RANDOM: &[&str] = &["rand", "fastrand", "getrandom", "oorandom", "nanorand", "quickcheck"];

fn allowed(name: &str) -> Option<&'static [&'static str]> {
    ARROWS.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, allowed)| *allowed)
}

fn forbidden_arrows(member: &Member) -> Vec<Objection> {
    let name = member.name.as_str();
    let Some(allowed) = allowed(name) else {
        return vec![objection(name, "has no row in ARROWS: say there what it may depend on")];
    };
    let mut found = Vec::new();
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let is_test = section == "dev-dependencies";
        for (dependency, is_member) in member.dependencies(section) {
            let is_bench =
                is_test && member.shelf != "framework" && TEST_BENCH.contains(&dependency.as_str());
            if is_member && !allowed.contains(&dependency.as_str()) && !is_bench {
                found.push(objection(name, format!("may not depend on {dependency} ({section})")));
            }
            if !is_member && !is_test && member.shelf == "modules" {
                found.push(objection(name, format!("is a module and may not depend on {dependency}")));
            }
        }
    }
    found
}

fn downward_arrows(arrows: &[(&str, &[&str])]) -> Vec<Objection> {
    let mut above: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for (name, allowed) in arrows {
        for dependency in allowed.iter().filter(|dependency| !above.contains(*dependency)) {
            found.push(objection(*name, format!("stands above {dependency}, which it may depend on")));
        }
        above.push(name);
    }
    found
}

fn acquainted_drivers(member: &Member) -> Vec<Objection> {
    let mut found = Vec::new();
    for section in ["dependencies", "dev-dependencies"] {
        for (dependency, _) in member.dependencies(section) {
            if DRIVERS.contains(&member.name.as_str()) && DRIVERS.contains(&dependency.as_str()) {
                found.push(objection(&member.name, format!("knows the driver {dependency}")));
            }
            if member.name == "history" && ["node", "world"].contains(&dependency.as_str()) {
                found.push(objection(
                    &member.name,
                    format!("judges what clients saw, and knows {dependency}"),
                ));
            }
        }
    }
    found
}

fn foreign_randomness(member: &Member) -> Vec<Objection> {
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    let names = sections.iter().flat_map(|section| member.dependencies(section));
    let is_random =
        |name: &str| RANDOM.contains(&name) || name.starts_with("rand_") || name.starts_with("rand-");
    let random = names.filter(|(name, _)| is_random(name));
    random.map(|(name, _)| objection(&member.name, format!("draws numbers from {name}"))).collect()
}

fn features(member: &Member) -> Vec<Objection> {
    let table = member.manifest.get("features").map(|_| objection(&member.name, "has features"));
    let conditions = member.files.iter().filter(|file| file.text.contains("cfg(feature"));
    let shown = conditions.filter(|file| !file.path.starts_with("framework/tidy/"));
    table.into_iter().chain(shown.map(|file| objection(&file.path, "depends on a feature"))).collect()
}

/// Versions stand once, in the root.
fn versions_of_their_own(member: &Member) -> Vec<Objection> {
    let mut found = Vec::new();
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let table = member.manifest.get(section).and_then(|section| section.as_table());
        for (name, value) in table.into_iter().flatten() {
            if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                found.push(objection(&member.name, format!("names a version of {name}: the root does")));
            }
        }
    }
    found
}

/// Third-party dependencies of the root's manifest that say no reason.
fn without_reason(manifest: &str) -> Vec<Objection> {
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let lines = section.lines().skip(1).take_while(|line| !line.starts_with('['));
    let foreign = lines.filter(|line| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#') && !line.starts_with("synod-")
    });
    let bare = foreign.filter(|line| line.rsplit_once("# ").is_none_or(|(_, reason)| reason.len() < 8));
    bare.map(|line| objection("Cargo.toml", format!("no reason behind `{line}`"))).collect()
}

fn of_all(check: fn(&Member) -> Vec<Objection>) -> Vec<Objection> {
    House::read().crates.iter().flat_map(check).collect()
}

/// A crate that exists only here.
fn example(shelf: &str, name: &str, manifest: &str, source: &str) -> Member {
    Member {
        shelf: shelf.to_owned(),
        name: name.to_owned(),
        manifest: manifest.parse().expect("the example is well-formed"),
        files: vec![crate::house::Source::new(&format!("{shelf}/{name}/src/lib.rs"), source)],
        scripts: Vec::new(),
        lints: None,
    }
}

fn objects(check: fn(&Member) -> Vec<Objection>, shelf: &str, name: &str, manifest: &str) -> bool {
    !check(&example(shelf, name, manifest, "")).is_empty()
}

#[test]
fn arrows_go_one_way() {
    assert_tidy("arrows", &of_all(forbidden_arrows));
    assert_tidy("order of arrows", &downward_arrows(ARROWS));
    let paxos = |manifest| objects(forbidden_arrows, "modules", "paxos", manifest);
    assert!(paxos("[dependencies]\nsynod-simulator.workspace = true"));
    assert!(paxos("[dependencies]\nserde.workspace = true"));
    assert!(paxos("[dev-dependencies]\nsynod-host.workspace = true"));
    assert!(!paxos(
        "[dependencies]\nsynod-node.workspace = true\n[dev-dependencies]\nsynod-script.workspace = true"
    ));
    assert!(objects(
        forbidden_arrows,
        "framework",
        "world",
        "[dev-dependencies]\nsynod-testkit.workspace = true"
    ));
    assert!(objects(forbidden_arrows, "framework", "newcomer", ""));
    assert!(!downward_arrows(&[("a", &["b"]), ("b", &[])]).is_empty());
}

#[test]
fn drivers_do_not_know_each_other_and_history_knows_no_system() {
    assert_tidy("drivers", &of_all(acquainted_drivers));
    let knows = |name, manifest| objects(acquainted_drivers, "framework", name, manifest);
    assert!(knows("script", "[dev-dependencies]\nsynod-simulator.workspace = true"));
    assert!(knows("history", "[dependencies]\nsynod-node.workspace = true"));
    assert!(!knows("history", "[dependencies]\nsynod-stdx.workspace = true"));
}

#[test]
fn randomness_comes_from_stdx_alone() {
    assert_tidy("randomness", &of_all(foreign_randomness));
    assert!(objects(foreign_randomness, "apps", "x", "[dependencies]\nrand.workspace = true"));
    assert!(objects(foreign_randomness, "apps", "x", "[dev-dependencies]\nrand_chacha.workspace = true"));
}

#[test]
fn no_feature_changes_behaviour() {
    assert_tidy("features", &of_all(features));
    assert!(objects(features, "apps", "x", "[features]\nfast = []"));
    assert!(!features(&example("apps", "x", "", "#[cfg(feature = \"fast\")]\nfn f() {}")).is_empty());
}

#[test]
fn versions_stand_once_each_with_a_reason() {
    assert_tidy("versions", &of_all(versions_of_their_own));
    assert_tidy("reasons", &without_reason(&House::read().root_manifest));
    assert!(objects(versions_of_their_own, "apps", "x", "[dependencies]\nserde = \"1\""));
    let bare = "[workspace.dependencies]\nsynod-x = { path = \"x\" }\nserde = \"1\"\ntoml = \"1\" # configuration files\n";
    assert_eq!(without_reason(bare).len(), 1);
}
