//! Where the processes of a demo listen, and what each host must know of the others.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use synod_host::{HostConfig, Peer};
use synod_node::NodeId;
use synod_stdx::Digest;
use tokio::net::TcpSocket;

/// The number of the demo's own process among the hosts, above those of its servers.
const DEMO: u32 = 1_000;
/// A demo persists little.
const SEGMENT_BYTES: u64 = 1 << 20;

/// Where a server listens. Written as `n1=127.0.0.1:4711`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Which.
    pub node: NodeId,
    /// Where.
    pub address: SocketAddr,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || "write it as n1=127.0.0.1:4711".to_owned();
        let (node, address) = text.split_once('=').ok_or_else(shape)?;
        Ok(Place { node: node.parse()?, address: address.parse().map_err(|_| shape())? })
    }
}

/// Every process of a demo: its servers, and the demo itself with all clients.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) servers: Vec<Place>,
    pub(super) demo: SocketAddr,
    /// How many clients there are, from c1.
    pub(super) clients: u32,
}

/// Ports that are kept for a demo's processes, also for one that is started again.
///
/// A socket that is bound and does not listen keeps its port from everybody who lets the system choose, and yet
/// whoever names the port may listen there.
pub(super) struct Kept {
    _sockets: Vec<TcpSocket>,
}

impl Places {
    /// Places for these servers and so many clients, on ports that the system chooses.
    pub(super) fn choose(servers: &[NodeId], clients: u32) -> std::io::Result<(Places, Kept)> {
        let mut sockets = Vec::new();
        let mut keep = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
            let address = socket.local_addr()?;
            sockets.push(socket);
            std::io::Result::Ok(address)
        };
        let demo = keep()?;
        let place = |node: &NodeId| Ok(Place { node: *node, address: keep()? });
        let servers = servers.iter().map(place).collect::<std::io::Result<_>>()?;
        Ok((Places { servers, demo, clients }, Kept { _sockets: sockets }))
    }

    /// What the host of a server needs to know.
    pub(super) fn config_of(&self, server: NodeId, data: PathBuf) -> HostConfig {
        self.config(server.number(), data)
    }

    /// What the host of the clients needs to know.
    pub(super) fn config_of_demo(&self, data: PathBuf) -> HostConfig {
        self.config(DEMO, data)
    }

    fn config(&self, number: u32, data: PathBuf) -> HostConfig {
        let server = |place: &Place| Peer {
            number: place.node.number(),
            address: place.address.to_string(),
            nodes: vec![place.node],
        };
        let demo =
            Peer { number: DEMO, address: self.demo.to_string(), nodes: NodeId::clients(self.clients) };
        let all = self.servers.iter().map(server).chain([demo]);
        HostConfig {
            // Nobody else has the demo's port now, so that two demos never meet.
            cluster: Digest::of(self.demo.to_string().as_bytes()),
            number,
            incarnation: 0,
            data,
            peers: all.filter(|peer| peer.number != number).collect(),
            keys: Vec::new(),
            segment_bytes: SEGMENT_BYTES,
            recording: None,
        }
    }
}

/// A record in words, for reports of damage: the protocols shown here have checkpoints alone.
pub(super) fn describe(node: u32, _kind: u8, payload: &[u8]) -> String {
    format!("{}, {} bytes", NodeId::from_bits(node), payload.len())
}

#[cfg(test)]
mod tests {
    use super::{DEMO, Place, Places};
    use synod_node::NodeId;
    use tokio::net::TcpListener;

    #[test]
    fn a_place_reads_back_and_what_is_none_is_refused() {
        let place = "n1=127.0.0.1:4711".parse::<Place>().unwrap();
        assert_eq!((place.node, place.address.port()), (NodeId::server(1), 4711));
        for (text, words) in
            [("n1", "n1=127.0.0.1:4711"), ("n1=here", "n1=127"), ("x=127.0.0.1:1", "`x` names")]
        {
            let error = text.parse::<Place>().unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn every_host_knows_all_others_and_not_itself() {
        let servers = [NodeId::server(0), NodeId::server(1)];
        let (places, _kept) = Places::choose(&servers, 2).unwrap();
        let peers = |number| {
            let config = places.config(number, "data".into());
            config.peers.into_iter().map(|peer| (peer.number, peer.nodes)).collect::<Vec<_>>()
        };
        let (demo, clients) = (DEMO, NodeId::clients(2));
        assert_eq!(peers(0), [(1, vec![servers[1]]), (demo, clients)]);
        assert_eq!(peers(demo), [(0, vec![servers[0]]), (1, vec![servers[1]])]);
    }

    #[tokio::test]
    async fn a_kept_port_can_be_listened_on_again_and_again() {
        let (places, _kept) = Places::choose(&[NodeId::server(1)], 1).unwrap();
        for _ in 0..3 {
            let listener = TcpListener::bind(places.servers[0].address).await;
            assert!(listener.is_ok(), "{listener:?}");
        }
    }
}
