//! Requests as a person writes them: `PUT:key:value`, several of one user joined by commas.

use crate::shardedstore::store::{join, leave};
use crate::shardedstore::texts::{around_the_log, through_the_log};
use synod_clientserver::KvCommand;
use synod_node::NodeId;
use synod_shardedstore::{ConfigurationCommand, GroupId, SlotId, TextCommand};

/// A request's words: what is between colons.
fn words(text: &str) -> Vec<&str> {
    text.split(':').map(str::trim).collect()
}

fn unknown(text: &str, help: &str) -> String {
    format!("`{text}` is no request: write {help}")
}

/// How requests of `pingpong` are written.
pub const PING_HELP: &str = "a number";

/// A ping.
pub fn ping(text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| unknown(text, PING_HELP))
}

/// How requests of the small store are written.
pub const KV_HELP: &str = "PUT:key:value, GET:key or APPEND:key:value";

/// A command of the small store.
pub fn kv(text: &str) -> Result<KvCommand, String> {
    match words(text)[..] {
        ["PUT", key, value] => Ok(KvCommand::put(key, value)),
        ["GET", key] => Ok(KvCommand::get(key)),
        ["APPEND", key, value] => Ok(KvCommand::append(key, value)),
        _ => Err(unknown(text, KV_HELP)),
    }
}

/// How requests of a Paxos group are written.
pub const PAXOS_HELP: &str = "PUT:key:value, GET:key, APPEND:key:value or, around the log, READ:key";

/// A request to a Paxos group.
pub fn paxos(text: &str) -> Result<synod_paxos::Request<KvCommand>, String> {
    use synod_paxos::Request;
    if let ["READ", key] = words(text)[..] {
        return Ok(Request::Queries(vec![KvCommand::get(key)]));
    }
    kv(text).map(|command| Request::Commands(vec![command])).map_err(|_| unknown(text, PAXOS_HELP))
}

/// How requests of a sharded store are written.
pub const SHARDED_HELP: &str = "PUT:key:value, GET:key, APPEND:key:value, MGET:key:key, MPUT:key:value:key:value, SWAP:key:key, \
                                READ:key around the log, or at the controller JOIN:group, LEAVE:group, MOVE:slot:group";

/// A request to a sharded store, whose groups have so many members.
pub fn sharded(
    (node, controller): (NodeId, NodeId),
    members: u32,
    text: &str,
) -> Result<synod_shardedstore::Request<TextCommand>, String> {
    use synod_shardedstore::Request;
    let words = words(text);
    let number = |text: &str| text.parse::<u32>().map_err(|_| format!("`{text}` is no number"));
    let change = match words[..] {
        ["JOIN", group] => Some(join(number(group)?, members)),
        ["LEAVE", group] => Some(leave(number(group)?)),
        ["MOVE", slot, group] => {
            let slot = SlotId::new(number(slot)?.into()).ok_or_else(|| format!("there is no slot {slot}"))?;
            Some(ConfigurationCommand::Move { first: slot, last: slot, group: GroupId(number(group)?) })
        }
        _ => None,
    };
    if change.is_some() != (node == controller) {
        return Err(format!(
            "the user of {controller} asks for JOIN, LEAVE and MOVE alone, and no other user does"
        ));
    }
    if let Some(change) = change {
        return Ok(Request::Configure(change));
    }
    let command = match words[..] {
        ["READ", key] => return Ok(around_the_log(TextCommand::get(key))),
        ["PUT", key, value] => TextCommand::put(key, value),
        ["GET", key] => TextCommand::get(key),
        ["APPEND", key, value] => TextCommand::append(key, value),
        ["SWAP", one, other] => TextCommand::swap(one, other),
        ["MGET", ref keys @ ..] if !keys.is_empty() => TextCommand::multi_get(keys),
        ["MPUT", ref pairs @ ..] if !pairs.is_empty() && pairs.len().is_multiple_of(2) => {
            let pairs: Vec<(&str, &str)> = pairs.chunks(2).map(|pair| (pair[0], pair[1])).collect();
            TextCommand::multi_put(&pairs)
        }
        _ => return Err(unknown(text, SHARDED_HELP)),
    };
    Ok(through_the_log(command))
}
