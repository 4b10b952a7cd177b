//! What sources may name, and how large they may be.

use crate::house::{House, Member, Source, is_test_path};
use crate::rust;
use crate::{Objection, assert_tidy, objection};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Stems that say nothing of what a thing is for.
const EMPTY_STEMS: &[&str] =
    &["handle", "handler", "process", "manage", "manager", "util", "utils", "helper", "helpers", "common"];

/// Crates that may touch the machine, besides all programs.
const OUTSIDE: &[&str] = &["host", "debugger", "testkit", "tidy"];

/// Of the programs' shelf, what takes its time from outside.
const TIMELESS: &[&str] = &["store"];

/// Crates whose behaviour follows from what they are given, besides all modules: their lints forbid what would differ
/// from run to run. `store` has a list of its own, since its tests talk to a real server.
const STRICT: &[&str] = &["stdx", "node", "world", "simulator", "history", "script", "journal", "resp"];

fn machine(member: &Member, file: &Source) -> Vec<Objection> {
    if member.shelf == "apps" || OUTSIDE.contains(&member.name.as_str()) {
        return Vec::new();
    }
    let named = rust::parts_of_std(&file.shipped, &["net", "fs", "thread", "env"]);
    named.into_iter().map(|part| objection(&file.path, format!("names std::{part}"))).collect()
}

fn clocks(member: &Member, file: &Source) -> Vec<Objection> {
    let is_program = member.shelf == "apps" && !TIMELESS.contains(&member.name.as_str());
    if is_program || member.name == "host" {
        return Vec::new();
    }
    let clocks = rust::words(&file.shipped).filter(|word| ["Instant", "SystemTime"].contains(word));
    clocks.map(|clock| objection(&file.path, format!("names the clock {clock}"))).collect()
}

/// The one file that reads a wall clock: `docs/design/time.md` lists what it may decide.
const WALL_CLOCK: &str = "framework/host/src/clock.rs";

fn wall_clocks(_: &Member, file: &Source) -> Vec<Objection> {
    if file.path == WALL_CLOCK {
        return Vec::new();
    }
    let named = rust::words(&file.shipped).filter(|word| *word == "SystemTime");
    named.map(|_| objection(&file.path, "reads a wall clock, which may be wrong by years")).collect()
}

fn choosing_world(member: &Member, file: &Source) -> Vec<Objection> {
    let is_world = member.name == "world";
    let choices =
        rust::words(&file.shipped).filter(|word| is_world && ["Rng", "loop", "while"].contains(word));
    choices
        .map(|word| objection(&file.path, format!("the world never chooses, and here is `{word}`")))
        .collect()
}

/// What a protocol may be told or be: each `match` on one of these names every variant.
const NAMED_WHOLE: &[&str] = &["message", "timer", "role", "effect", "event", "stimulus", "departure"];

/// Crates of the framework that match on such values, besides all modules.
const MATCHING: &[&str] = &["node", "world", "simulator", "host"];

fn wildcards(member: &Member, file: &Source) -> Vec<Objection> {
    if member.shelf != "modules" && !MATCHING.contains(&member.name.as_str()) {
        return Vec::new();
    }
    let matches = rust::matches(&file.shipped).into_iter();
    let careless = matches.filter(|(_, scrutinee, body)| {
        rust::words(scrutinee).any(|word| NAMED_WHOLE.contains(&word)) && rust::has_wildcard_arm(body)
    });
    careless
        .map(|(line, scrutinee, _)| {
            objection(&file.path, format!("has `_ =>` in `match {scrutinee}` on line {line}: name the rest"))
        })
        .collect()
}

fn headless(_member: &Member, file: &Source) -> Vec<Objection> {
    let has_header = file.text.starts_with("//! ");
    if has_header { Vec::new() } else { vec![objection(&file.path, "does not begin with a `//!` line")] }
}

fn long_files(_member: &Member, file: &Source) -> Vec<Objection> {
    let lines = file.text.lines().count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![objection(&file.path, format!("has {lines} lines, more than {FILE_LINES_MAX}"))]
}

