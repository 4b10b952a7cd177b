//! The flight recordings of a cluster's nodes, as the debugger opens them: `synod debug node1.rec node2.rec node3.rec`.

use crate::node::Store;
use crate::node::blueprint::Blueprint;
use crate::search::read_text;
use std::path::PathBuf;
use std::sync::Arc;
use synod_debugger::{Flight, Past, Setup, open};
use synod_host::part_before;
use synod_node::NodeId;
use synod_registry::opened::{self, Opened};
use synod_resp::{Limits, Parsed, Reply, RequestParser, split_quoted, write_request};
use synod_shardedstore::Request;
use synod_store::{Action, Command, Environment, NoFacts, Session, Settings};
use synod_testkit::seeker;
use synod_verify_shardedstore::shown::{self, Shards};
use synod_world::{Recording, Trace, TraceError};

/// How a person writes a request to a gateway.
const HELP: &str = "a Redis command, such as SET key value, at one of the gateways c1, c2, …";

/// Opens what some nodes recorded; a single file may be a trace, too.
///
/// # Errors
/// What is wrong with which file, and what to do.
pub fn open_files(files: &[PathBuf], mutant: Option<&'static str>) -> Result<Opened, String> {
    let mut parts = Vec::new();
    for file in files {
        parts.push((file.clone(), "give what `recording` in a node's configuration names"));
        let before = part_before(file);
        if before.is_file() && !files.contains(&before) {
            parts.push((before, "move it away if it is of no use"));
        }
    }
    let mut recordings = Vec::new();
    for (file, advice) in parts {
        let place = file.display().to_string();
        let wrong = |why: String| format!("{place}: {why}");
        let text = read_text(&file, advice).map_err(wrong)?;
        match Recording::from_text(&text) {
            Ok(recording) => recordings.push((place, recording)),
            Err(TraceError::NoRecording) if *files == [file] => {
                let trace = Trace::from_text(&text).map_err(|error| error.to_string());
                return trace.and_then(|trace| opened::trace(&trace, mutant, &place)).map_err(wrong);
            }
            Err(why) => return Err(wrong(why.to_string())),
        }
    }
    if mutant.is_some() {
        return Err("--mutant: nobody's mistake stands in a recording; leave it out".to_owned());
    }
    open(setup(recordings, files)?)
}

fn setup(recordings: Vec<(String, Recording)>, files: &[PathBuf]) -> Result<Setup<Store>, String> {
    let mut numbers: Vec<u32> = recordings.iter().map(|(_, recording)| recording.origin.process).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    let build = |id: NodeId, words: &serde_json::Value| {
        let blueprint: Blueprint =
            serde_json::from_value(words.clone()).map_err(|error| error.to_string())?;
        if blueprint.id() != id {
            return Err(format!("it was built as {}", blueprint.id()));
        }
        blueprint.build()
    };
    let flight = Flight::read(recordings, &build)?;
    let mut setup = Setup::of(format!("node {} as recorded", numbers.join(", ")), []);
    "shardedstore".clone_into(&mut setup.module);
    "recording".clone_into(&mut setup.scenario);
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    setup.command = format!("synod debug {}", files.join(" "));
    setup.invariants = shown::claims(|node: &Store| node);
    setup.reader = Some((HELP.to_owned(), Arc::new(request)));
    setup.portrait = Some(Arc::new(Shards));
    setup.compares = true;
    setup.first = flight.first;
    setup.past = Past::Recorded(flight.strands);
    setup.remarks = flight.remarks;
    setup.seeker = Some(seeker(&setup));
    Ok(setup)
}

/// A request in a person's words.
fn request(node: NodeId, text: &str) -> Result<Request<Command>, String> {
    if !crate::node::is_gateway(node) {
        return Err(format!("{node} is no gateway: write {HELP}"));
    }
    let mut words = Vec::new();
    let is_whole = split_quoted(text.as_bytes(), |word| words.push(word.to_vec())).is_some();
    if !is_whole || words.is_empty() {
        return Err(format!("`{text}` is no command: write {HELP}"));
    }
    let mut bytes = Vec::new();
    write_request(&mut bytes, &words);
    let mut parser = RequestParser::new(Limits::default(), true);
    let Ok(Parsed::Command(args)) = parser.advance(&bytes) else {
        return Err(format!("`{text}` is no command: write {HELP}"));
    };
    let settings = Settings::default();
    let environment = Environment { monotonic_ms: 0, random: 1, settings: &settings, facts: &NoFacts };
    let mut session = Session::new(1, "the debugger".to_owned(), &environment);
    match session.on_command(args, &environment) {
        Action::Submit(command, _) if command.is_about_all_keys() => {
            Err(format!("`{text}` is about all keys, which are asked one slot after another: ask about one"))
        }
        Action::Submit(command, _) if command.is_read_only() => Ok(Request::Queries(vec![command])),
        Action::Submit(command, _) => Ok(Request::Commands(vec![command])),
        Action::Reply(Reply::Error(why)) => Err(why.into_owned()),
        _ => Err(format!("`{text}` does not go through the logs: write {HELP}")),
    }
}
