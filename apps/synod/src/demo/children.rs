//! The servers of a demo, from outside: processes of this binary, which end with the demo.

use super::Protocol;
use super::places::{Kept, Places};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use synod_node::NodeId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What a process says.
struct Said {
    node: NodeId,
    /// Which start of the process says it.
    start: u64,
    /// Nothing more once it has ended.
    line: Option<String>,
}

/// A process that runs. It is killed when this is dropped.
struct Child {
    start: u64,
    child: std::process::Child,
}

impl Child {
    fn signal(&self, signal: libc::c_int) -> Result<(), String> {
        let id = libc::pid_t::try_from(self.child.id()).map_err(|error| error.to_string())?;
        // SAFETY: a plain system call; the child was not waited for, so its number is still its own.
        match unsafe { libc::kill(id, signal) } {
            0 => Ok(()),
            _ => Err(format!("process {id} takes no signal: {}", io::Error::last_os_error())),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The servers' processes.
pub(super) struct Children {
    protocol: Protocol,
    places: Places,
    data: PathBuf,
    running: BTreeMap<NodeId, Child>,
    starts: u64,
    said: UnboundedReceiver<Said>,
    say: UnboundedSender<Said>,
    _kept: Kept,
}

impl Children {
    /// No process runs yet; there is a place for each of `servers`, and for so many clients.
    pub(super) fn new(
        protocol: Protocol,
        servers: &[NodeId],
        clients: u32,
        data: &Path,
    ) -> Result<Children, String> {
        let (places, kept) =
            Places::choose(servers, clients).map_err(|error| format!("no ports on 127.0.0.1: {error}"))?;
        let (say, said) = unbounded_channel();
        let (running, data) = (BTreeMap::new(), data.to_owned());
        Ok(Children { protocol, places, data, running, starts: 0, said, say, _kept: kept })
    }

    /// Where each process listens.
    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    /// Starts the process of `node`, with the data that it has. Returns its number.
    pub(super) fn start(&mut self, node: NodeId) -> Result<u32, String> {
        self.starts += 1;
        let start = self.starts;
        let mut child =
            self.spawn(node).map_err(|error| format!("the process of {node} cannot start: {error}"))?;
        let (out, say) = (child.stdout.take(), self.say.clone());
        std::thread::spawn(move || {
            let lines = out.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok);
            for line in lines.map(Some).chain([None]) {
                // Whoever listened is gone with all children.
                let _ = say.send(Said { node, start, line });
            }
        });
        let id = child.id();
        self.running.insert(node, Child { start, child });
        Ok(id)
    }

    fn spawn(&self, node: NodeId) -> io::Result<std::process::Child> {
        let log = File::options().create(true).append(true).open(self.log(node))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("demo-node").arg(self.protocol.to_string());
        command.arg("--node").arg(node.to_string()).arg("--data").arg(self.data.join(node.to_string()));
        command.arg("--demo").arg(self.places.demo.to_string());
        command.arg("--clients").arg(self.places.clients.to_string());
        for place in &self.places.servers {
            command.arg("--server").arg(format!("{}={}", place.node, place.address));
        }
        // The child ends when its standard input closes, and that is open as long as this process lives.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        // An interrupt at the terminal is for the demo, which stops its children itself.
        command.process_group(0);
        // A child that was stopped does not see its input close.
        // SAFETY: between fork and exec only a system call is made.
        unsafe {
            command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            });
        }
        command.spawn()
    }

    fn log(&self, node: NodeId) -> PathBuf {
        self.data.join(format!("{node}.log"))
    }

    /// Kills the process of `node` with SIGKILL: it can finish nothing.
    pub(super) fn kill(&mut self, node: NodeId) -> Result<(), String> {
        let child = self.running.remove(&node).ok_or_else(|| format!("{node} does not run"))?;
        child.signal(libc::SIGKILL)
    }

    /// Lets the process of `node` stand still until it is [continued](Children::go_on).
    pub(super) fn stop(&self, node: NodeId) -> Result<(), String> {
        self.signal(node, libc::SIGSTOP)
    }

    /// Lets a process go on that stood still.
    pub(super) fn go_on(&self, node: NodeId) -> Result<(), String> {
        self.signal(node, libc::SIGCONT)
    }

    fn signal(&self, node: NodeId, signal: libc::c_int) -> Result<(), String> {
        self.running.get(&node).ok_or_else(|| format!("{node} does not run"))?.signal(signal)
    }

    /// The next line that a process says.
    ///
    /// # Errors
    /// If one ended that nobody killed.
    pub(super) async fn next(&mut self) -> Result<(NodeId, String), String> {
        loop {
            let said = self.said.recv().await;
            let Some(Said { node, start, line }) = said else { unreachable!("this value can say something") };
            let is_current = self.running.get(&node).is_some_and(|child| child.start == start);
            match line {
                Some(line) if is_current => return Ok((node, line)),
                None if is_current => return Err(self.last_words(node)),
                // What a process said before it was killed.
                Some(_) | None => {}
            }
        }
    }

    fn last_words(&self, node: NodeId) -> String {
        let words = std::fs::read_to_string(self.log(node)).unwrap_or_default();
        match words.trim() {
            "" => format!("the process of {node} ended by itself, and said nothing"),
            words => format!("the process of {node} ended by itself, and said: {words}"),
        }
    }

    /// Waits for `event` while every process is to keep running; what they say does not matter.
    pub(super) async fn during<T>(
        &mut self,
        event: impl Future<Output = Result<T, String>>,
    ) -> Result<T, String> {
        let mut event = std::pin::pin!(event);
        loop {
            tokio::select! {
                said = self.next() => drop(said?),
                done = &mut event => return done,
            }
        }
    }
}

/// A pause.
pub(super) async fn pause(time: Duration) -> Result<(), String> {
    tokio::time::sleep(time).await;
    Ok(())
}
