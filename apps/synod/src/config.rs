//! The configuration of one node: a TOML file, checked as a whole before anything is opened.
//!
//! ```toml
//! cluster = "orders"
//! node = 1
//! data = "/var/lib/synod"
//! listen = "127.0.0.1:7001"         # clients
//! peer_listen = "127.0.0.1:17001"   # other nodes
//! admin_listen = "127.0.0.1:9001"   # metrics; may be left out
//! groups = 2                        # of a new store; 1 if it is left out
//! password_file = "/etc/synod/password"  # needed for addresses that others can reach
//!
//! [[peers]]                         # this node, and others: all who found the cluster, or some that are in it
//! node = 1
//! peer = "127.0.0.1:17001"
//! client = "127.0.0.1:7001"
//!
//! [tls]                             # clients and operators speak TLS; may be left out
//! cert_file = "/etc/synod/node1.crt"
//! key_file = "/etc/synod/node1.key"
//! ```
//!
//! Passwords stand in a file of their own, or in the environment as `SYNOD_PASSWORD`; never in this one.

use crate::node::places;
use crate::{server, tls};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use synod_host::Key;
use synod_shardedstore::Addresses;
use synod_store::Password;

/// The environment variable that may hold the password.
pub const PASSWORD_VARIABLE: &str = "SYNOD_PASSWORD";

/// One node's configuration.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The cluster's name: nodes of another one are refused.
    pub cluster: String,
    /// This node's number, from 1.
    pub node: u32,
    /// The directory for everything durable.
    pub data: PathBuf,
    /// Where clients are served.
    pub listen: SocketAddr,
    /// Where other nodes are heard.
    pub peer_listen: SocketAddr,
    /// The file with the key that all nodes have and nobody else: with it they know each other, and nobody reads what they
    /// say. Needed where others reach `peer_listen`. Further lines are keys that others may have while all change to another one;
    /// the file is read again when it changes.
    pub peer_key_file: Option<PathBuf>,
    /// Where metrics are served.
    pub admin_listen: Option<SocketAddr>,
    /// The file whose first line is the clients' password.
    pub password_file: Option<PathBuf>,
    /// Which life of this node's disk it is: 0, and one more each time that the disk was lost and the node comes back
    /// with an empty directory. It then takes no part in quorums until it has caught up.
    #[serde(default)]
    pub incarnation: u64,
    /// Where to record everything that happens to the node, for the debugger. Costs time.
    pub recording: Option<PathBuf>,
    /// How many bytes of it are kept at least; when as many more were written, the oldest go. What happened since a start can
    /// be gone through again as long as none of it is gone.
    #[serde(default = "recording_bytes")]
    pub recording_bytes: u64,
    /// How many groups a new store is founded with, each with a member on every node. Later they join and leave by
    /// `synod group`.
    #[serde(default = "one")]
    pub groups: u32,
    /// Nodes of the cluster, this one among them. Of a new cluster all that found it, the same list in each file. Once it is
    /// founded its log says which nodes there are, and these are places to look for them.
    pub peers: Vec<Peer>,
    /// What clients may take.
    #[serde(default)]
    pub limits: Limits,
    /// Clients and operators are served by TLS, if it is there.
    pub tls: Option<tls::Files>,
}

/// How many bytes of a recording are kept where nobody says it.
pub const fn recording_bytes() -> u64 {
    64 << 20
}

fn one() -> u32 {
    1
}

/// The least that is kept of a recording.
const RECORDING_BYTES_MIN: u64 = 1 << 20;

/// The most groups that a store is founded with.
pub const GROUPS_MAX: u32 = 64;

/// A node of the cluster.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its number.
    pub node: u32,
    /// Where other nodes reach it: `host:port`, the host by name or by number.
    pub peer: String,
    /// Where clients reach it.
    pub client: String,
}

impl Peer {
    /// Where it is reached.
    pub(crate) fn addresses(&self) -> Addresses {
        Addresses { peer: self.peer.as_str().into(), client: self.client.as_str().into() }
    }
}

