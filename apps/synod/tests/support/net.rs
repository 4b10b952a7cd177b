//! Machines for nodes: network namespaces, joined by a bridge, within a namespace of the test's own. Messages of
//! one node to another are lost in silence where the test says so. All of it is gone when the test ends, however it ends.

#![allow(dead_code, reason = "each test program uses a part of it")]

use crate::cluster::{Cluster, Ports, Setup, Wire};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;
use synod_resp::Reply;

const INSIDE: &str = "SYNOD_TEST_NAMESPACE";
const PASSWORD: &str = "between machines";
/// Nobody has this address.
const NOWHERE: &str = "02:00:00:00:00:99";

/// Runs `body` of the test of this name in namespaces of its own: the test's program runs once more in them.
pub fn inside(test: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let is_there =
        |program: &str| Command::new(program).arg("-V").output().is_ok_and(|output| output.status.success());
    if !["ip", "unshare", "nsenter"].iter().all(|program| is_there(program)) {
        let text = "iproute2 and util-linux are not installed, nodes have no machines of their own";
        assert!(std::env::var_os("CI").is_none(), "{text}");
        println!("SKIPPED: {text}");
        return;
    }
    // SAFETY: a plain system call.
    let is_root = unsafe { libc::geteuid() } == 0;
    let mut command = Command::new("unshare");
    if !is_root {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--"]);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture", "--include-ignored"]);
    let output = command.env(INSIDE, "1").output().expect("it is installed");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "in its namespaces: {}", output.status);
}

fn run(program: &str, words: &str) {
    let output = Command::new(program).args(words.split(' ')).output().expect("the program is installed");
    assert!(output.status.success(), "{program} {words}: {}", String::from_utf8_lossy(&output.stderr));
}

fn ip(words: &str) {
    run("ip", words);
}

fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, number as u8)
}

/// The machines of a cluster's nodes, and the cluster.
pub struct Machines {
    pub cluster: Cluster,
    count: u32,
}

impl Machines {
    /// A cluster of `count` nodes, each on a machine of its own, once one of them leads.
    pub fn start(count: u32) -> Machines {
        run("mount", "-t tmpfs none /run");
        std::fs::create_dir_all("/run/netns").unwrap();
        ip("link set lo up");
        ip("link add br0 type bridge");
        ip("link set br0 up");
        ip("addr add 10.77.0.254/24 dev br0");
        for number in 1..=count {
            ip(&format!("netns add m{number}"));
            ip(&format!("link add v{number} type veth peer name eth0 netns m{number}"));
            ip(&format!("link set v{number} master br0 up"));
            ip(&format!("-n m{number} addr add {}/24 dev eth0", address(number)));
            ip(&format!("-n m{number} link set eth0 up"));
            ip(&format!("-n m{number} link set lo up"));
        }
        let ports = |number: u32| {
            let at = |port: u16| SocketAddr::from((address(number), port));
            Ports { client: at(7001), peer: at(17_001), admin: at(27_001) }
        };
        let cluster = Cluster::start_as(count as usize, |setup: &mut Setup| {
            setup.own = ports(setup.node);
            setup.all = (1..=count).map(ports).collect();
            setup.within =
                vec!["nsenter".to_owned(), format!("--net=/run/netns/m{}", setup.node), "--".to_owned()];
            setup.environment = vec![("SYNOD_PASSWORD", PASSWORD.to_owned())];
        });
        Machines { cluster, count }
    }

    /// From now on nothing that `from` sends arrives at `to`.
    pub fn cut(&self, from: u32, to: u32) {
        ip(&format!("-n m{from} neigh replace {} lladdr {NOWHERE} nud permanent dev eth0", address(to)));
    }

    /// What `from` sends arrives at `to` again.
    pub fn heal(&self, from: u32, to: u32) {
        ip(&format!("-n m{from} neigh del {} dev eth0", address(to)));
    }

    /// From now on so many of 1,000 packets that a machine has from another one are lost, whatever they carry.
    pub fn lose(&self, permille: u32) {
        for number in 1..=self.count {
            let within = format!("--net=/run/netns/m{number} -- nft");
            run("nsenter", &format!("{within} add table ip lossy"));
            let chain = "{ type filter hook input priority 0 ; }";
            run("nsenter", &format!("{within} add chain ip lossy in {chain}"));
            let others = format!("ip saddr {}-{}", address(1), address(self.count));
            let fate = format!("numgen random mod 1000 < {permille} counter drop");
            run("nsenter", &format!("{within} add rule ip lossy in {others} {fate}"));
        }
    }

    /// How many packets were lost so far.
    pub fn lost(&self) -> u64 {
        let of_machine = |number: u32| {
            let words = ["nft", "list", "chain", "ip", "lossy", "in"];
            let net = format!("--net=/run/netns/m{number}");
            let output = Command::new("nsenter").arg(net).arg("--").args(words).output().ok()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.split_once("packets ")?.1.split(' ').next()?.parse::<u64>().ok()
        };
        (1..=self.count).filter_map(of_machine).sum()
    }

    /// Every pair of two, in this order.
    pub fn links(&self) -> Vec<(u32, u32)> {
        let all = 1..=self.count;
        all.clone()
            .flat_map(|from| all.clone().map(move |to| (from, to)))
            .filter(|(from, to)| from != to)
            .collect()
    }

    /// Cuts a node off from all others, or joins it again.
    pub fn isolate(&self, node: u32, is_cut: bool) {
        for (from, to) in self.links() {
            if from == node || to == node {
                if is_cut { self.cut(from, to) } else { self.heal(from, to) }
            }
        }
    }

    /// A client of a node.
    pub fn client(&self, node: u32, patience: Duration) -> Option<Wire> {
        let mut wire = Wire::open(SocketAddr::from((address(node), 7001)), patience)?;
        (wire.ask(&["AUTH", PASSWORD])? == Reply::OK).then_some(wire)
    }
}
