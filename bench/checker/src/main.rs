//! Model checkers side by side: the same systems, all of their states, on the same machine, in turns.
//!
//! `cargo run --release [rounds] [model]` prints a table: for each system, number of threads and contestant the counts,
//! and the median with the least and the most of processor time, time and peak memory. The last contestant's figures
//! are the measure: `×` says how many times its median another's is.

mod measure;
mod models;
mod ours;
mod theirs;

use measure::Figures;
use models::{Counts, MODELS, Model};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A way to search.
struct Contestant {
    /// Whether it searches what has no peer too.
    is_ours: bool,
    name: &'static str,
    search: fn(Model, usize) -> Counts,
}

/// Who takes turns.
const CONTESTANTS: &[Contestant] = &[
    Contestant { is_ours: false, name: "stateright-breadth-first", search: theirs::breadth_first },
    Contestant { is_ours: false, name: "stateright-depth-first", search: theirs::depth_first },
    Contestant { is_ours: true, name: "synod-all-orders", search: ours::all_orders },
    Contestant { is_ours: true, name: "synod-depth-first", search: ours::depth_first },
    Contestant { is_ours: true, name: "synod-breadth-first", search: ours::breadth_first },
];

/// On how many threads each search runs.
const THREADS: &[usize] = &[1, 2];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["search", name, model, threads] => search(name, model, threads),
        [] => compare(3, MODELS),
        [rounds] => rounds_of(rounds).and_then(|rounds| compare(rounds, MODELS)),
        [rounds, model] => {
            rounds_of(rounds).and_then(|rounds| model.parse().and_then(|model| compare(rounds, &[model])))
        }
        _ => Err("usage: [rounds] [model]".to_owned()),
    };
    if let Err(error) = result {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn rounds_of(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|rounds| *rounds > 0).ok_or(format!("`{text}` is no number of rounds"))
}

/// One search in this process: prints its figures.
fn search(name: &str, model: &str, threads: &str) -> Result<(), String> {
    let contestant = CONTESTANTS.iter().find(|contestant| contestant.name == name);
    let contestant = contestant.ok_or_else(|| format!("`{name}` is no contestant"))?;
    let model: Model = model.parse()?;
    let threads: usize = threads.parse().map_err(|_| format!("`{threads}` is no number of threads"))?;
    println!("{}", Figures::of(|| (contestant.search)(model, threads)).to_line());
    Ok(())
}

/// All searches of `models`, `rounds` times, in turns.
fn compare(rounds: usize, models: &[Model]) -> Result<(), String> {
    println!("{}\n", machine());
    println!(
        "| model | threads | search | states | generated | depth | CPU s | × | wall s | × | peak MB | × |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    for model in models {
        let contestants: Vec<&Contestant> =
            CONTESTANTS.iter().filter(|contestant| contestant.is_ours || model.has_peer()).collect();
        for threads in THREADS {
            let mut figures: Vec<Vec<Figures>> = contestants.iter().map(|_| Vec::new()).collect();
            for _ in 0..rounds {
                for (contestant, figures) in contestants.iter().zip(&mut figures) {
                    figures.push(Figures::of_child(contestant.name, *model, *threads)?);
                }
            }
            let measure = figures.last().expect("there are contestants").clone();
            for (contestant, figures) in contestants.iter().zip(&figures) {
                println!("| {model} | {threads} | {} |{}", contestant.name, row(figures, &measure));
            }
        }
    }
    Ok(())
}

/// What stands in a row behind the contestant's name.
fn row(figures: &[Figures], measure: &[Figures]) -> String {
    let count = |of: fn(&Counts) -> u64| {
        let counts = figures.iter().map(|figures| of(&figures.counts));
        let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
        if least == most { format!(" {least} |") } else { format!(" {least} to {most} |") }
    };
    let cost = |of: fn(&Figures) -> f64, digits: usize| {
        let spread = |figures: &[Figures]| {
            let mut values: Vec<f64> = figures.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            (values[values.len() / 2], values[0], values[values.len() - 1])
        };
        let ((median, least, most), (unit, _, _)) = (spread(figures), spread(measure));
        let ratio = median / unit;
        format!(" {median:.digits$} ({least:.digits$} to {most:.digits$}) | {ratio:.2} |")
    };
    [
        count(|counts| counts.unique),
        count(|counts| counts.generated),
        count(|counts| counts.depth),
        cost(|figures| figures.cpu, 2),
        cost(|figures| figures.wall, 2),
        cost(|figures| figures.peak_mb, 1),
    ]
    .concat()
}

/// What the figures were measured on, and how.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let named = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let rustc = std::process::Command::new("rustc").arg("--version").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let command: Vec<String> = std::env::args().skip(1).collect();
    format!(
        "{}, {} cores, Linux {}, {}; `cargo run --release {}`",
        named.unwrap_or("unknown processor"),
        std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        read("/proc/sys/kernel/osrelease").trim(),
        rustc.unwrap_or_else(|_| "unknown rustc".to_owned()),
        command.join(" ")
    )
}
