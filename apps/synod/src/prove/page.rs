//! The page: one HTML file without anything from elsewhere. The verdict first, then a timeline, the faults, the histories and,
//! after a violation, the operations around it.

use super::meter::Second;
use super::plan::Kind;
use super::redis::OfRedis;
use super::report::{Outcome, Verdict};
use std::fmt::Write as _;

const STYLE: &str = include_str!("page.css");
/// The timeline's drawing, in its own units.
const WIDTH: f64 = 1_140.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 12.0;
/// Where each band of it begins, and how high it is.
const RATE: (f64, f64) = (24.0, 120.0);
const LATENCY: (f64, f64) = (178.0, 120.0);
const FAULTS: (f64, f64) = (332.0, 22.0);
/// Faults stand in so many rows, so that their names have room.
const FAULT_ROWS: usize = 5;
const HEIGHT: f64 = FAULTS.0 + FAULTS.1 * FAULT_ROWS as f64 + 30.0;
/// More points than this make no better line.
const POINTS_MAX: usize = 1_000;

/// The page of an outcome.
pub(super) fn page(outcome: &Outcome) -> String {
    let mut html = String::new();
    let (word, class) = match outcome.verdict {
        Verdict::Held => ("Held", "held"),
        Verdict::Violated => ("Violated", "violated"),
        Verdict::NotShown => ("Not shown", "not_shown"),
    };
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>synod prove: {word}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1 class=\"{class}\">{word}</h1>\n"
    );
    summary(outcome, &mut html);
    violations(outcome, &mut html);
    html.push_str("<h2>Timeline</h2>\n");
    timeline(outcome, &mut html);
    kinds(outcome, &mut html);
    histories(outcome, &mut html);
    faults(outcome, &mut html);
    if let Some(redis) = &outcome.redis {
        of_redis(redis, &mut html);
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn milliseconds(us: u64) -> String {
    match us {
        0..10_000 => format!("{:.1}", us as f64 / 1e3),
        _ => format!("{}", us / 1_000),
    }
}

fn summary(outcome: &Outcome, html: &mut String) {
    let operations: usize = outcome.judgements.iter().map(|judgement| judgement.operations).sum();
    let faults = outcome.faults.iter().filter(|tried| tried.left_out.is_none()).count();
    let says = match outcome.verdict {
        Verdict::Held if !outcome.is_timed => {
            "Every history that clients saw is linearizable, and no two held a lock at once. How soon service was back was not judged."
        }
        Verdict::Held => {
            "Every history that clients saw is linearizable, no two held a lock at once, and service was back within a second after every heal."
        }
        Verdict::Violated => {
            "Something was otherwise than promised; it stands below with the history around it."
        }
        Verdict::NotShown => {
            "Nothing was otherwise than promised, but not everything could be judged or done:"
        }
    };
    let _ = writeln!(html, "<p>{says}</p>");
    if outcome.verdict == Verdict::NotShown {
        html.push_str("<ul>\n");
        for reason in &outcome.reasons {
            let _ = writeln!(html, "<li>{}</li>", escaped(reason));
        }
        html.push_str("</ul>\n");
    }
    let _ = writeln!(
        html,
        "<p class=\"soft\">{operations} operations in {:.0} s on {} nodes, under {faults} faults. The same faults again:</p>\n<p><code>{}</code></p>",
        outcome.ran_us as f64 / 1e6,
        outcome.nodes,
        escaped(&outcome.command)
    );
    let (most, bounds) = (outcome.most, outcome.bounds);
    let _ = writeln!(
        html,
        "<p class=\"soft\">No node took more than {} MiB of disk (bound {}), {} MiB of memory (bound {}), {} descriptors (bound {}).</p>",
        most.disk_bytes >> 20,
        bounds.disk_bytes >> 20,
        most.memory_bytes >> 20,
        bounds.memory_bytes >> 20,
        most.descriptors,
        bounds.descriptors
    );
}

fn violations(outcome: &Outcome, html: &mut String) {
    for finding in outcome.findings.iter().filter(|finding| finding.is_violation) {
        let _ = writeln!(
            html,
            "<h2>Violated at {:.2} s: {}</h2>\n<pre>{}</pre>",
            finding.at_us as f64 / 1e6,
            escaped(&finding.by),
            escaped(&finding.text)
        );
    }
    if let Some(debugger) = &outcome.debugger {
        let _ = writeln!(
            html,
            "<p>The nodes recorded what happened to them. The debugger goes through it, step by step:</p>\n<p><code>{}</code></p>",
            escaped(debugger)
        );
    }
}

/// From seconds of the run to places in the drawing.
struct Scale {
    seconds: f64,
}

impl Scale {
    fn x(&self, second: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (second / self.seconds).clamp(0.0, 1.0)
    }
}

fn timeline(outcome: &Outcome, html: &mut String) {
    let scale = Scale { seconds: (outcome.ran_us as f64 / 1e6).max(1.0) };
    let mut families: Vec<&str> = outcome.faults.iter().map(|tried| Kind::family_of(tried.kind)).collect();
    families.sort_unstable();
    families.dedup();
    let family = |name: &&str| format!("<span><i style=\"background:var(--{name})\"></i>{name}</span>");
    let families: String = families.iter().map(family).collect();
    let _ = writeln!(
        html,
        "<div class=\"legend\"><span><i style=\"background:var(--rate)\"></i>operations a second</span>\
         <span><i style=\"background:var(--median)\"></i>median latency</span>\
         <span><i style=\"background:var(--p99)\"></i>p99 latency</span></div>\n<div class=\"legend\">faults:{families}</div>\n\
         <div class=\"wide\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Operations a second, latency, and faults over time\">"
    );
    // Faults are behind everything, so that each dip stands above what made it.
    fault_bands(outcome, &scale, html);
    let most = outcome.seconds.iter().map(|second| second.done).max().unwrap_or(1).max(1);
    let rate = |second: &Second| Some(f64::from(second.done) / f64::from(most));
    line(&outcome.seconds, &scale, (RATE, "--rate"), &rate, html);
    // A decade of latency each has the same height: 0.1 ms to 10 s.
    let decades = |us: u32| (us > 0).then(|| (f64::from(us).log10() - 2.0).clamp(0.0, 5.0) / 5.0);
    line(&outcome.seconds, &scale, (LATENCY, "--median"), &|second| decades(second.median_us), html);
    line(&outcome.seconds, &scale, (LATENCY, "--p99"), &|second| decades(second.p99_us), html);
    frames(most, &scale, html);
    html.push_str("</svg></div>\n");
}

fn family_color(kind: &str) -> String {
    format!("var(--{})", Kind::family_of(kind))
}

fn fault_bands(outcome: &Outcome, scale: &Scale, html: &mut String) {
    for (index, tried) in outcome.faults.iter().filter(|tried| tried.left_out.is_none()).enumerate() {
        let (from, to) = (scale.x(tried.began_us as f64 / 1e6), scale.x(tried.healed_us as f64 / 1e6));
        let width = (to - from).max(1.5);
        let (color, title) = (family_color(tried.kind), escaped(&format!("{}: {}", tried.kind, tried.what)));
        let bottom = LATENCY.0 + LATENCY.1;
        let _ = writeln!(
            html,
            "<rect x=\"{from:.1}\" y=\"{}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{color}\" opacity=\"0.12\"/>",
            RATE.0,
            bottom - RATE.0
        );
        let y = FAULTS.0 + FAULTS.1 * (index % FAULT_ROWS) as f64;
        let _ = writeln!(
            html,
            "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"16\" rx=\"3\" fill=\"{color}\"><title>{title}</title></rect>"
        );
        // Where there are many, their titles tell.
        if outcome.faults.len() <= 36 && to + 90.0 < WIDTH {
            let _ = writeln!(html, "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>", to + 3.0, y + 12.0, tried.kind);
        }
    }
}

fn line(
    seconds: &[Second],
    scale: &Scale,
    ((top, height), color): ((f64, f64), &str),
    part: &dyn Fn(&Second) -> Option<f64>,
    html: &mut String,
) {
    let every = seconds.len().div_ceil(POINTS_MAX).max(1);
    let mut path = String::new();
    let mut is_begun = false;
    for (second, data) in seconds.iter().enumerate().step_by(every) {
        // A second in which nothing was answered has no latency: the line has a gap.
        let Some(part) = part(data) else {
            is_begun = false;
            continue;
        };
        let (x, y) = (scale.x(second as f64 + 0.5), top + height * (1.0 - part));
        let _ = write!(path, "{}{x:.1} {y:.1}", if is_begun { "L" } else { "M" });
        is_begun = true;
    }
    let _ = writeln!(
        html,
        "<path d=\"{path}\" fill=\"none\" stroke=\"var({color})\" stroke-width=\"1.6\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>"
    );
}

fn frames(most: u32, scale: &Scale, html: &mut String) {
    for (top, height) in [RATE, LATENCY] {
        let width = WIDTH - LEFT - RIGHT;
        let _ = writeln!(
            html,
            "<rect class=\"frame\" x=\"{LEFT}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"/>"
        );
    }
    let mut label = |y: f64, text: &str| {
        let x = LEFT - 6.0;
        let _ = writeln!(html, "<text x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\">{text}</text>");
    };
    label(RATE.0 + 9.0, &format!("{most} /s"));
    label(RATE.0 + RATE.1, "0");
    for (decade, name) in ["0.1 ms", "1 ms", "10 ms", "0.1 s", "1 s", "10 s"].iter().enumerate() {
        label(LATENCY.0 + LATENCY.1 * (1.0 - decade as f64 / 5.0) + 4.0, name);
    }
    label(FAULTS.0 + 12.0, "faults");
    let step = [5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 3_600.0, 36_000.0];
    let step = step.into_iter().find(|step| scale.seconds / step <= 14.0).unwrap_or(100_000.0);
    let mut second = 0.0;
    while second <= scale.seconds {
        let (x, y) = (scale.x(second), HEIGHT - 8.0);
        let anchor = if x > WIDTH - 24.0 { "end" } else { "middle" };
        let _ = writeln!(html, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{second:.0} s</text>");
        second += step;
    }
}

fn kinds(outcome: &Outcome, html: &mut String) {
    html.push_str(
        "<h2>Faults tried, and gaps</h2>\n<p class=\"soft\">A gap is the longest time in which some part of the slots acknowledged no write, through whichever node.</p>\n<div class=\"wide\"><table>\n<tr><th>fault</th><th class=\"n\">times</th><th class=\"n\">longest gap, ms</th><th class=\"n\">served after the heal, ms</th><th></th></tr>\n",
    );
    for kind in &outcome.kinds {
        let (gap, served) = match kind.times {
            0 => (String::new(), String::new()),
            _ => (milliseconds(kind.gap_us), milliseconds(kind.served_after_us)),
        };
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{gap}</td><td class=\"n\">{served}</td><td>{}</td></tr>",
            kind.kind,
            kind.times,
            escaped(kind.not_done.as_deref().unwrap_or_default())
        );
    }
    html.push_str("</table></div>\n");
}

fn histories(outcome: &Outcome, html: &mut String) {
    html.push_str(
        "<h2>Histories judged</h2>\n<div class=\"wide\"><table>\n<tr><th>workload</th><th class=\"n\">operations</th><th class=\"n\">histories</th><th class=\"n\">refused</th><th class=\"n\">outcome unknown</th></tr>\n",
    );
    for judgement in &outcome.judgements {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            judgement.workload,
            judgement.operations,
            judgement.histories,
            judgement.refused,
            judgement.unknown
        );
    }
    html.push_str("</table></div>\n");
}

