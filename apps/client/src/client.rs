//! The client: a session of the group, the nodes in turn, and what an answer or the lack of one means.

use crate::connection::Connection;
use crate::{Error, Options};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};
use synod_resp::Reply;
use synod_stdx::Rng;

/// 64 bits that the system's random source chose: the keys of the standard library's hash maps come from there.
fn random_bits() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A number for a session: 63 bits, so that two clients hardly ever draw the same.
fn random_client() -> u64 {
    random_bits() >> 1
}

/// The name under which the group remembers this client's commands.
#[derive(Debug)]
struct Session {
    client: u64,
    /// The number of the next command.
    next: u64,
    /// Whether `next` was sent already and may have been taken by what was sent.
    is_in_doubt: bool,
}

impl Session {
    fn new(client: u64) -> Session {
        Session { client, next: 1, is_in_doubt: false }
    }
}

/// A client whose commands run exactly once. See the crate's page.
#[derive(Debug)]
pub struct Client {
    addresses: Vec<SocketAddr>,
    /// The one that is asked, or will be asked next.
    at: usize,
    connection: Option<Connection>,
    options: Options,
    session: Session,
    rng: Rng,
}

/// What became of one attempt.
enum Attempt {
    /// The command did not run by this attempt; another may be made.
    NotRun(String),
    /// Nobody knows.
    Lost(String),
    /// The group does not take this number from this client. The command did not run by this attempt.
    NumberRefused(String),
    /// It ran before, its answer is no longer kept.
    Gone,
    /// The store's answer, which may be an error.
    Answer(Reply),
}

/// How the attempts at one number ended. `is_lost`: some attempt may have run, or may still.
enum End {
    Answer { reply: Reply, is_lost: bool },
    NumberRefused { why: String, is_lost: bool },
    Gone,
    OutOfTime { why: String, is_lost: bool },
}

impl Client {
    /// A client of the cluster whose nodes are at `addresses`. Any of them will do, more are better.
    ///
    /// # Errors
    /// If there is no address, no node can be reached within [`Options::patience`], or the password is wrong.
    pub fn connect(addresses: &[SocketAddr], options: Options) -> Result<Client, Error> {
        if addresses.is_empty() {
            return Err(Error::NoAddress);
        }
        let mut rng = Rng::new(random_bits());
        // Many clients with one list should not all begin with one node.
        let at = rng.below(addresses.len() as u64) as usize;
        let session = Session::new(options.client.unwrap_or_else(random_client));
        let mut client =
            Client { addresses: addresses.to_vec(), at, connection: None, options, session, rng };
        let reply = client.query(&[b"PING"])?;
        if reply == Reply::simple("PONG") { Ok(client) } else { Err(Error::Unexpected(reply)) }
    }

    /// The number under which the group knows this client.
    pub fn number(&self) -> u64 {
        self.session.client
    }

    /// Runs `command` exactly once: its name, then its arguments. It must be a command on keys.
    ///
    /// # Errors
    /// Each says whether the command happened.
    pub fn execute(&mut self, command: &[&[u8]]) -> Result<Reply, Error> {
        let deadline = Instant::now() + self.options.patience;
        loop {
            self.settle(deadline)?;
            match self.run_numbered(command, deadline) {
                End::Answer { reply: Reply::Error(words), is_lost } => {
                    // A command that is refused for its words takes no number, one that fails in the store does.
                    self.session.is_in_doubt = true;
                    return Err(match is_lost {
                        true => Error::MayHaveHappened(words.into_owned()),
                        false => Error::Refused(words.into_owned()),
                    });
                }
                End::Answer { reply, .. } => {
                    self.session.next += 1;
                    return Ok(reply);
                }
                End::OutOfTime { why, is_lost: false } => return Err(Error::DidNotHappen(why)),
                End::OutOfTime { why, is_lost: true } => {
                    self.session.is_in_doubt = true;
                    return Err(Error::MayHaveHappened(why));
                }
                End::Gone => {
                    self.session = Session::new(random_client());
                    return Err(Error::AnswerIsGone);
                }
                End::NumberRefused { why, is_lost: true } => {
                    self.session = Session::new(random_client());
                    return Err(Error::MayHaveHappened(why));
                }
                // It certainly did not run: it may begin anew.
                End::NumberRefused { is_lost: false, .. } => self.session = Session::new(random_client()),
            }
        }
    }

    /// Asks what changes nothing, and again until there is an answer.
    ///
    /// # Errors
    /// If there is none in time, or it is an error.
    pub fn query(&mut self, command: &[&[u8]]) -> Result<Reply, Error> {
        match self.repeat(command, Instant::now() + self.options.patience) {
            End::Answer { reply: Reply::Error(words), .. } => Err(Error::Refused(words.into_owned())),
            End::Answer { reply, .. } => Ok(reply),
            End::OutOfTime { why, .. } | End::NumberRefused { why, .. } => Err(Error::DidNotHappen(why)),
            End::Gone => Err(Error::AnswerIsGone),
        }
    }