fn long_functions(_member: &Member, file: &Source) -> Vec<Objection> {
    let long = rust::functions(&file.code).into_iter().filter(|(_, _, lines)| *lines > FUNCTION_LINES_MAX);
    let place = |name: &str| format!("{} {name}", file.path);
    long.map(|(line, name, lines)| {
        objection(
            place(name),
            format!("has {lines} lines from line {line} on, more than {FUNCTION_LINES_MAX}"),
        )
    })
    .collect()
}

fn empty_names(_member: &Member, file: &Source) -> Vec<Objection> {
    let mut found = Vec::new();
    for (_, keyword, name) in rust::definitions(&file.shipped) {
        let stems = snake(name);
        let is_getter = keyword == "fn" && stems.len() > 1 && stems[0] == "get";
        if is_getter || stems.iter().any(|stem| EMPTY_STEMS.contains(&stem.as_str())) {
            found.push(objection(format!("{} {name}", file.path), "has a name that says nothing"));
        }
    }
    let stem = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).unwrap_or_default();
    if !is_test_path(&file.path) && snake(stem).iter().any(|stem| EMPTY_STEMS.contains(&stem.as_str())) {
        found.push(objection(&file.path, "has a name that says nothing"));
    }
    found
}

/// The words of a name in `snake_case` or `CamelCase`, in lower case.
fn snake(name: &str) -> Vec<String> {
    let mut stems = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            stems.push(String::new());
        }
        if c != '_' {
            stems.last_mut().expect("there is always one").extend(c.to_lowercase());
        }
    }
    stems.retain(|stem| !stem.is_empty());
    stems
}

/// Strict zones whose lints are not those of `strict`.
fn lax(member: &Member, strict: Option<&String>) -> Vec<Objection> {
    let is_strict = member.shelf == "modules" || STRICT.contains(&member.name.as_str());
    if !is_strict || strict.is_some() && member.lints.as_ref() == strict {
        return Vec::new();
    }
    vec![objection(&member.name, "needs the clippy.toml of stdx, word for word")]
}

fn unplayed_scripts(member: &Member) -> Vec<Objection> {
    let is_played = |script: &str| {
        let name = script.rsplit('/').next().and_then(|name| name.strip_suffix(".txt")).unwrap_or_default();
        member.files.iter().any(|file| rust::words(&file.code).any(|word| word == name))
    };
    let unplayed = member.scripts.iter().filter(|script| !is_played(script));
    unplayed.map(|script| objection(script, "is played by no test")).collect()
}

fn of_all(check: fn(&Member, &Source) -> Vec<Objection>) -> Vec<Objection> {
    House::read().files().flat_map(|(member, file)| check(member, file)).collect()
}

/// What a check says of `text` as the source of `path`, which names a shelf, a crate and a file.
fn objections_to(check: fn(&Member, &Source) -> Vec<Objection>, path: &str, text: &str) -> usize {
    let mut parts = path.split('/');
    let mut next = || parts.next().unwrap_or_default().to_owned();
    let (shelf, name) = (next(), next());
    let manifest = toml::Table::new();
    let member = Member { shelf, name, manifest, files: Vec::new(), scripts: Vec::new(), lints: None };
    check(&member, &Source::new(path, text)).len()
}

#[test]
fn only_shells_touch_the_machine() {
    assert_tidy("machine", &of_all(machine));
    assert_eq!(
        objections_to(machine, "modules/x/src/lib.rs", "use std::{fmt, fs::File};\nstd::env::args();"),
        2
    );
    assert_eq!(
        objections_to(machine, "modules/x/src/lib.rs", "// std::fs\n#[cfg(test)]\nmod t { use std::fs; }"),
        0
    );
    assert_eq!(objections_to(machine, "framework/host/src/lib.rs", "use std::fs;"), 0);
}

#[test]
fn only_the_host_and_programs_read_a_clock() {
    assert_tidy("clocks", &of_all(clocks));
    assert_eq!(
        objections_to(clocks, "framework/testkit/src/lib.rs", "let now = std::time::Instant::now();"),
        1
    );
    assert_eq!(objections_to(clocks, "modules/x/src/lib.rs", "use std::time::SystemTime as Time;"), 1);
}