fn faults(outcome: &Outcome, html: &mut String) {
    html.push_str(
        "<h2>Every fault</h2>\n<div class=\"wide\"><table>\n<tr><th class=\"n\">at, s</th><th>fault</th><th>what was done</th><th class=\"n\">lasted, ms</th><th class=\"n\">gap, ms</th><th class=\"n\">served after, ms</th></tr>\n",
    );
    for tried in &outcome.faults {
        let Some(why) = &tried.left_out else {
            let _ = writeln!(
                html,
                "<tr><td class=\"n\">{:.2}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                tried.began_us as f64 / 1e6,
                tried.kind,
                escaped(&tried.what),
                milliseconds(tried.healed_us - tried.began_us),
                milliseconds(tried.gap_us),
                milliseconds(tried.served_after_us)
            );
            continue;
        };
        let _ = writeln!(
            html,
            "<tr><td class=\"n\">{:.2}</td><td>{}</td><td colspan=\"4\">left out: {}</td></tr>",
            tried.planned_us as f64 / 1e6,
            tried.kind,
            escaped(why)
        );
    }
    html.push_str("</table></div>\n");
}

fn of_redis(redis: &OfRedis, html: &mut String) {
    let says = match (redis.held, redis.violated) {
        (true, _) => format!("{} operations are linearizable.", redis.operations),
        (false, 0) => "Nothing is shown: not all histories could be judged.".to_owned(),
        (false, violated) => format!("{violated} histories are not linearizable, {} are.", redis.histories),
    };
    let _ = writeln!(
        html,
        "<h2>The same seed on Redis</h2>\n<p>{}, a cluster of six with <code>appendfsync always</code>: {says}</p>",
        escaped(&redis.version)
    );
    if let Some(first) = &redis.first {
        let _ = writeln!(html, "<pre>{}</pre>", escaped(first));
    }
    let _ = writeln!(
        html,
        "<p class=\"soft\">Carried out: {}. Left out: {}.</p>",
        escaped(&redis.faults.join("; ")),
        redis.left_out.join(", ")
    );
}