/// What clients may take.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The most clients at a time.
    pub clients_max: usize,
    /// The longest key, in bytes.
    pub key_bytes_max: usize,
    /// The longest value, in bytes.
    pub value_bytes_max: u64,
    /// The most bytes of replies that may wait for one client behind the one that is being written.
    pub output_bytes_max: usize,
    /// The most bytes that the process holds for all clients together; an eighth of the memory, if it is not said, and at
    /// most 512 MiB.
    pub client_bytes_max: usize,
    /// The most memory that the process may take before commands are refused that may take more: what Redis calls
    /// `maxmemory`. Three quarters of the memory, if it is not said; 0: no bound.
    pub memory_bytes_max: u64,
    /// How long a connection may be idle, in ms; 0: for ever.
    pub idle_ms_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let (server, settings) = (server::Limits::default(), synod_store::Settings::default());
        Limits {
            clients_max: server.clients_max,
            key_bytes_max: settings.key_bytes_max,
            value_bytes_max: settings.value_bytes_max,
            output_bytes_max: server.output_bytes_max,
            client_bytes_max: client_bytes_max(memory_bytes()),
            memory_bytes_max: memory_bytes() / 4 * 3,
            idle_ms_max: 0,
        }
    }
}

/// How much memory this process may have, as far as the system tells: the machine's, or what a control group that it is
/// in allows, if that is less. 0 if it does not tell.
pub(crate) fn memory_bytes() -> u64 {
    memory_told(|path| std::fs::read_to_string(path).ok())
}

