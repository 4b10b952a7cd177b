//! The doors of real processes: TLS for clients and operators, with a stock client and certificates of `synod cert`; the key of
//! the peers; and files that change while nodes run.

#[path = "support/cluster.rs"]
mod cluster;

use cluster::{Cluster, Ports, Running, wait_for, write_until_acknowledged};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

fn synod(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_synod")).args(words).env("RUST_BACKTRACE", "0").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Certificates of a new authority in `directory`.
fn certify(directory: &Path) {
    let made = synod(&["cert", directory.to_str().unwrap(), "127.0.0.1,localhost", "client"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert_eq!(text(&made.stdout).lines().count(), 6, "{}", text(&made.stdout));
}

/// A node of its own that speaks TLS.
struct Sealed {
    place: tempfile::TempDir,
    ports: Ports,
    process: Option<Running>,
}

impl Sealed {
    /// `more` stands behind the files of the table `[tls]`.
    fn start(more: &str) -> Sealed {
        let place = tempfile::tempdir().unwrap();
        certify(&place.path().join("pki"));
        let mut node = Sealed { place, ports: Ports::free(1)[0], process: None };
        node.write_config(more);
        let log = fs::File::create(node.path("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_synod"))
            .args(["serve", "--config"])
            .arg(node.path("synod.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        node.process = Some(Running::of(child));
        let serves =
            wait_for(PATIENCE, || (node.redis(&["client"], &["SET", "begun", "1"]) == "OK").then_some(()));
        assert!(serves.is_some(), "{}\n{}", node.redis(&["client"], &["PING"]), node.log());
        node
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    fn write_config(&self, more: &str) {
        let Ports { client, peer, admin } = self.ports;
        let quoted = |name: &str| toml::Value::String(self.path(name).display().to_string());
        let text = format!(
            "cluster = \"sealed\"\nnode = 1\ndata = {}\nlisten = \"{client}\"\npeer_listen = \"{peer}\"\nadmin_listen = \
             \"{admin}\"\n[[peers]]\nnode = 1\npeer = \"{peer}\"\nclient = \"{client}\"\n[tls]\ncert_file = {}\nkey_file = {}\n{more}\n",
            quoted("data"),
            quoted("pki/127.0.0.1.crt"),
            quoted("pki/127.0.0.1.key"),
        );
        let more = text.replace("CA_FILE", &quoted("pki/ca.crt").to_string());
        fs::write(self.path("synod.toml"), more).unwrap();
    }

    /// The output of a stock client that speaks TLS; it shows the certificate of `shows`, if one is named.
    fn redis(&self, shows: &[&str], words: &[&str]) -> String {
        self.redis_by("pki/ca.crt", shows, words)
    }

    fn redis_by(&self, authority: &str, shows: &[&str], words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.ports.client.port().to_string(), "--tls", "--cacert"]);
        command.arg(self.path(authority));
        for name in shows {
            command.arg("--cert").arg(self.path(&format!("pki/{name}.crt")));
            command.arg("--key").arg(self.path(&format!("pki/{name}.key")));
        }
        let output = command.args(words).stdin(Stdio::null()).output().expect("redis-cli is installed");
        format!("{}{}", text(&output.stdout), text(&output.stderr)).trim().to_owned()
    }

    /// The answer to `bytes` that are sent without TLS.
    fn plain(&self, to: std::net::SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        text(&answer)
    }

    fn ask_operators(&self, more: &[&str]) -> Output {
        let (admin, ca) = (self.ports.admin.to_string(), self.path("pki/ca.crt"));
        synod(&[&["status", "--admin", &admin, "--tls-ca", ca.to_str().unwrap()], more].concat())
    }
}

#[test]
fn clients_and_operators_speak_tls_and_nobody_else_is_served() {
    let node = Sealed::start("");
    assert_eq!(node.redis(&[], &["SET", "k", "v"]), "OK");
    let long = "x".repeat(100_000);
    assert_eq!(node.redis(&[], &["SET", "long", &long]), "OK");
    // A reply that fills every buffer on its way, many times.
    for _ in 0..6 {
        node.redis(&[], &["EVAL_IS_NO_COMMAND"]);
        assert_eq!(node.redis(&[], &["APPEND", "long", &long]).split(' ').count(), 1);
    }
    let times: Vec<&str> = std::iter::once("MGET").chain(std::iter::repeat_n("long", 60)).collect();
    assert_eq!(node.redis(&[], &times).len(), 60 * 700_000 + 59);

    let refused = node.plain(node.ports.client, b"*1\r\n$4\r\nPING\r\n");
    assert!(refused.starts_with("-ERR this server speaks TLS here"), "{refused}");
    assert_eq!(node.plain(node.ports.admin, b"GET /metrics HTTP/1.0\r\n\r\n").find("synod_"), None);
    // Something that begins as TLS does and is none, and one that never goes on.
    node.plain(node.ports.client, &[0x16; 100]);
    let mut silent = TcpStream::connect(node.ports.client).unwrap();
    silent.write_all(&[0x16, 3, 1]).unwrap();
    assert_eq!(node.redis(&[], &["GET", "k"]), "v");

    let status = node.ask_operators(&[]);
    assert!(status.status.success() && text(&status.stdout).contains("n1"), "{}", text(&status.stdout));
    let (address, ca) = (node.ports.client.to_string(), node.path("pki/ca.crt"));
    let listed = synod(&["node", "list", "--node", &address, "--tls-ca", ca.to_str().unwrap()]);
    assert!(text(&listed.stdout).contains(&address), "{}{}", text(&listed.stdout), text(&listed.stderr));
    let unsealed = synod(&["node", "list", "--node", &address]);
    assert!(text(&unsealed.stderr).contains("speaks TLS"), "{}", text(&unsealed.stderr));
}

#[test]
fn where_certificates_are_wanted_nobody_comes_without_one() {
    let node = Sealed::start("client_ca_file = CA_FILE");
    assert_eq!(node.redis(&["client"], &["GET", "begun"]), "1");
    let refused = node.redis(&[], &["GET", "begun"]);
    assert!(refused.contains("rror"), "{refused}");
    let other = node.path("other");
    certify(&other);
    for name in ["client.crt", "client.key"] {
        fs::copy(other.join(name), node.path("pki").join(name.replace("client", "stranger"))).unwrap();
    }
    let refused = node.redis(&["stranger"], &["GET", "begun"]);
    assert!(refused.contains("rror"), "{refused}");
    assert!(!node.ask_operators(&[]).status.success());
    let (cert, key) = (node.path("pki/client.crt"), node.path("pki/client.key"));
    let shown = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    assert!(node.ask_operators(&shown).status.success());
}

#[test]
fn plain_clients_may_stay_while_others_change_over() {
    let node = Sealed::start("allows_plain = true");
    assert_eq!(node.plain(node.ports.client, b"GET begun\r\nQUIT\r\n"), "$1\r\n1\r\n+OK\r\n");
    assert_eq!(node.redis(&[], &["GET", "begun"]), "1");
    assert!(node.plain(node.ports.admin, b"GET /metrics HTTP/1.0\r\n\r\n").contains("synod_keys"));
}

#[test]
fn files_that_change_are_read_again_and_wrong_ones_do_not_count() {
    let node = Sealed::start("");
    fs::write(node.path("pki/127.0.0.1.crt"), "no certificate").unwrap();
    wait_for(PATIENCE, || node.log().contains("the last good ones stay").then_some(())).expect("it is said");
    assert_eq!(node.redis(&[], &["GET", "begun"]), "1");
    let other = node.path("other");
    certify(&other);
    for name in ["127.0.0.1.key", "127.0.0.1.crt"] {
        fs::copy(other.join(name), node.path("pki").join(name)).unwrap();
    }
    let is_new = || (node.redis_by("other/ca.crt", &[], &["GET", "begun"]) == "1").then_some(());
    wait_for(PATIENCE, is_new).expect("new connections are shown the new certificate");
    let refused = node.redis(&[], &["GET", "begun"]);
    assert!(refused.contains("certificate verify failed"), "the former authority did not sign it: {refused}");
}

/// First all know the new key, then each begins to use it, then the former one goes. Nodes start again between the steps, so
/// that they must shake hands by what their files say.
#[test]
fn the_key_of_the_peers_changes_while_the_cluster_serves() {
    let mut cluster = Cluster::start_as(3, |setup| setup.is_sealed = true);
    let addresses = cluster.client_addresses();
    let (old, new) = ("5eed".repeat(16), "beef".repeat(16));
    let steps = [format!("{old}\n{new}\n"), format!("{new}\n{old}\n"), format!("{new}\n")];
    for (step, text) in steps.iter().enumerate() {
        for number in cluster.numbers() {
            let setup = cluster.node(number).setup.clone();
            let said = setup.log().len();
            fs::write(setup.key(), text).unwrap();
            let is_read = || setup.log()[said..].contains("was read again").then_some(());
            wait_for(PATIENCE, is_read).expect("the file is read again");
            write_until_acknowledged(&addresses, "k", &format!("{step}.{number}"));
        }
        for number in cluster.numbers() {
            assert!(cluster.stop(number).0.success());
            cluster.restart(number);
            cluster.await_caught_up();
            write_until_acknowledged(&addresses, "k", &format!("{step}.{number}"));
        }
    }
    assert!(cluster.numbers().iter().all(|number| cluster.refusals(*number, "other_key") == 0));
    // A node that still has the former key is refused.
    cluster.stop(3);
    fs::write(cluster.node(3).setup.key(), &old).unwrap();
    cluster.spawn(3);
    cluster.await_refusal(1, "other_key", 0);
    write_until_acknowledged(&addresses[..2], "k", "v");
}

#[test]
fn what_is_wrong_with_the_files_is_said_before_anything_starts() {
    let node = Sealed::start("");
    let check = |more: &str, expected: &str| {
        node.write_config(more);
        let checked = synod(&["check-config", node.path("synod.toml").to_str().unwrap()]);
        assert_eq!(checked.status.code(), Some(2));
        let said = text(&checked.stderr);
        assert!(said.contains(expected) && said.lines().count() == 1, "{said}");
    };
    check("client_ca_file = \"/nonexistent\"", "tls.client_ca_file: /nonexistent");
    check("cert = \"x\"", "unknown key `cert`");
    fs::copy(node.path("pki/client.key"), node.path("pki/127.0.0.1.key")).unwrap();
    check("", "do not go together");
    fs::write(node.path("pki/127.0.0.1.crt"), "").unwrap();
    check("", "tls.cert_file: ");
    let again = synod(&["cert", node.path("pki").to_str().unwrap(), "client"]);
    assert_eq!(again.status.code(), Some(2), "a certificate is never written over");
    assert!(text(&again.stderr).contains("client.key"), "{}", text(&again.stderr));
}
