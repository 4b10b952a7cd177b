//! `CLIENT`, `CONFIG`, `SELECT`, `TIME`, `WAIT`.

use super::Session;
use crate::Environment;
use crate::glob::Pattern;
use crate::parse::SYNTAX;
use crate::parse_keys::{unknown_subcommand, wrong_subcommand_arity};
use crate::strings::NOT_AN_INTEGER;
use std::fmt::Write as _;
use synod_resp::{Args, Protocol, Reply, parse_integer};

pub(super) const INVALID_NAME: Reply =
    Reply::error("ERR Client names cannot contain spaces, newlines or special characters.");

/// The longest name of a connection or of its library.
const NAME_BYTES_MAX: usize = 256;

/// Whether a connection may be called so: `CLIENT LIST` is lines of words.
pub(super) fn is_valid_name(name: &[u8]) -> bool {
    name.len() <= NAME_BYTES_MAX && name.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

pub(super) fn select(index: &[u8]) -> Reply {
    match parse_integer(index) {
        None => Reply::error("ERR value is not an integer or out of range"),
        Some(0) => Reply::OK,
        Some(_) => Reply::error("ERR SELECT is not allowed in cluster mode"),
    }
}

/// An acknowledged write is on a majority: so many replicas besides the leader have it.
pub(super) fn wait(args: Args<'_>, environment: &Environment<'_>) -> Reply {
    if parse_integer(&args[1]).is_none() {
        return NOT_AN_INTEGER;
    }
    match parse_integer(&args[2]) {
        None => Reply::error("ERR timeout is not an integer or out of range"),
        Some(timeout) if timeout < 0 => Reply::error("ERR timeout is negative"),
        Some(_) => Reply::Integer(environment.facts.cluster().nodes.len() as i64 / 2),
    }
}

pub(super) fn tell_config(args: Args<'_>, environment: &Environment<'_>) -> Reply {
    let word = args.get(1).unwrap_or_default();
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    if is("get") {
        if args.len() < 3 {
            return wrong_subcommand_arity("config", "get");
        }
        let patterns: Vec<Vec<u8>> = args.skip(2).iter().map(<[u8]>::to_ascii_lowercase).collect();
        let wanted =
            |name: &str| patterns.iter().any(|pattern| Pattern::new(pattern).matches(name.as_bytes()));
        let value_bytes_max = environment.settings.value_bytes_max.to_string();
        let own = [("proto-max-bulk-len", value_bytes_max.as_str()), ("databases", "1"), ("save", "")];
        let told = environment.settings.told.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs = own.into_iter().chain(told).filter(|(name, _)| wanted(name));
        Reply::Map(pairs.map(|(name, value)| (Reply::bulk(name), Reply::bulk(value))).collect())
    } else if is("resetstat") {
        Reply::OK
    } else if is("set") || is("rewrite") {
        Reply::error("ERR the configuration is read at start: change the file and restart the node")
    } else {
        unknown_subcommand("CONFIG", word)
    }
}

impl Session {
    pub(super) fn tell_clients(&mut self, args: Args<'_>, environment: &Environment<'_>) -> Reply {
        let word = args.get(1).unwrap_or_default().to_ascii_lowercase();
        let arity = |name: &'static str, words: usize| {
            if args.len() == words { Ok(()) } else { Err(wrong_subcommand_arity("client", name)) }
        };
        let reply = match word.as_slice() {
            b"id" => arity("id", 2).map(|()| Reply::Integer(self.id.cast_signed())),
            b"getname" => arity("getname", 2).map(|()| match self.name.is_empty() {
                true => Reply::Null,
                false => Reply::bulk(&self.name),
            }),
            b"setname" => arity("setname", 3).map(|()| self.set_name(&args[2])),
            b"setinfo" => arity("setinfo", 4).map(|()| self.set_library(&args[2], &args[3])),
            b"info" => arity("info", 2).map(|()| {
                let mut line = String::new();
                self.describe(environment.monotonic_ms, &mut line);
                Reply::Verbatim(line.into_bytes().into())
            }),
            b"list" => Ok(self.list(args, environment)),
            b"no-evict" => arity("no-evict", 3).map(|()| on_or_off(&args[2])),
            b"no-touch" => arity("no-touch", 3).map(|()| on_or_off(&args[2])),
            _ => Err(unknown_subcommand("CLIENT", args.get(1).unwrap_or_default())),
        };
        reply.unwrap_or_else(|error| error)
    }

    fn set_name(&mut self, name: &[u8]) -> Reply {
        if !is_valid_name(name) {
            return INVALID_NAME;
        }
        self.name = name.to_vec();
        Reply::OK
    }

    fn set_library(&mut self, attribute: &[u8], value: &[u8]) -> Reply {
        let (field, name) = if attribute.eq_ignore_ascii_case(b"lib-name") {
            (&mut self.library_name, "lib-name")
        } else if attribute.eq_ignore_ascii_case(b"lib-ver") {
            (&mut self.library_version, "lib-ver")
        } else {
            let attribute = String::from_utf8_lossy(attribute);
            return Reply::Error(format!("ERR Unrecognized option '{attribute}'").into());
        };
        if !is_valid_name(value) {
            let text = format!("ERR {name} cannot contain spaces, newlines or special characters.");
            return Reply::Error(text.into());
        }
        *field = value.to_vec();
        Reply::OK
    }

    fn list(&self, args: Args<'_>, environment: &Environment<'_>) -> Reply {
        let option = args.get(2).map(<[u8]>::to_ascii_lowercase);
        let lines = match option.as_deref() {
            None => self.lines(None, environment),
            Some(b"id") if args.len() > 3 => {
                let ids =
                    args.skip(3).iter().map(|id| parse_integer(id).and_then(|id| u64::try_from(id).ok()));
                let Some(ids) = ids.collect::<Option<Vec<_>>>() else {
                    return Reply::error("ERR Invalid client ID");
                };
                self.lines(Some(&ids), environment)
            }
            Some(b"type") if args.len() == 4 => match args[3].to_ascii_lowercase().as_slice() {
                b"normal" => self.lines(None, environment),
                b"master" | b"replica" | b"slave" | b"pubsub" => String::new(),
                _ => {
                    let kind = String::from_utf8_lossy(&args[3]);
                    return Reply::Error(format!("ERR Unknown client type '{kind}'").into());
                }
            },
            Some(_) => return SYNTAX,
        };
        Reply::Verbatim(lines.into_bytes().into())
    }

    /// The lines of this connection and of the others, of those numbered `ids` or of all.
    fn lines(&self, ids: Option<&[u64]>, environment: &Environment<'_>) -> String {
        let mut lines = environment.facts.clients(ids);
        if ids.is_none_or(|ids| ids.contains(&self.id)) {
            self.describe(environment.monotonic_ms, &mut lines);
        }
        lines
    }

    /// Appends this connection's line of `CLIENT LIST`.
    pub fn describe(&self, now_ms: u64, line: &mut String) {
        let seconds_since = |ms: u64| now_ms.saturating_sub(ms) / 1000;
        let text = String::from_utf8_lossy;
        // Writing to a string does not fail.
        let _ = writeln!(
            line,
            "id={} addr={} laddr=? fd=0 name={} age={} idle={} flags=N db=0 sub=0 psub=0 ssub=0 multi={} \
             qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd={} \
             user=default redir=-1 resp={} lib-name={} lib-ver={}",
            self.id,
            self.address,
            text(&self.name),
            seconds_since(self.since_ms),
            seconds_since(self.active_ms),
            if self.queue.is_some() { 0 } else { -1 },
            self.last_command,
            if self.protocol == Protocol::Resp3 { 3 } else { 2 },
            text(&self.library_name),
            text(&self.library_version),
        );
    }
}

fn on_or_off(word: &[u8]) -> Reply {
    let is_either = word.eq_ignore_ascii_case(b"on") || word.eq_ignore_ascii_case(b"off");
    if is_either { Reply::OK } else { SYNTAX }
}