/// As [`memory_bytes`], with `read` as the system's files.
fn memory_told(read: impl Fn(&str) -> Option<String>) -> u64 {
    let machine = read("/proc/meminfo").and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    let mut least = machine.map(|kib| kib << 10);
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    for line in groups.lines() {
        // The number of a hierarchy, what it bounds, and the group: of the second version there is one, which bounds all.
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(bounds), Some(group)) = (fields.next(), fields.next()) else { continue };
        let (root, file) = match bounds {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if bounds.split(',').any(|bound| bound == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // Within a container the group may have its name outside, and stand at the root: so each group above counts too.
        for above in Path::new(group).ancestors() {
            let place = above.to_str().unwrap_or_default().trim_end_matches('/');
            let limit = read(&format!("{root}{place}/{file}")).and_then(|text| text.trim().parse().ok());
            least = least.into_iter().chain(limit).min();
        }
    }
    least.unwrap_or(0)
}

/// The budget for clients where nobody says it.
fn client_bytes_max(memory_bytes: u64) -> usize {
    let most = server::Limits::default().client_bytes_max;
    let part = usize::try_from(memory_bytes / 8).unwrap_or(most);
    if part == 0 { most } else { part.clamp(32 << 20, most) }
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// One line: where, what, and what to do.
    pub fn read(path: &Path) -> Result<Config, String> {
        let place = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{place}: {error}; give the path of a readable configuration file"))?;
        let config = Config::parse(&text).map_err(|problem| format!("{place}: {problem}"))?;
        config.password().map_err(|problem| format!("{place}: {problem}"))?;
        let tls = config.tls.as_ref().map(tls::Files::load).transpose();
        tls.map_err(|problem| format!("{place}: {problem}"))?;
        Ok(config)
    }

    /// Reads and checks `text`.
    ///
    /// # Errors
    /// One line: where in the text, what, and what to do.
    pub fn parse(text: &str) -> Result<Config, String> {
        let config: Config = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let line = line.map_or_else(String::new, |line| format!("line {line}: "));
            format!("{line}{}", explain(error.message()))
        })?;
        config.check()?;
        Ok(config)
    }

    /// Checks what no field shows alone.
    ///
    /// # Errors
    /// One line: what, and what to do.
    pub fn check(&self) -> Result<(), String> {
        let addresses = [("listen", Some(self.listen)), ("peer_listen", Some(self.peer_listen))];
        for (name, address) in addresses.into_iter().chain([("admin_listen", self.admin_listen)]) {
            if address.is_some_and(|address| address.port() == 0) {
                return Err(format!("{name}: port 0 is no port; choose one from 1 to 65535"));
            }
        }
        self.check_addresses()?;
        if self.data.is_relative() {
            return Err(format!(
                "data: {} is not the same place from everywhere; give the whole path",
                self.data.display()
            ));
        }
        if self.cluster.is_empty() || self.cluster.len() > 64 {
            return Err("cluster: the name must have 1 to 64 bytes".to_owned());
        }
        let mut numbers: Vec<u32> = self.peers.iter().map(|peer| peer.node).collect();
        numbers.sort_unstable();
        if let Some(twice) = numbers.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("peers: node {} stands there twice; number the nodes apart", twice[0]));
        }
        let own = self.peers.iter().find(|peer| peer.node == self.node);
        if own.is_none() {
            let node = self.node;
            return Err(format!(
                "peers: node {node} (this one) is missing; list it with those that it shall look for"
            ));
        }
        if let Some(number) = numbers.iter().find(|number| !(1..places::NODE_BOUND).contains(*number)) {
            return Err(format!(
                "peers: node {number}: number the nodes from 1 to {}",
                places::NODE_BOUND - 1
            ));
        }
        if !(1..=GROUPS_MAX).contains(&self.groups) {
            return Err(format!(
                "groups: found the store with 1 to {GROUPS_MAX} of them; others may join later"
            ));
        }
        if self.recording_bytes < RECORDING_BYTES_MIN {
            return Err(format!("recording_bytes: keep {RECORDING_BYTES_MIN} at least"));
        }
        if self.limits.value_bytes_max > 512 << 20 {
            return Err("limits.value_bytes_max: clients cannot send more than 536870912 bytes".to_owned());
        }
        let has_password = self.password_file.is_some() || std::env::var_os(PASSWORD_VARIABLE).is_some();
        server::check_address(self.listen, has_password).map_err(|problem| format!("listen: {problem}"))?;
        if self.peer_key_file.is_none() && !self.peer_listen.ip().is_loopback() {
            return Err(format!(
                "peer_listen: {} can be reached from other machines, and whoever reaches it could be a node; set \
                 `peer_key_file`, the same for all nodes (`synod key FILE` makes one), or listen on 127.0.0.1",
                self.peer_listen
            ));
        }
        Ok(())
    }

    /// Where this node is reached.
    pub(crate) fn own_addresses(&self) -> Addresses {
        let own = self.peers.iter().find(|peer| peer.node == self.node);
        own.expect("a configuration that was checked lists its own node").addresses()
    }

    /// The keys that the nodes have in common: this one's first, then those that others may have.
    ///
    /// # Errors
    /// If the file cannot be read, holds none, or something else too; says what to do.
    pub fn peer_keys(&self) -> Result<Vec<Key>, String> {
        let Some(path) = &self.peer_key_file else { return Ok(Vec::new()) };
        let place = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("peer_key_file: {place}: {error}; make it readable for this user"))?;
        let mut lines = text.lines().map(str::trim);
        let first = lines.next().unwrap_or_default();
        let lines = std::iter::once(first).chain(lines.filter(|line| !line.is_empty()));
        lines.map(str::parse).collect::<Result<_, String>>().map_err(|problem| {
            format!("peer_key_file: {place}: {problem}; copy the file of another node, or make one: synod key FILE")
        })
    }

    /// No two doors are at one address.
    fn check_addresses(&self) -> Result<(), String> {
        let own = [
            ("listen", Some(self.listen)),
            ("peer_listen", Some(self.peer_listen)),
            ("admin_listen", self.admin_listen),
        ];
        let own = own.into_iter().filter_map(|(name, address)| Some((name.to_owned(), address?.to_string())));
        let peers = self.peers.iter().flat_map(|peer| {
            let name = |what: &str| format!("peers: {what} of node {}", peer.node);
            [(name("peer"), peer.peer.clone()), (name("client"), peer.client.clone())]
        });
        if let Some((name, address)) = peers.clone().find(|(_, address)| !synod_store::is_address(address)) {
            return Err(format!("{name}: `{address}` is no address; write host:port"));
        }
        for doors in [own.collect::<Vec<_>>(), peers.collect()] {
            for (at, (name, address)) in doors.iter().enumerate() {
                if let Some((other, _)) = doors[..at].iter().find(|(_, other)| other == address) {
                    return Err(format!(
                        "{name}: {address} is the address of {other} already; give each its own"
                    ));
                }
            }
        }
        Ok(())
    }

    /// The clients' password: the environment's, or the first line of the file.
    ///
    /// # Errors
    /// If the file cannot be read or holds none; says what to do.
    pub fn password(&self) -> Result<Option<Password>, String> {
        if let Some(password) = std::env::var_os(PASSWORD_VARIABLE) {
            return Ok(Some(Password::new(password.into_encoded_bytes())));
        }
        let Some(path) = &self.password_file else { return Ok(None) };
        let place = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("password_file: {place}: {error}; make it readable for this user"))?;
        match text.lines().next().filter(|line| !line.is_empty()) {
            Some(line) => Ok(Some(Password::new(line))),
            None => Err(format!("password_file: {place}: its first line is empty; write the password there")),
        }
    }
}

