//! `synod test` and `synod check-history`: the workbench's half of the command line.

use crate::cli::{CheckHistory, Test, usage_error};
use crate::search;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal as _, Read as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use synod_history::Verdict as OfHistory;
use synod_testkit::{Played, Scenario, Verdict, play_all, play_one};

/// The exit code of a check that ran out of what it may take before it was certain.
const GAVE_UP: u8 = 3;

/// Runs `synod test`.
pub fn run_test(arguments: &Test) -> ExitCode {
    if let Some(file) = &arguments.replay {
        return search::replay(file, arguments.mutant.as_deref());
    }
    if arguments.search {
        return search::run(arguments);
    }
    if arguments.mutants {
        return search::run_mutants(arguments);
    }
    if arguments.timers || arguments.checks || arguments.json || arguments.mutant.is_some() {
        return usage_error("--timers, --checks, --json and --mutant belong to --search");
    }
    let scenarios = match choose(arguments) {
        Ok(scenarios) => scenarios,
        Err(problem) => return usage_error(&problem),
    };
    if arguments.verbose || arguments.save_traces.is_some() {
        return show(arguments, &scenarios);
    }
    let seeds = |scenario: &Scenario| arguments.seeds.unwrap_or(scenario.seeds);
    let total = match arguments.seed {
        Some(_) => scenarios.len() as u64,
        None => scenarios.iter().map(seeds).sum(),
    };
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(total) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} runs  {elapsed}  {msg}") {
        bar.set_style(style);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut played = Vec::new();
    let begin = Instant::now();
    for scenario in &scenarios {
        bar.set_message(scenario.name);
        let (first, count) = arguments.seed.map_or((1, seeds(scenario)), |seed| (seed, 1));
        played.push(play_all(scenario, first, count, threads, &|| bar.inc(1)));
    }
    bar.finish_and_clear();
    print_summary(&played, begin)
}

fn choose(arguments: &Test) -> Result<Vec<Scenario>, String> {
    if arguments.seeds == Some(0) {
        return Err("--seeds: play at least one".to_owned());
    }
    chosen(arguments, synod_registry::scenarios(), |scenario| {
        (scenario.module, scenario.number, scenario.name)
    })
}

