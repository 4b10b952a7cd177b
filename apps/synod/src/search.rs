//! `synod test --search` and `synod test --replay`: the model checker's half of the command line.

use crate::cli::{Test, usage_error};
use crate::config::memory_bytes;
use crate::words::thousands;
use crate::{debug, interrupt, modules};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::fs;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use synod_checker::{Progress, Stats};
use synod_registry::opened::{self, known_mutant};
use synod_testkit::{
    Hunted, Mutant, Orders, Replayed, Search, Searched, StageReport, Stop, Watcher, Without, hunt, play_one,
    resident_bytes, search_one,
};
use synod_world::Trace;

/// Who watches the searches of a command: prints what goes on and what came of it.
struct Onlooker {
    begin: Instant,
    bar: ProgressBar,
    is_json: bool,
    is_verbose: bool,
}

impl Onlooker {
    fn new(arguments: &Test) -> Self {
        let shows = std::io::stderr().is_terminal() && !arguments.json;
        let bar = if shows { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        Onlooker { begin: Instant::now(), bar, is_json: arguments.json, is_verbose: arguments.verbose }
    }

    fn print(&self, line: &str) {
        self.bar.suspend(|| println!("{line}"));
    }
}

impl Watcher for Onlooker {
    fn seconds(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    fn on_stage(&self, search: &Search, stage: &str) {
        self.bar.set_prefix(format!("{} {} {stage}", search.module, search.number));
        self.bar.enable_steady_tick(Duration::from_millis(250));
    }

    fn on_progress(&self, progress: &Progress) {
        let Progress { unique, generated, depth, frontier } = progress;
        self.bar.set_message(format!(
            "{}: {} states, {} transitions, depth {depth}, {} to go, {}",
            self.bar.prefix(),
            thousands(*unique),
            thousands(*generated),
            thousands(*frontier),
            resident_bytes().map_or_else(String::new, bytes)
        ));
    }

    fn on_report(&self, search: &Search, report: &StageReport) {
        if self.is_json {
            println!("{}", to_json(search, report));
            return;
        }
        self.print(&format!("  {} ({}): {}", report.stage, report.how, report.verdict));
        for line in figures(&report.stats, report.seconds) {
            self.print(&format!("      {line}"));
        }
        if let Some(found) = &report.found {
            let is_long = found.steps > 60 && !self.is_verbose;
            let told: Vec<&str> = found.told.lines().collect();
            let shown = if is_long { &told[..told.len().min(120)] } else { &told[..] };
            shown.iter().for_each(|line| self.print(line));
            if is_long {
                self.print("      … and so on: --verbose prints it all");
            }
            self.print(&format!("      => {}: {}", found.subject, found.words));
        }
    }

    fn is_interrupted(&self) -> bool {
        interrupt::is_wanted()
    }
}

/// What a search did, in lines for people.
fn figures(stats: &Stats, seconds: f64) -> Vec<String> {
    let rate = if seconds > 0.0 { stats.unique as f64 / seconds } else { 0.0 };
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let mut lines = vec![
        format!(
            "{} states from {} transitions ({} to known ones), {} steps deep, in {seconds:.2} s: {} a second",
            thousands(stats.unique),
            thousands(stats.generated),
            percent(stats.duplicate_share()),
            stats.depth,
            thousands(rate as u64)
        ),
        format!(
            "{}, {} handlers ran; {} local states, {} messages; {} stimuli changed nothing, {} orders were spared",
            known_steps(stats),
            thousands(stats.handled),
            thousands(stats.local_states),
            thousands(stats.messages),
            thousands(stats.no_ops),
            thousands(stats.commuted)
        ),
        format!(
            "{}, {} for two levels; odds of a collision {:.0e}",
            memory(stats),
            bytes(stats.frontier_bytes),
            stats.collision_odds()
        ),
    ];
    if !stats.by_depth.is_empty() {
        lines.push(format!("by depth: {}", histogram(&stats.by_depth)));
    }
    let never = stats.never_delivered();
    if !never.is_empty() {
        lines.push(format!("never delivered or fired: {}", never.join(", ")));
    }
    if !stats.not_idempotent.is_empty() {
        lines.push(format!("a second delivery changes something again: {}", stats.not_idempotent.join(", ")));
    }
    lines
}

/// How many local steps were known, in words.
fn known_steps(stats: &Stats) -> String {
    if stats.steps == 0 {
        return String::from("no local step was asked for");
    }
    format!("{:.1} % of {} local steps were known", stats.memo_share() * 100.0, thousands(stats.steps))
}

/// What the table takes, in words: a share for each state only where it is not mostly empty.
fn memory(stats: &Stats) -> String {
    const STATES_MIN: u64 = 1_000;
    if stats.unique < STATES_MIN {
        return format!("a table of {}", bytes(stats.table_bytes));
    }
    format!("{:.1} bytes a state", stats.bytes_per_state())
}

/// The numbers of a histogram, shortened in the middle.
fn histogram(by_depth: &[u64]) -> String {
    let list = |part: &[u64]| part.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
    match by_depth {
        [first @ .., _, _, _] if by_depth.len() > 24 => {
            format!("{} … {}", list(&first[..20]), list(&by_depth[by_depth.len() - 3..]))
        }
        all => list(all),
    }
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

fn to_json(search: &Search, report: &StageReport) -> serde_json::Value {
    let stats = &report.stats;
    let found = report.found.as_ref().map(|found| {
        json!({
            "subject": found.subject,
            "words": found.words,
            "steps": found.steps,
            "trace": found.trace.events,
        })
    });
    json!({
        "module": search.module,
        "number": search.number,
        "scenario": search.name,
        "stage": report.stage,
        "search": report.how,
        "verdict": report.verdict,
        "is_right": report.is_right,
        "unique_states": stats.unique,
        "transitions": stats.generated,
        "depth": stats.depth,
        "unique_states_by_depth": stats.by_depth,
        "seconds": report.seconds,
        "states_per_second": if report.seconds > 0.0 { stats.unique as f64 / report.seconds } else { 0.0 },
        "duplicate_share": stats.duplicate_share(),
        "local_steps": stats.steps,
        "steps_new": stats.fresh,
        "handlers_run": stats.handled,
        "memoised_share": stats.memo_share(),
        "local_states": stats.local_states,
        "messages": stats.messages,
        "no_op_stimuli": stats.no_ops,
        "spared_orders": stats.commuted,
        "bytes_per_state": stats.bytes_per_state(),
        "frontier_bytes": stats.frontier_bytes,
        "resident_bytes": resident_bytes(),
        "collision_odds": stats.collision_odds(),
        "local_steps_by_kind": stats.kinds,
        "never_delivered": stats.never_delivered(),
        "not_idempotent": stats.not_idempotent,
        "found": found,
    })
}

/// Runs `synod test --search`.
pub fn run(arguments: &Test) -> ExitCode {
    let names = |search: &Search| (search.module, search.number, search.name);
    let chosen = match modules::chosen(arguments, synod_registry::searches(), names) {
        Ok(chosen) => chosen,
        Err(problem) => return usage_error(&problem),
    };
    if arguments.states == Some(0) {
        return usage_error("--states: see at least one");
    }
    let mutant = match arguments.mutant.as_deref().map(known_mutant).transpose() {
        Ok(mutant) => mutant,
        Err(problem) => return usage_error(&problem),
    };
    interrupt::listen();
    let orders = Orders {
        threads: threads(arguments),
        timers: arguments.timers,
        checks: arguments.checks,
        without: without(arguments),
        exact: arguments.exact,
        states_max: arguments.states,
        explored_max: None,
        memory_bytes_max: arguments
            .memory
            .or_else(|| Some(memory_bytes() / 4 * 3).filter(|bytes| *bytes > 0)),
        mutant,
        replay: None,
    };
    let onlooker = Onlooker::new(arguments);
    let is_wanted = |search: &&Search| arguments.full || arguments.test.is_some() || !search.is_long;
    let (mut shown, mut others, mut left_out) = (0, Vec::new(), 0);
    for search in &chosen {
        if !is_wanted(&search) {
            left_out += 1;
            continue;
        }
        if !arguments.json {
            onlooker.print(&format!("{} {} {}", search.module, search.number, search.name));
        }
        let searched = search_one(search, &orders, &onlooker);
        if let Some(directory) = &arguments.save_traces
            && let Err(problem) = save(directory, &searched, &onlooker)
        {
            return usage_error(&problem);
        }
        match searched.is_shown() {
            true => shown += 1,
            false => others.push(searched),
        }
        if interrupt::is_wanted() {
            break;
        }
    }
    onlooker.bar.finish_and_clear();
    if !arguments.json {
        conclude(shown, &others, left_out, onlooker.seconds());
    }
    if arguments.debug
        && let Some((trace, searched)) =
            others.iter().find_map(|searched| Some((searched.to_open()?, searched)))
    {
        let file = format!("{}-{}.trace", searched.module, searched.name);
        return debug::show_search(trace, mutant, &file);
    }
    if others.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn without(arguments: &Test) -> Without {
    let is_off = |name: &str| arguments.without.iter().any(|off| off == name || off == "all");
    Without { no_ops: is_off("no-ops"), commuting: is_off("commuting"), symmetry: is_off("symmetry") }
}

/// As many threads as were asked for, or as there are cores.
pub fn threads(arguments: &Test) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    arguments.threads.map_or_else(cores, usize::from)
}

fn conclude(shown: usize, others: &[Searched], left_out: usize, seconds: f64) {
    for searched in others {
        let Searched { module, number, name, stop, .. } = searched;
        match stop {
            Some(Stop::Failed(words)) => println!("\nFAILED: {module} {number} {name}: {words}"),
            Some(Stop::CutShort(spent)) => println!("\nCUT SHORT: {module} {number} {name}: {spent}"),
            Some(Stop::Replayed(_) | Stop::Opened) | None => {}
        }
        if searched.found().is_some() {
            println!("keep it: synod test --search --module {module} --test {name} --save-traces DIRECTORY");
        }
    }
    let is_cut = |searched: &&Searched| matches!(searched.stop, Some(Stop::CutShort(_)));
    let cut = others.iter().filter(is_cut).count();
    let failed = others.len() - cut;
    println!("\n{shown} shown, {failed} failed, {cut} cut short in {seconds:.1} s");
    if left_out > 0 {
        println!("{left_out} long searches were left out: --full runs them");
    }
}

fn save(directory: &Path, searched: &Searched, onlooker: &Onlooker) -> Result<(), String> {
    let Some(found) = searched.found() else { return Ok(()) };
    let path = directory.join(format!("{}-{}.trace", searched.module, searched.name));
    let written = fs::create_dir_all(directory).and_then(|()| fs::write(&path, found.trace.to_text()));
    written.map_err(|error| format!("--save-traces {}: {error}", path.display()))?;
    if !onlooker.is_json {
        onlooker.print(&format!("      trace: {}", path.display()));
    }
    Ok(())
}

/// Nobody prints, but an interrupt ends it.
struct Hunter(Instant);

impl Watcher for Hunter {
    fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }

    fn is_interrupted(&self) -> bool {
        interrupt::is_wanted()
    }
}

/// Runs `synod test --mutants`.
pub fn run_mutants(arguments: &Test) -> ExitCode {
    let names = |mutant: &Mutant| (mutant.module, mutant.caught_by, mutant.name);
    let mutants = match modules::chosen(arguments, synod_registry::mutants(), names) {
        Ok(mutants) => mutants,
        Err(problem) => return usage_error(&problem),
    };
    interrupt::listen();
    let searches = synod_registry::searches();
    let orders = Orders { threads: threads(arguments), ..Orders::default() };
    let width = mutants.iter().map(|mutant| mutant.name.len()).max().unwrap_or(0);
    if !arguments.json {
        println!(
            "{:<12} {:<width$} {:<6} {:>9} {:>5} {:>6}  what is wrong, and how it shows",
            "module", "mutant", "by", "states", "steps", "s"
        );
    }
    let mut missed = 0;
    for mutant in mutants {
        let hunter = Hunter(Instant::now());
        let hunted = hunt(&mutant, &searches, &orders, &hunter);
        let seconds = hunter.seconds();
        missed += usize::from(hunted.found().is_none());
        match arguments.json {
            true => println!("{}", hunted_json(&hunted, seconds)),
            false => print_hunted(&hunted, seconds, width),
        }
        if interrupt::is_wanted() {
            return ExitCode::FAILURE;
        }
    }
    if !arguments.json {
        println!(
            "\n{}",
            if missed == 0 { "all are caught".to_owned() } else { format!("{missed} are NOT caught") }
        );
    }
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_hunted(hunted: &Hunted, seconds: f64, width: usize) {
    let Mutant { module, name, what, caught_by } = hunted.mutant;
    let (states, indent) = (thousands(hunted.states()), width + 46);
    match hunted.found() {
        Some(found) => {
            println!(
                "{module:<12} {name:<width$} {caught_by:<6} {states:>9} {:>5} {seconds:>6.2}  {what}",
                found.steps
            );
            let words: Vec<&str> = found.words.split_whitespace().collect();
            println!("{:indent$}{}: {}", "", found.subject, synod_world::shorten(&words.join(" ")));
        }
        None => println!(
            "{module:<12} {name:<width$} {caught_by:<6} {states:>9}     - {seconds:>6.2}  NOT CAUGHT: {what}"
        ),
    }
}

fn hunted_json(hunted: &Hunted, seconds: f64) -> serde_json::Value {
    let Mutant { module, name, what, caught_by } = hunted.mutant;
    json!({
        "module": module,
        "mutant": name,
        "what": what,
        "search": caught_by,
        "states": hunted.states(),
        "seconds": seconds,
        "steps": hunted.found().map(|found| found.steps),
        "subject": hunted.found().map(|found| &found.subject),
        "words": hunted.found().map(|found| &found.words),
    })
}

/// Runs `synod test --replay`.
pub fn replay(file: &Path, mutant: Option<&str>) -> ExitCode {
    match mutant.map(known_mutant).transpose().and_then(|mutant| replayed(file, mutant)) {
        Err(problem) => usage_error(&format!("--replay {}: {problem}", file.display())),
        Ok(replayed) => {
            println!("{replayed}");
            match replayed {
                Replayed::NoLongerFails => ExitCode::SUCCESS,
                Replayed::StillFails(_) | Replayed::NoLongerFits(..) => ExitCode::FAILURE,
            }
        }
    }
}

/// The trace in a file; `advice` is for who named another one.
pub fn read_trace(file: &Path, advice: &str) -> Result<Trace, String> {
    Trace::from_text(&read_text(file, advice)?).map_err(|error| error.to_string())
}

/// A file of lines.
///
/// # Errors
/// If it is none: what to do.
pub fn read_text(file: &Path, advice: &str) -> Result<String, String> {
    let text = fs::read(file).map_err(|error| format!("{error}; {advice}"))?;
    String::from_utf8(text).map_err(|_| format!("it is no text: {advice}"))
}

fn replayed(file: &Path, mutant: Option<&'static str>) -> Result<Replayed, String> {
    let trace = read_trace(file, "give a file that --save-traces wrote")?;
    let header = &trace.header;
    if synod_registry::kit(&header.module).is_none() {
        let modules = synod_registry::modules().join(", ");
        return Err(format!("it is of module `{}`, and there are {modules}", header.module));
    }
    if let Some(seed) = header.seed {
        return Ok(match play_one(&opened::scenario_of(header)?, seed, false) {
            Ok(_) => Replayed::NoLongerFails,
            Err(failed) => Replayed::StillFails(failed.failure.what),
        });
    }
    let search = opened::search_of(header)?;
    let stage = header.stage.clone().ok_or("it says neither a seed nor which stage of a search it is of")?;
    let orders = Orders { replay: Some(trace), mutant, ..Orders::default() };
    match search_one(&search, &orders, &synod_testkit::Unwatched).stop {
        Some(Stop::Replayed(replayed)) => Ok(replayed),
        Some(Stop::Failed(words)) => Ok(Replayed::StillFails(words)),
        Some(Stop::CutShort(_) | Stop::Opened) | None => {
            Err(format!("scenario `{}` has no stage `{stage}` any more", search.name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, histogram, thousands};

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([12_300, 4_560_000, 7_890_000_000].map(bytes), ["12.3 kB", "4.6 MB", "7.89 GB"]);
        assert_eq!(histogram(&[1, 2, 3]), "1 2 3");
        let long = histogram(&(0..100).collect::<Vec<u64>>());
        assert!(long.ends_with("19 … 97 98 99"), "{long}");
    }
}