#[test]
fn one_file_reads_a_wall_clock() {
    assert_tidy("wall clocks", &of_all(wall_clocks));
    let reads = "let now = std::time::SystemTime::now();";
    assert_eq!(objections_to(wall_clocks, "apps/synod/src/up.rs", reads), 1);
    assert_eq!(objections_to(wall_clocks, "framework/host/src/boot.rs", reads), 1);
    assert_eq!(objections_to(wall_clocks, WALL_CLOCK, reads), 0);
}

#[test]
fn the_world_never_chooses() {
    assert_tidy("world", &of_all(choosing_world));
    assert_eq!(
        objections_to(choosing_world, "framework/world/src/lib.rs", "use synod_stdx::Rng; loop {}"),
        2
    );
}

#[test]
fn every_message_timer_role_and_effect_is_named_where_it_is_matched() {
    assert_tidy("wildcards", &of_all(wildcards));
    let careless = "match &self.role { Role::Leader(_) => {} _ => {} }";
    assert_eq!(objections_to(wildcards, "modules/x/src/lib.rs", careless), 1);
    assert_eq!(objections_to(wildcards, "framework/resp/src/lib.rs", careless), 0);
    let careful = "match message { A(_) => match n { 0 => {} _ => {} }, B | C => {} }";
    assert_eq!(objections_to(wildcards, "modules/x/src/lib.rs", careful), 0);
}

#[test]
fn every_file_says_what_it_is() {
    assert_tidy("headers", &of_all(headless));
    assert_eq!(objections_to(headless, "modules/x/src/lib.rs", "use std::fmt;\n//! Late."), 1);
}

#[test]
fn files_and_functions_stay_small() {
    assert_tidy("long files", &of_all(long_files));
    assert_tidy("long functions", &of_all(long_functions));
    let long_body = format!("fn long() {{\n{}}}\n", "    step();\n".repeat(FUNCTION_LINES_MAX));
    assert_eq!(objections_to(long_functions, "modules/x/src/lib.rs", &long_body), 1);
    let fits = format!("fn fits() {{\n{}\n\n}}\n", "    step();\n".repeat(FUNCTION_LINES_MAX - 2));
    assert_eq!(objections_to(long_functions, "modules/x/src/lib.rs", &fits), 0);
    assert_eq!(objections_to(long_files, "modules/x/src/lib.rs", &"\n".repeat(FILE_LINES_MAX + 1)), 1);
}

#[test]
fn names_say_what_a_thing_is_for() {
    assert_tidy("names", &of_all(empty_names));
    let bad = "fn get_name() {}\nfn handle_message() {}\nmod utils;\nstruct ConnectionManager;\nfn forget_all() {}\nfn get() {}";
    assert_eq!(objections_to(empty_names, "modules/x/src/lib.rs", bad), 4);
    assert_eq!(objections_to(empty_names, "modules/x/src/helpers.rs", ""), 1);
}

#[test]
fn deterministic_crates_have_the_strict_lints() {
    let house = House::read();
    let strict = house.crates.iter().find(|member| member.name == "stdx").and_then(|stdx| stdx.lints.clone());
    assert!(strict.as_ref().is_some_and(|lints| lints.contains("disallowed-types")));
    let found: Vec<_> = house.crates.iter().flat_map(|member| lax(member, strict.as_ref())).collect();
    assert_tidy("strict lints", &found);
    let mut member = house.crates.into_iter().find(|member| member.name == "paxos").expect("it is there");
    member.lints = Some("too-many-lines-threshold = 70".to_owned());
    assert_eq!(lax(&member, strict.as_ref()).len(), 1);
}

#[test]
fn every_golden_script_is_played() {
    let unplayed: Vec<_> = House::read().crates.iter().flat_map(unplayed_scripts).collect();
    assert_tidy("scripts", &unplayed);
    let manifest = toml::Table::new();
    let files = vec![Source::new("modules/x/src/tests.rs", "scripts!(a_claim)")];
    let scripts =
        vec!["modules/x/src/scripts/a_claim.txt".to_owned(), "modules/x/src/scripts/forgotten.txt".into()];
    let member = Member { shelf: "modules".into(), name: "x".into(), manifest, files, scripts, lints: None };
    assert_eq!(
        unplayed_scripts(&member),
        [objection("modules/x/src/scripts/forgotten.txt", "is played by no test")]
    );
}