/// Those of `all` that the arguments name, each known by its module, number and name.
pub fn chosen<T: Copy>(
    arguments: &Test,
    all: Vec<T>,
    names: fn(&T) -> (&'static str, &'static str, &'static str),
) -> Result<Vec<T>, String> {
    named((arguments.module.as_deref(), arguments.test.as_deref()), all, names)
}

/// Those of `all` of this module and of this number or name, if any are told.
pub fn named<T: Copy>(
    (module, test): (Option<&str>, Option<&str>),
    all: Vec<T>,
    names: fn(&T) -> (&'static str, &'static str, &'static str),
) -> Result<Vec<T>, String> {
    if let Some(module) = module
        && synod_registry::kit(module).is_none()
    {
        let modules = synod_registry::modules().join(", ");
        return Err(format!("--module {module}: no such module; there are {modules}"));
    }
    let is_of_module = |one: &T| module.is_none_or(|module| names(one).0 == module);
    let all: Vec<T> = all.into_iter().filter(is_of_module).collect();
    let Some(wanted) = test else { return Ok(all) };
    let is_meant = |one: &&T| names(one).1 == wanted || names(one).2 == wanted;
    let exact: Vec<T> = all.iter().filter(is_meant).copied().collect();
    if !exact.is_empty() {
        return Ok(exact);
    }
    let alike: Vec<T> = all.iter().filter(|one| names(one).2.contains(wanted)).copied().collect();
    if !alike.is_empty() {
        return Ok(alike);
    }
    let list = all.iter().map(names).map(|(_, number, name)| format!("  {number:<4} {name}"));
    let list: Vec<String> = list.collect();
    Err(format!("--test {wanted}: no such scenario; there are\n{}", list.join("\n")))
}

/// Plays one seed a scenario, with every event printed or saved.
fn show(arguments: &Test, scenarios: &[Scenario]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for scenario in scenarios {
        let seed = arguments.seed.unwrap_or(1);
        let outcome = play_one(scenario, seed, true);
        let (words, trace) = match &outcome {
            Ok(outcome) => ("held".to_owned(), outcome.trace.as_ref()),
            Err(failed) => {
                code = ExitCode::FAILURE;
                (failed.failure.what.clone(), failed.trace.as_ref())
            }
        };
        let Some(mut trace) = trace.cloned() else {
            println!("{} {} seed {seed}: {words}; it has no trace", scenario.module, scenario.name);
            continue;
        };
        trace.header.module = scenario.module.to_owned();
        trace.header.scenario = scenario.name.to_owned();
        if arguments.verbose {
            trace.events.iter().for_each(|event| println!("{event}"));
        }
        if let Some(directory) = &arguments.save_traces {
            let path = directory.join(format!("{}-{}-{seed}.trace", scenario.module, scenario.name));
            let written =
                std::fs::create_dir_all(directory).and_then(|()| std::fs::write(&path, trace.to_text()));
            if let Err(error) = written {
                return usage_error(&format!("--save-traces {}: {error}", path.display()));
            }
            println!("{}", path.display());
        }
        println!("{} {} seed {seed}: {words}", scenario.module, scenario.name);
    }
    code
}

fn print_summary(played: &[Played], begin: Instant) -> ExitCode {
    let width = played.iter().map(|played| played.name.len()).max().unwrap_or(0);
    println!(
        "{:<13} {:<5} {:<width$} {:>6} {:>11} {:>10}  verdict",
        "module", "no", "scenario", "seeds", "events", "virtual s"
    );
    let mut failures = Vec::new();
    for one in played {
        let verdict = match &one.verdict {
            Verdict::Held => "held",
            Verdict::Failed(report) => {
                failures.push(report);
                "FAILED"
            }
        };
        let Played { module, number, name, seeds, steps, virtual_us, .. } = one;
        let seconds = *virtual_us as f64 / 1e6;
        println!("{module:<13} {number:<5} {name:<width$} {seeds:>6} {steps:>11} {seconds:>10.1}  {verdict}");
    }
    for report in &failures {
        println!("\n{report}");
    }
    let failed = failures.len();
    println!("\n{} passed, {failed} failed in {:.1} s", played.len() - failed, begin.elapsed().as_secs_f64());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs `synod check-history`.
pub fn run_check_history(arguments: &CheckHistory) -> ExitCode {
    let place = arguments.file.display();
    let text = if arguments.file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(&arguments.file)
    };
    let text = match text {
        Ok(text) => text,
        Err(error) => return usage_error(&format!("{place}: {error}; give a readable history file")),
    };
    let say = |seconds| eprintln!("{place}: no verdict yet, after {seconds} s");
    let verdict = with_signs_of_life(SIGN_OF_LIFE, say, || synod_history::check_history_text(&text));
    match verdict {
        Err(error) => usage_error(&format!("{place}: {error}")),
        Ok(verdict) => {
            println!("{verdict}");
            match verdict {
                OfHistory::GaveUp { .. } => ExitCode::from(GAVE_UP),
                verdict if verdict.is_linearizable() => ExitCode::SUCCESS,
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// A search for a verdict says so often that it goes on.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Does what takes long, and meanwhile, once in so long, says how many seconds it took so far.
fn with_signs_of_life<T>(every: Duration, say: impl Fn(u64) + Send, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let (is_done, done) = mpsc::channel::<()>();
        scope.spawn(move || {
            while done.recv_timeout(every) == Err(mpsc::RecvTimeoutError::Timeout) {
                say(begin.elapsed().as_secs());
            }
        });
        let result = work();
        drop(is_done);
        result
    })
}

#[cfg(test)]
mod tests {
    use super::with_signs_of_life;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn what_takes_long_gives_signs_of_life() {
        let (sign, signs) = mpsc::channel();
        let say = move |seconds| _ = sign.send(seconds);
        let heard = with_signs_of_life(Duration::from_millis(1), say, || signs.recv().and(signs.recv()));
        assert!(heard.is_ok(), "it says so again and again");
    }

    #[test]
    fn what_is_done_at_once_gives_none() {
        let say = |_| panic!("nobody had to wait");
        assert_eq!(with_signs_of_life(Duration::from_secs(3600), say, || 7), 7);
    }
}
