//! How quick the debugger's page is, in a real browser, on long traces of seven nodes.
//!
//!     cargo bench -p synod-synod --bench debugger [-- EVENTS …]
//!
//! A Paxos group of five servers and two clients takes so many random steps; then its page is opened, scrolled, zoomed and
//! stepped through. Times are the page's own clock's. It prints what was measured, and asserts nothing.

#[path = "../tests/debugger/browser.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod browser;
#[path = "../tests/debugger/served.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod served;

use browser::Browser;
use serde_json::{Value, json};
use served::Served;
use std::time::Instant;

/// So many events each trace has, if nothing else is asked.
const EVENTS: [u64; 3] = [10_000, 100_000, 1_000_000];
/// A page is opened so often.
const OPENINGS: usize = 7;
/// Random steps are asked for so many at a time.
const STEPS: u64 = 50_000;

fn main() {
    let asked: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{cores} cores, chromium without a display at 1440x900, drawn by software; medians, p99 and worst in ms"
    );
    for events in if asked.is_empty() { EVENTS.to_vec() } else { asked } {
        measure(events);
    }
}

fn measure(events: u64) {
    let served = Served::begin(&[
        "--module",
        "paxos",
        "--servers",
        "5",
        "--clients",
        "2",
        "--workload",
        "PUT:a:1,GET:a",
    ]);
    let begin = Instant::now();
    let mut at = served.api("GET /api/session", "")["head"].as_u64().expect("a moment");
    while at < events {
        let wish = json!({"at": at, "steps": STEPS.min(events - at), "seed": at}).to_string();
        let grown = served.api("POST /api/random", &wish)["moment"].as_u64().expect("a moment");
        assert!(grown > at, "nothing more happens after {at}");
        at = grown;
    }
    println!("\n{at} events, made in {:.1} s", begin.elapsed().as_secs_f64());
    let middle = format!("{}#m={}", served.address, at / 2);
    let mut browser = Browser::open(&middle, (1440, 900), false);
    let opened: Vec<f64> = (0..OPENINGS)
        .map(|_| {
            browser.visit(&middle);
            let drawn = browser.evaluate("performance.getEntriesByName('diagram-drawn')[0].startTime");
            drawn.as_f64().expect("a time")
        })
        .collect();
    tell("open to first paint", opened);
    frames(
        &mut browser,
        "scrolling",
        "canvas.dispatchEvent(new WheelEvent('wheel', {deltaY: 40, bubbles: true, cancelable: true, clientX: 600, clientY: 400}))",
    );
    frames(
        &mut browser,
        "zooming",
        "canvas.dispatchEvent(new WheelEvent('wheel', {deltaY: n % 60 < 30 ? 12 : -12, ctrlKey: true, bubbles: true, cancelable: true, clientX: 600, clientY: 400}))",
    );
    let key = "dispatchEvent(new KeyboardEvent('keydown', {key: n % 40 < 20 ? 'ArrowDown' : 'ArrowUp', bubbles: true}))";
    reactions(&mut browser, "a key", key, 200);
    let to = format!("(1 + (n * 7919 + 13) % {at})");
    let field = format!(
        "const field = document.querySelector('[data-testid=goto]'); field.value = {to};
         field.dispatchEvent(new KeyboardEvent('keydown', {{key: 'Enter', bubbles: true}}))"
    );
    reactions(&mut browser, "a jump to any event, its number written", &field, 200);
    reactions(
        &mut browser,
        "a jump to any event, by the address",
        &format!("location.hash = 'm=' + {to}"),
        200,
    );
    browser.command("HeapProfiler.collectGarbage", &json!({}));
    let heap = browser.command("Runtime.getHeapUsage", &json!({}));
    let bytes = |name: &str| heap[name].as_f64().unwrap_or(0.0) / 1e6;
    println!(
        "  heap of the tab: {:.0} MB, and {:.0} MB in arrays",
        bytes("usedSize"),
        bytes("backingStorageSize")
    );
}

/// What is done in each frame, and how long frames take.
fn frames(browser: &mut Browser, name: &str, step: &str) {
    let script = format!(
        "(async () => {{ const canvas = document.getElementById('diagram'); const times = []; let last = null;
            for (let n = 0; n < 240; n++) {{
                const now = await new Promise(requestAnimationFrame);
                if (last !== null) times.push(now - last);
                last = now; {step};
            }} return times; }})()"
    );
    let times = numbers(&browser.evaluate(&script));
    let rate = 1000.0 * times.len() as f64 / times.iter().sum::<f64>();
    tell(&format!("{name}: {rate:.1} frames a second; a frame"), times);
}

/// How long it takes from something done until the panes are those of the moment that it leads to, and until that is painted
/// (as far as the page's own thread has to do with it). Between two there is a tenth of a second, as between two keys of a
/// quick person.
fn reactions(browser: &mut Browser, name: &str, step: &str, count: u32) {
    let script = format!(
        "(async () => {{ const root = document.documentElement; const updated = [], painted = [];
            for (let n = 0; n < {count}; n++) {{
                const shown = new Promise(done => new MutationObserver((_, seen) => {{ seen.disconnect(); done(); }})
                    .observe(root, {{ attributeFilter: ['data-focus'] }}));
                const begin = performance.now(); {step};
                await Promise.race([shown, new Promise(done => setTimeout(done, 3000))]);
                updated.push(performance.now() - begin);
                await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
                painted.push(performance.now() - begin);
                await new Promise(done => setTimeout(done, 100));
            }} return [updated, painted]; }})()"
    );
    let times = browser.evaluate(&script);
    tell(&format!("{name}, to updated panes"), numbers(&times[0]));
    tell(&format!("{name}, to painted ones"), numbers(&times[1]));
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().map(|all| all.iter().filter_map(Value::as_f64).collect()).unwrap_or_default()
}

fn tell(name: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    println!(
        "  {name}: median {:.1}, p99 {:.1}, worst {:.1} ({} times)",
        at(0.5),
        at(0.99),
        at(1.0),
        times.len()
    );
}