    /// Sets `key` to `value`.
    ///
    /// # Errors
    /// As [`execute`](Client::execute).
    pub fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let reply = self.execute(&[b"SET", key, value])?;
        if reply == Reply::OK { Ok(()) } else { Err(Error::Unexpected(reply)) }
    }

    /// The value of `key`, if it is there.
    ///
    /// # Errors
    /// As [`query`](Client::query).
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.query(&[b"GET", key])? {
            Reply::Bulk(value) => Ok(Some(value.to_vec())),
            Reply::Null => Ok(None),
            reply => Err(Error::Unexpected(reply)),
        }
    }

    /// Adds one to the number that `key` holds, and tells the sum.
    ///
    /// # Errors
    /// As [`execute`](Client::execute).
    pub fn incr(&mut self, key: &[u8]) -> Result<i64, Error> {
        match self.execute(&[b"INCR", key])? {
            Reply::Integer(sum) => Ok(sum),
            reply => Err(Error::Unexpected(reply)),
        }
    }

    /// Removes `key`, and tells whether it was there.
    ///
    /// # Errors
    /// As [`execute`](Client::execute).
    pub fn del(&mut self, key: &[u8]) -> Result<bool, Error> {
        match self.execute(&[b"DEL", key])? {
            Reply::Integer(removed) => Ok(removed > 0),
            reply => Err(Error::Unexpected(reply)),
        }
    }

    /// Takes a number that is in doubt out of the game: whatever was sent with it, a read takes it now, or it is taken.
    fn settle(&mut self, deadline: Instant) -> Result<(), Error> {
        if !self.session.is_in_doubt {
            return Ok(());
        }
        match self.run_numbered(&[b"EXISTS", b""], deadline) {
            End::Answer { .. } => {
                self.session.next += 1;
                self.session.is_in_doubt = false;
                Ok(())
            }
            End::NumberRefused { .. } | End::Gone => {
                self.session = Session::new(random_client());
                Ok(())
            }
            End::OutOfTime { why, .. } => {
                Err(Error::DidNotHappen(format!("the command before it is not settled: {why}")))
            }
        }
    }

    fn run_numbered(&mut self, command: &[&[u8]], deadline: Instant) -> End {
        let (client, sequence) = (self.session.client.to_string(), self.session.next.to_string());
        let mut words: Vec<&[u8]> = vec![b"ONCE", client.as_bytes(), sequence.as_bytes()];
        words.extend_from_slice(command);
        self.repeat(&words, deadline)
    }

    /// Sends `words` until they are answered or the time is up.
    fn repeat(&mut self, words: &[&[u8]], deadline: Instant) -> End {
        let mut is_lost = false;
        let mut pause = self.options.pause_first;
        loop {
            let why = match self.attempt(words, deadline) {
                Attempt::Answer(reply) => return End::Answer { reply, is_lost },
                Attempt::NumberRefused(why) => return End::NumberRefused { why, is_lost },
                Attempt::Gone => return End::Gone,
                Attempt::NotRun(why) => why,
                Attempt::Lost(why) => {
                    is_lost = true;
                    why
                }
            };
            // Another node may know more.
            self.connection = None;
            self.at = (self.at + 1) % self.addresses.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return End::OutOfTime { why, is_lost };
            }
            sleep(self.jittered(pause).min(left));
            pause = (pause * 2).min(self.options.pause_max);
        }
    }

    fn jittered(&mut self, pause: Duration) -> Duration {
        let half = pause / 2;
        half + Duration::from_micros(self.rng.between(0, (pause - half).as_micros() as u64))
    }

    fn attempt(&mut self, words: &[&[u8]], deadline: Instant) -> Attempt {
        let address = self.addresses[self.at];
        // A last attempt is made even if the time is nearly up: a time-out of zero is none.
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let within = left.min(self.options.attempt_max);
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match self.open(address, within) {
                Ok(connection) => connection,
                Err(attempt) => return attempt,
            },
        };
        match connection.ask(words, within) {
            Err(error) => Attempt::Lost(format!("{address}: {error}")),
            Ok(reply) => {
                self.connection = Some(connection);
                judge(address, reply)
            }
        }
    }

    fn open(&self, address: SocketAddr, within: Duration) -> Result<Connection, Attempt> {
        let not_run = |error| Attempt::NotRun(format!("{address}: {error}"));
        let mut connection = Connection::open(address, within).map_err(not_run)?;
        if let Some(password) = &self.options.password {
            match connection.ask(&[b"AUTH", password], within).map_err(not_run)? {
                reply if reply == Reply::OK => {}
                refusal => return Err(judge(address, refusal)),
            }
        }
        Ok(connection)
    }
}

/// What an answer means: its first word tells.
fn judge(address: SocketAddr, reply: Reply) -> Attempt {
    let Reply::Error(words) = &reply else { return Attempt::Answer(reply) };
    let why = format!("{address}: {words}");
    match words.split(' ').next().unwrap_or_default() {
        "TRYAGAIN" | "CLUSTERDOWN" => Attempt::NotRun(why),
        "MAYBE" => Attempt::Lost(why),
        "ONCEUNKNOWN" | "ONCEGAP" => Attempt::NumberRefused(why),
        "ONCEGONE" => Attempt::Gone,
        // What a full node says in the place of an answer.
        _ if words.starts_with("ERR max number of clients") => Attempt::NotRun(why),
        _ => Attempt::Answer(reply),
    }
}
