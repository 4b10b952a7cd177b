//! The runner itself: each command does what the crate's page says, and a script that is wrong fails.

use crate::{Cast, Options, Stage};
use synod_node::{Context, Durable, Node, NodeId, RequestId};

/// Keeps words: writes each, tells its neighbours, answers once it is durable.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Keeper {
    peers: Vec<NodeId>,
    life: u64,
    kept: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Message {
    Word(String),
    Ring,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Timer {
    Bell,
}

impl Node for Keeper {
    type Message = Message;
    type Timer = Timer;
    type Record = String;
    type Checkpoint = ();
    type Request = String;
    type Response = usize;

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        ctx.set_timer(Timer::Bell, 1..=1);
    }
    fn on_message(&mut self, _from: NodeId, message: Message, _ctx: &mut Context<Self>) {
        if let Message::Word(word) = message {
            assert_ne!(word, "poison", "this node cannot stand poison");
            self.kept.push(word);
        }
    }
    fn on_timer(&mut self, _timer: Timer, ctx: &mut Context<Self>) {
        ctx.broadcast(&self.peers, &Message::Ring);
        ctx.set_timer(Timer::Bell, 1..=1);
    }
    fn on_request(&mut self, id: RequestId, word: String, ctx: &mut Context<Self>) {
        self.kept.push(word.clone());
        ctx.persist(word.clone());
        ctx.broadcast(&self.peers, &Message::Word(word));
        ctx.reply(id, self.kept.len());
    }
    fn on_recover(&mut self, durable: Durable<Self>, _ctx: &mut Context<Self>) {
        self.kept = durable.records;
    }
}

struct Keepers;

impl Cast for Keepers {
    type Node = Keeper;

    fn build(&self, id: NodeId, life: u64, options: &Options) -> Result<Keeper, String> {
        let count = options.get("members").map_or(Ok(3), |count| count.parse());
        let mut peers = NodeId::servers(count.map_err(|_| "members= is a number")?);
        peers.retain(|peer| *peer != id);
        Ok(Keeper { peers, life, kept: Vec::new() })
    }
    fn request(&self, words: &[&str]) -> Result<String, String> {
        if words.is_empty() { Err("a word is missing".into()) } else { Ok(words.join(" ")) }
    }
    fn describe(&self, node: &Keeper) -> String {
        format!("life {} keeps {:?}", node.life, node.kept)
    }
}

scripts!(Keepers, "src/scripts":
    messages_arrive_are_lost_and_come_twice_as_the_script_says,
    a_manual_disk_holds_back_what_promises_and_a_crash_forgets_it,
    partitions_and_cuts_lose_what_crosses_them,
    timers_fire_only_when_told,
    a_wrong_command_is_refused_by_name,
);

#[test]
fn a_script_whose_output_is_another_is_caught() {
    let script = "start n1\n---\nn1 == life 0 keeps []\n";
    assert_eq!(goldenscript::generate(&mut Stage::new(Keepers), script).unwrap(), script);
    let wrong = script.replace("[]", "[\"x\"]");
    assert_ne!(goldenscript::generate(&mut Stage::new(Keepers), &wrong).unwrap(), wrong);
}

#[test]
fn a_command_that_fails_unexpectedly_fails_the_script() {
    for script in ["crash n1\n---\n", "start n1\ndeliver kind=Word\n---\n", "start n1\nfire n1 tock\n---\n"] {
        assert!(goldenscript::generate(&mut Stage::new(Keepers), script).is_err(), "{script}");
    }
}
