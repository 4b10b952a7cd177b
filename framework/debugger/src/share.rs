//! A way to a moment as something to keep or to send: a trace, a command, a test.

use crate::columns::OPENED;
use crate::desk::Answer;
use crate::session::Session;
use crate::{Shown, words};
use serde_json::{Value, json};
use synod_world::{Header, Trace};

/// The way to a moment, as a trace.
pub(crate) fn trace<N: Shown>(session: &mut Session<N>, moment: u32) -> Trace {
    let events = session.lines(moment);
    let setup = &session.setup;
    let violation = session.violations.get(&moment);
    let reason =
        violation.map_or_else(|| "kept by hand".to_owned(), |(name, words)| format!("{name}: {words}"));
    let header = Header {
        stage: setup.stage.clone(),
        seed: setup.seed,
        ..Header::of(setup.module.as_str(), setup.scenario.as_str(), reason)
    };
    Trace { header, events }
}

/// The way to a moment, as a file.
pub(crate) fn file<N: Shown>(session: &mut Session<N>, moment: u32) -> Answer {
    let name = format!("{}.trace", name(session, moment));
    Answer::File(name, "text/plain; charset=utf-8", trace(session, moment).to_text())
}

/// What files of a moment are called.
pub(crate) fn name<N: Shown>(session: &Session<N>, moment: u32) -> String {
    let module = if session.setup.module.is_empty() { "session" } else { &session.setup.module };
    format!("{module}-{moment}")
}

/// How to come to a moment again, elsewhere.
pub(crate) fn share<N: Shown>(session: &mut Session<N>, moment: u32) -> Value {
    let trace = trace(session, moment);
    let steps = trace.events.len();
    let violated = session.violations.get(&moment).map(|(name, _)| name.clone());
    let title = session.title(moment);
    let file = format!("{}.trace", name(session, moment));
    let opened = session.setup.command.clone();
    // Of recordings, what was recorded is there when they are opened, and no test has it.
    let is_recorded = session.setup.compares;
    let is_there = is_recorded && session.rows[moment as usize].flags & OPENED != 0;
    let needs_file = steps > 0 && !opened.is_empty() && !is_there;
    let command = match needs_file {
        false => opened,
        true if is_recorded => format!("{opened} --trace {file}"),
        true => format!("synod debug --trace {file}"),
    };
    let rust = match is_recorded {
        true => "// A test holds no recordings: keep the files, and the command above.\n".to_owned(),
        false => rust_test(&trace, violated.as_deref(), (moment, &title)),
    };
    json!({
        "command": command,
        "needs_file": needs_file.then_some(file),
        "rust": rust,
        "steps": steps,
    })
}

/// A test that goes the same way, and finds the same at its end.
fn rust_test(trace: &Trace, violated: Option<&str>, (moment, title): (u32, &str)) -> String {
    let text = trace.to_text();
    // A raw text ends with as many signs as nothing in it does.
    let mut fence = "#".to_owned();
    while text.contains(&format!("\"{fence}")) {
        fence.push('#');
    }
    let (name, found) = match violated {
        Some(violated) => (words::identifier(violated), format!("Some({violated:?})")),
        None => (format!("moment_{moment}_is_reached"), "None".to_owned()),
    };
    let title = synod_world::shorten(title);
    format!(
        "/// Ends with: {title}\n#[test]\nfn {name}() {{\n    let trace = r{fence}\"{text}\"{fence};\n    \
         let end = synod_registry::opened::replayed(trace).expect(\"every step is possible\");\n    \
         assert_eq!(end.violated.as_deref(), {found});\n}}\n"
    )
}
