//! `synod demo pingpong`: how fast a question and its answer go between two processes.

use super::children::{Children, pause};
use super::clients::{Clients, Questions};
use super::{Protocol, Stage};
use synod_node::NodeId;
use synod_pingpong::{Client, Process, Server};

const SERVER: NodeId = NodeId::server(1);
const CLIENT: NodeId = NodeId::client(1);

/// The server's node.
pub(super) fn server() -> Process {
    Process::Server(Server)
}

/// How it is: there.
pub(super) fn tell(_node: &Process) -> String {
    "up".to_owned()
}

/// Values to be echoed, one after the other.
struct Values {
    asked: u64,
}

impl Questions<Process> for Values {
    fn next(&mut self) -> Option<u64> {
        self.asked += 1;
        Some(self.asked)
    }

    fn on_answer(&mut self, answer: u64) -> Result<(), String> {
        match self.asked {
            asked if asked == answer => Ok(()),
            asked => Err(format!("{CLIENT} asked for an echo of {asked}, and heard {answer}")),
        }
    }
}

pub(super) async fn show(stage: &Stage<'_>) -> Result<(), String> {
    let tale = stage.tale;
    tale.print("Ping and pong between two processes, over TCP on 127.0.0.1.\n")?;
    let mut children = Children::new(Protocol::PingPong, &[SERVER], 1, stage.data)?;
    let id = children.start(SERVER)?;
    tale.say(format_args!("{SERVER} is a server, process {id}: it sends every value back"))?;
    let places = children.places();
    let config = places.config_of_demo(stage.data.join("clients"));
    let client = (CLIENT, Process::Client(Client::new(SERVER)), Values { asked: 0 });
    let clients = Clients::open(config, places.demo, vec![client], 1).await?;
    children.during(clients.begin_warm()).await?;
    tale.say(format_args!("{CLIENT}, in this process, asks one value after the other"))?;
    children.during(pause(stage.stretch)).await?;
    let figures = clients.take_figures();
    tale.say(figures.told("round trips"))?;
    children.during(clients.rest()).await?;
    tale.say("every answer was the value that was asked for")
}