/// Makes one line of a message of the TOML reader, and says which known key an unknown one resembles.
fn explain(message: &str) -> String {
    let message = message.lines().collect::<Vec<_>>().join(" ");
    let Some(rest) = message.strip_prefix("unknown field ") else { return message };
    let mut names = rest.split('`').skip(1).step_by(2);
    let Some(unknown) = names.next() else { return message };
    let known: Vec<&str> = names.collect();
    match known.iter().min_by_key(|name| distance(name, unknown)) {
        Some(nearest) if distance(nearest, unknown) <= 1 + unknown.len() / 3 => {
            format!("unknown key `{unknown}`; did you mean `{nearest}`?")
        }
        Some(_) | None => format!("unknown key `{unknown}`; there are {}", known.join(", ")),
    }
}

/// How many letters must be added, taken away or changed to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{Config, memory_told};

    const GOOD: &str = "cluster = \"c\"\nnode = 1\ndata = \"/d\"\nlisten = \"127.0.0.1:7001\"\n\
        peer_listen = \"127.0.0.1:17001\"\n[[peers]]\nnode = 1\npeer = \"127.0.0.1:17001\"\nclient = \"127.0.0.1:7001\"\n";

    #[test]
    fn a_key_is_read_from_its_file_and_what_is_wrong_with_it_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        let mut config = Config::parse(GOOD).unwrap();
        assert_eq!(config.peer_keys(), Ok(Vec::new()));
        config.peer_key_file = Some(file.clone());
        assert!(config.peer_keys().unwrap_err().contains("make it readable"));
        std::fs::write(&file, "secret\n").unwrap();
        assert!(config.peer_keys().unwrap_err().contains("a key is 64 hexadecimal digits"));
        std::fs::write(&file, format!("{}\n", "5e".repeat(32))).unwrap();
        assert_eq!(config.peer_keys().unwrap().len(), 1);
        std::fs::write(&file, format!("{}\n\n{}\n", "5e".repeat(32), "ed".repeat(32))).unwrap();
        assert_eq!(config.peer_keys().unwrap().len(), 2);
        std::fs::write(&file, format!("{}\nand more\n", "5e".repeat(32))).unwrap();
        assert!(config.peer_keys().unwrap_err().contains("a key is 64 hexadecimal digits"));
    }

    #[test]
    fn a_control_group_and_those_above_it_bound_the_memory() {
        let memory = |files: &[(&str, &str)]| {
            let machine = ("/proc/meminfo", "MemTotal:        8388608 kB\nMemFree: 1 kB\n");
            let files: Vec<_> = files.iter().chain([&machine]).collect();
            let find = |path: &str| files.iter().find(|(name, _)| *name == path);
            memory_told(|path| find(path).map(|(_, text)| (*text).to_owned()))
        };
        const GIB: u64 = 1 << 30;
        assert_eq!(memory(&[]), 8 * GIB);
        assert_eq!(memory_told(|_| None), 0);
        let own = ("/proc/self/cgroup", "0::/pods/one\n");
        assert_eq!(memory(&[own, ("/sys/fs/cgroup/pods/one/memory.max", "max\n")]), 8 * GIB);
        assert_eq!(memory(&[own, ("/sys/fs/cgroup/pods/one/memory.max", "1073741824\n")]), GIB);
        assert_eq!(memory(&[own, ("/sys/fs/cgroup/pods/memory.max", "1073741824\n")]), GIB);
        // A container that sees its group at the root.
        assert_eq!(memory(&[own, ("/sys/fs/cgroup/memory.max", "1073741824\n")]), GIB);
        let own = ("/proc/self/cgroup", "9:cpu:/x\n4:hugetlb,memory:/one\n0::/\n");
        let limit = |bytes| ("/sys/fs/cgroup/memory/one/memory.limit_in_bytes", bytes);
        assert_eq!(memory(&[own, limit("9223372036854771712\n")]), 8 * GIB);
        assert_eq!(memory(&[own, limit("2147483648\n")]), 2 * GIB);
    }

    #[test]
    fn a_whole_configuration_is_read() {
        let config = Config::parse(GOOD).unwrap();
        assert_eq!((config.node, config.peers.len(), config.limits.clients_max), (1, 1, 10_000));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line_with_what_to_do() {
        for (from, to, expected) in [
            (
                "listen = \"127.0.0.1:7001\"",
                "lisen = \"127.0.0.1:7001\"",
                "line 4: unknown key `lisen`; did you mean `listen`?",
            ),
            ("node = 1", "node = \"one\"", "line 2: invalid type"),
            ("cluster = \"c\"\n", "", "missing field `cluster`"),
            (":7001\"\npeer", ":0\"\npeer", "listen: port 0 is no port; choose one from 1 to 65535"),
            (":7001\"\npeer", ":70000\"\npeer", "line 4: invalid socket address"),
            ("[[peers]]\nnode = 1", "[[peers]]\nnode = 2", "peers: node 1 (this one) is missing"),
            (
                "listen = \"127.0.0.1:7001\"",
                "listen = \"0.0.0.0:7001\"",
                "listen: 0.0.0.0:7001 can be reached from other machines",
            ),
            (
                "peer_listen = \"127.0.0.1:17001\"",
                "peer_listen = \"0.0.0.0:17001\"",
                "peer_listen: 0.0.0.0:17001 can be reached from other machines",
            ),
            ("cluster = \"c\"", "cluster = ", "line 1: "),
            ("data = \"/d\"", "data = \"d\"", "data: d is not the same place from everywhere"),
            (
                "peer_listen = \"127.0.0.1:17001\"",
                "peer_listen = \"127.0.0.1:7001\"",
                "peer_listen: 127.0.0.1:7001 is the address of listen already",
            ),
            (
                "client = \"127.0.0.1:7001\"",
                "client = \"127.0.0.1:17001\"",
                "peers: client of node 1: 127.0.0.1:17001 is the address of peers: peer of node 1 already",
            ),
        ] {
            let problem = Config::parse(&GOOD.replacen(from, to, 1)).expect_err(expected);
            assert!(problem.contains(expected), "{problem}\nexpected {expected}");
            assert_eq!(problem.lines().count(), 1, "{problem}");
        }
        let missing = Config::read(std::path::Path::new("/nonexistent/synod.toml")).unwrap_err();
        assert!(
            missing.contains("/nonexistent/synod.toml") && missing.contains("give the path"),
            "{missing}"
        );
    }
}
