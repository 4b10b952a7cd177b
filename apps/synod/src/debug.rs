//! `synod debug`: the visual debugger's half of the command line.

use crate::cli::{DebugCommand, usage_error};
use crate::flights::open_files;
use crate::search::read_trace;
use crate::{interrupt, modules};
use std::process::ExitCode;
use std::time::Duration;
use synod_debugger::{Answer, Ask, serve};
use synod_registry::Shape;
use synod_registry::opened::{self, Opened, known_mutant};
use synod_testkit::Scenario;
use synod_world::Trace;

/// So often it is looked whether somebody wants it to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs `synod debug`.
pub fn run(arguments: &DebugCommand) -> ExitCode {
    match chosen(arguments) {
        Ok(opened) => show(opened, arguments.port),
        Err(problem) => usage_error(&problem),
    }
}

fn chosen(arguments: &DebugCommand) -> Result<Opened, String> {
    let mutant = arguments.mutant.as_deref().map(known_mutant).transpose()?;
    if !arguments.recordings.is_empty() {
        let opened = open_files(&arguments.recordings, mutant)?;
        if let Some(file) = &arguments.trace {
            let branch = read_trace(file, "give what the debugger saved");
            let loaded = branch.and_then(|branch| opened::load(&opened, &branch));
            loaded.map_err(|error| format!("--trace {}: {error}", file.display()))?;
        }
        return Ok(opened);
    }
    if let Some(file) = &arguments.trace {
        let place = file.display().to_string();
        let trace = read_trace(file, "give a readable trace file");
        let opened = trace.and_then(|trace| opened::trace(&trace, mutant, &place));
        return opened.map_err(|error| format!("--trace {place}: {error}"));
    }
    let module = arguments.module.as_deref().unwrap_or_default();
    if let Some(test) = &arguments.test {
        return opened::run(&scenario(module, test)?, arguments.seed);
    }
    let usual = opened::usual_shape(module);
    let shape = Shape {
        servers: arguments.servers.unwrap_or(usual.servers),
        clients: arguments.clients.unwrap_or(usual.clients),
        groups: arguments.groups.unwrap_or(usual.groups),
        workload: arguments.workload.clone().unwrap_or_default(),
        mutant,
    };
    opened::by_hand(module, &shape)
}

fn scenario(module: &str, test: &str) -> Result<Scenario, String> {
    let names = |scenario: &Scenario| (scenario.module, scenario.number, scenario.name);
    let found = modules::named((Some(module), Some(test)), synod_registry::scenarios(), names)?;
    match &found[..] {
        [one] => Ok(*one),
        several => {
            let list: Vec<String> =
                several.iter().map(|one| format!("  {:<5} {}", one.number, one.name)).collect();
            Err(format!("--test {test}: which of these?\n{}", list.join("\n")))
        }
    }
}

/// Opens the debugger on the first thing of a search that is wrong: a violation, or where a stage began.
pub fn show_search(trace: &Trace, mutant: Option<&'static str>, file: &str) -> ExitCode {
    match opened::trace(trace, mutant, file) {
        Ok(opened) => show(opened, 0),
        Err(problem) => usage_error(&format!("what was found cannot be opened: {problem}")),
    }
}

/// What whoever opened it should know, each a line.
fn remarks(opened: &Opened) -> Vec<String> {
    let Ok(Answer::Json(session)) = opened.ask(Ask::Session) else { return Vec::new() };
    let remarks = session["remarks"].as_array().into_iter().flatten();
    remarks.filter_map(|remark| remark.as_str().map(str::to_owned)).collect()
}

/// Serves what was opened until somebody interrupts it.
fn show(opened: Opened, port: u16) -> ExitCode {
    interrupt::listen();
    let until = async {
        while !interrupt::is_wanted() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    remarks(&opened).iter().for_each(|remark| eprintln!("{remark}"));
    let served = serve(
        opened,
        port,
        |address| println!("the debugger is at\n\n    {address}\n\nCtrl-C ends it"),
        until,
    );
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => usage_error(&format!("--port {port}: {error}; choose another one")),
    }
}
