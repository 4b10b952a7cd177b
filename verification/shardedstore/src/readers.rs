//! Requests as a person writes them.

use crate::scenarios::store::{join, leave};
use crate::scenarios::texts::{around_the_log, through_the_log};
use synod_node::NodeId;
use synod_shardedstore::{ConfigurationCommand, GroupId, Request, SlotId, TextCommand};
use synod_verify::by_hand::{unknown, words};

/// How requests are written.
pub const HELP: &str = "PUT:key:value, GET:key, APPEND:key:value, MGET:key:key, MPUT:key:value:key:value, SWAP:key:key, \
                                READ:key around the log, or at the controller JOIN:group, LEAVE:group, MOVE:slot:group";

/// A request to a sharded store, whose groups have so many members.
pub fn read(
    (node, controller): (NodeId, NodeId),
    members: u32,
    text: &str,
) -> Result<Request<TextCommand>, String> {
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
        _ => return Err(unknown(text, HELP)),
    };
    Ok(through_the_log(command))
}
