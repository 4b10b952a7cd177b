//! Accepting connections, and ending those whose time is over.

use super::connection::Connection;
use super::facts::ServerFacts;
use super::registry::{Completions, Doom, Registry, add};
use super::turns::Turns;
use super::{Backend, Options};
use crate::tls::Door;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::OnceLock;
use std::task::Poll;
use std::time::{Duration, Instant};
use synod_store::{Environment, Session};
use tokio::net::{TcpListener, TcpStream};

/// How often connections are looked over for time-outs.
const ROUND_MS: u64 = 500;
/// How long a stopping server waits for what is under way.
const STOP_MS: u64 = 3_000;

/// Milliseconds since this process first asked, and one: a clock that never goes back, by which connections are idle.
pub(crate) fn now_ms() -> u64 {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    BEGIN.get_or_init(Instant::now).elapsed().as_millis() as u64 + 1
}

/// A server before it serves: gives out [`Completions`], so that a backend can be built.
pub struct Server {
    registry: Rc<Registry>,
}

impl Server {
    /// A server set up as `options` say.
    pub fn new(options: Options) -> Server {
        Server { registry: Rc::new(Registry::new(options)) }
    }

    /// Where the backend puts outcomes.
    pub fn completions(&self) -> Completions {
        Completions { registry: self.registry.clone() }
    }

    /// Serves the clients that come to `listener` and are let in by `door` until `stop` is ready, then finishes what is under way.
    ///
    /// Must run inside a [`tokio::task::LocalSet`].
    pub async fn run<B: Backend>(
        self,
        (listener, door): (TcpListener, Door),
        backend: B,
        stop: impl Future<Output = ()>,
    ) {
        let facts =
            Rc::new(ServerFacts { registry: self.registry.clone(), backend, started: Instant::now() });
        let turns = tokio::task::spawn_local(Turns::run(self.registry.clone()));
        let mut stop = pin!(stop);
        let mut round = tokio::time::interval(Duration::from_millis(ROUND_MS));
        loop {
            let event = std::future::poll_fn(|cx| {
                if stop.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Event::Stop);
                }
                if round.poll_tick(cx).is_ready() {
                    return Poll::Ready(Event::Round);
                }
                listener.poll_accept(cx).map(Event::Accepted)
            });
            match event.await {
                Event::Stop => break,
                Event::Round => self.end_overdue(),
                Event::Accepted(Ok((stream, address))) => self.admit((stream, address), &door, &facts),
                Event::Accepted(Err(error)) => {
                    // Out of descriptors, as a rule: the ones in use must first be given back.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        self.finish().await;
        turns.abort();
    }

    fn admit<B: Backend>(
        &self,
        (stream, address): (TcpStream, SocketAddr),
        door: &Door,
        facts: &Rc<ServerFacts<B>>,
    ) {
        let registry = &self.registry;
        add(&registry.counters.accepted, 1);
        if registry.len() >= registry.options.limits.clients_max {
            add(&registry.counters.rejected, 1);
            // A new socket's buffer takes this much. If not, the client learns it from the close.
            let _ = stream.try_write(b"-ERR max number of clients reached\r\n");
            return;
        }
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let id = registry.next_id.replace(registry.next_id.get() + 1);
        let settings = &registry.options.settings;
        let environment = Environment { monotonic_ms: now_ms(), random: 0, settings, facts: &**facts };
        let session = Session::new(id, address.to_string(), &environment);
        let shared = registry.add(session, environment.monotonic_ms);
        let (door, facts) = (door.clone(), facts.clone());
        tokio::task::spawn_local(async move {
            match door.admit(stream).await {
                Ok(stream) => Connection::new(stream, address, shared, facts).await,
                Err(error) => {
                    tracing::debug!(%address, %error, "a client is not let in");
                    add(&facts.registry.counters.rejected, 1);
                    facts.registry.remove(&shared);
                }
            }
        });
    }

    /// Ends connections that waited too long.
    fn end_overdue(&self) {
        let (now_ms, limits) = (now_ms(), &self.registry.options.limits);
        self.registry.for_each(|shared| {
            let since = |start_ms: u64| if start_ms == 0 { 0 } else { now_ms.saturating_sub(start_ms) };
            let is_idle = shared.replies.borrow().is_empty()
                && limits.idle_ms_max.is_some_and(|max| since(shared.active_ms.get()) > max);
            if since(shared.stalled_ms.get()) > limits.output_stall_ms {
                shared.end(Doom::CutOff);
            } else if since(shared.begun_ms.get()) > limits.request_ms_max || is_idle {
                shared.end(Doom::TimedOut);
            }
        });
    }

    /// Lets connections answer what is under way, for a while.
    async fn finish(&self) {
        self.registry.for_each(|shared| shared.end(Doom::Stopping));
        let deadline = Instant::now() + Duration::from_millis(STOP_MS);
        while self.registry.len() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

enum Event {
    Stop,
    Round,
    Accepted(std::io::Result<(TcpStream, SocketAddr)>),
}

/// Descriptors that are not for clients: peers, files, metrics.
const RESERVED_DESCRIPTORS: u64 = 128;

/// Makes sure that `clients_max` connections can be open at a time, and everything else too.
///
/// # Errors
/// Says what to do if the system does not allow it.
pub fn reserve_descriptors(clients_max: usize) -> Result<(), String> {
    let wanted = clients_max as u64 + RESERVED_DESCRIPTORS;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live `rlimit`, which the call fills.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 || limit.rlim_cur >= wanted {
        return Ok(());
    }
    limit.rlim_cur = wanted.min(limit.rlim_max);
    // SAFETY: the pointer is to a live `rlimit`, which the call reads.
    let is_raised = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0;
    if is_raised && limit.rlim_cur == wanted {
        return Ok(());
    }
    let allowed = limit.rlim_max.saturating_sub(RESERVED_DESCRIPTORS);
    Err(format!(
        "{clients_max} clients need {wanted} open files and the system allows {}; raise it with `ulimit -n {wanted}`, \
         or set `clients_max` to {allowed}",
        limit.rlim_max
    ))
}

/// Refuses an address that others can reach, unless there is a password.
///
/// # Errors
/// Says what to do.
pub fn check_address(address: SocketAddr, has_password: bool) -> Result<(), String> {
    if has_password || address.ip().is_loopback() {
        return Ok(());
    }
    Err(format!(
        "{address} can be reached from other machines and no password is set; set `password_file`, or listen on 127.0.0.1"
    ))
}
