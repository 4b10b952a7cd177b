//! One connection: a task that reads, parses, submits, collects and writes. See the parent's page.

use super::door::now_ms;
use super::facts::ServerFacts;
use super::registry::{Doom, Registry, Shared, add, exchange};
use super::{Backend, Token};
use crate::tls::Stream;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use synod_resp::{Limits as RequestLimits, Parsed, ProtocolError, Reply, RequestParser};
use synod_store::{Action, Awaiting, Environment};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// While more bytes than this wait to be written, no command is taken.
const PAUSE_BYTES: usize = 1 << 20;
/// How often a task reads before it lets others run.
const READS_MAX: usize = 4;
/// How long a client whose connection is closed may take to read the last reply.
const LINGER_MS: u64 = 1_000;
/// A buffer up to this length is kept when it is empty.
const SMALL_BYTES: usize = 64 << 10;

/// A future that ends when the connection does.
pub(super) struct Connection<B> {
    stream: Stream,
    address: SocketAddr,
    shared: Rc<Shared>,
    facts: Rc<ServerFacts<B>>,
    parser: RequestParser,
    /// What was read and not yet understood.
    input: Vec<u8>,
    /// Whether the parser has seen all of `input`.
    needs_bytes: bool,
    output: Vec<u8>,
    /// How much of `output` was written.
    written: usize,
    /// A command waits for the outcome of those before it.
    is_waiting: bool,
    /// Nothing more is taken; the connection ends when everything is answered and written.
    is_closing: bool,
    is_eof: bool,
    /// Runs while the client may still read the last reply.
    lingering: Option<Pin<Box<Sleep>>>,
    /// Runs after a wrong password.
    pause: Option<(Pin<Box<Sleep>>, Reply)>,
}

/// The connection is over.
struct Ended;

impl<B: Backend> Connection<B> {
    pub(super) fn new(
        stream: Stream,
        address: SocketAddr,
        shared: Rc<Shared>,
        facts: Rc<ServerFacts<B>>,
    ) -> Self {
        let bulk_bytes_max = facts.registry.options.settings.value_bytes_max;
        let limits = RequestLimits { bulk_bytes_max, ..RequestLimits::default() };
        let parser = RequestParser::new(limits, shared.session.borrow().is_authenticated());
        Connection {
            stream,
            address,
            shared,
            facts,
            parser,
            input: Vec::new(),
            needs_bytes: true,
            output: Vec::new(),
            written: 0,
            is_waiting: false,
            is_closing: false,
            is_eof: false,
            lingering: None,
            pause: None,
        }
    }

    fn registry(&self) -> &Registry {
        &self.facts.registry
    }

    /// Whether a further command may be taken now.
    fn takes_commands(&self) -> bool {
        let replies = self.shared.replies.borrow();
        !self.is_closing
            && !self.is_waiting
            && self.pause.is_none()
            && replies.len() < self.registry().options.limits.in_flight_max
            && self.output.len() + replies.ready_bytes() < PAUSE_BYTES
    }

    /// Goes on as far as it can.
    fn advance(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Ended> {
        for _ in 0..READS_MAX {
            self.follow_doom()?;
            self.poll_pause(cx);
            self.collect()?;
            if !self.needs_bytes && self.takes_commands() {
                let input = std::mem::take(&mut self.input);
                let taken = self.take_commands(&input);
                self.input = input;
                self.parser.release_from(&mut self.input);
                taken?;
            }
            self.collect()?;
            let is_blocked = self.write(cx)?;
            let is_answered = self.output.is_empty() && self.shared.replies.borrow().is_empty();
            if is_answered && self.is_eof && (self.is_closing || self.needs_bytes && self.pause.is_none()) {
                return Err(Ended);
            }
            if is_answered && self.is_closing {
                return self.linger(cx).map(|()| Poll::Pending);
            }
            // What is ready is written a piece at a time, and no event will come to remind of the rest.
            let has_more =
                self.shared.replies.borrow().has_next() || !self.needs_bytes && self.takes_commands();
            if self.shared.has_news.get() || !is_blocked && has_more {
                continue;
            }
            let reads = self.needs_bytes && !self.is_eof && self.takes_commands();
            if !reads || !self.registry().turns.take(&self.shared) || self.read(cx)?.is_pending() {
                return Ok(Poll::Pending);
            }
        }
        Ok(Poll::Ready(()))
    }

    /// Everything is written: says so, and drops what the client still sends, for a moment. Closing a socket with
    /// unread bytes would take the last reply away from the client.
    fn linger(&mut self, cx: &mut Context<'_>) -> Result<(), Ended> {
        if self.lingering.is_none() {
            if Pin::new(&mut self.stream).poll_shutdown(cx).is_pending() {
                return Err(Ended);
            }
            self.lingering = Some(Box::pin(tokio::time::sleep(Duration::from_millis(LINGER_MS))));
        }
        let is_over = self.lingering.as_mut().is_none_or(|sleep| sleep.as_mut().poll(cx).is_ready());
        if is_over {
            return Err(Ended);
        }
        let facts = self.facts.clone();
        let mut scratch = facts.registry.scratch.borrow_mut();
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            let poll = ready_or(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if poll.is_pending() {
                return Ok(());
            }
            if buffer.filled().is_empty() {
                return Err(Ended);
            }
        }
    }

    fn follow_doom(&mut self) -> Result<(), Ended> {
        match self.shared.doom.get() {
            None => Ok(()),
            Some(Doom::Stopping) => {
                self.is_closing = true;
                Ok(())
            }
            Some(Doom::TimedOut) => {
                add(&self.registry().counters.timed_out, 1);
                Err(Ended)
            }
            Some(Doom::CutOff) => Err(self.cut_off("the client does not read its replies")),
        }
    }

    fn cut_off(&self, reason: &str) -> Ended {
        add(&self.registry().counters.cut_off, 1);
        tracing::warn!(address = %self.address, reason, "connection cut off");
        Ended
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) {
        if let Some((sleep, _)) = &mut self.pause
            && sleep.as_mut().poll(cx).is_ready()
            && let Some((_, reply)) = self.pause.take()
        {
            self.answer(reply);
        }
    }

    /// Moves what is ready from the queue of replies to the output.
    fn collect(&mut self) -> Result<(), Ended> {
        self.shared.has_news.set(false);
        let limits = &self.facts.registry.options.limits;
        let mut replies = self.shared.replies.borrow_mut();
        if !replies.is_empty() {
            let bounds = (PAUSE_BYTES, limits.client_bytes_max);
            let mut session = self.shared.session.borrow_mut();
            if replies.write(&mut session, &mut self.output, bounds) > 0 {
                self.is_waiting = false;
            }
        }
        let (bytes, behind) =
            (self.output.len() - self.written + replies.ready_bytes(), replies.bytes_behind());
        drop(replies);
        let registry = self.registry();
        exchange(&registry.output_bytes, &self.shared.output_bytes, bytes);
        if behind > limits.output_bytes_max || !registry.may_hold(bytes.saturating_sub(PAUSE_BYTES)) {
            return Err(self.cut_off("more replies wait than the output budget allows"));
        }
        Ok(())
    }

    /// Writes; whether the socket takes no more now.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, Ended> {
        if self.output.is_empty() {
            return Ok(false);
        }
        if self.push(cx)?.is_pending() {
            if self.shared.stalled_ms.get() == 0 {
                self.shared.stalled_ms.set(now_ms());
            }
            return Ok(true);
        }
        self.shared.stalled_ms.set(0);
        self.written = 0;
        self.output.clear();
        if self.output.capacity() > SMALL_BYTES {
            self.output = Vec::new();
        }
        Ok(false)
    }

    /// Hands the output to the stream, and all that TLS holds back to the socket.
    fn push(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Ended> {
        while self.written < self.output.len() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.output[self.written..]) {
                Poll::Ready(Ok(written)) if written > 0 => {
                    self.written += written;
                    add(&self.facts.registry.counters.output_bytes, written as u64);
                    self.shared.stalled_ms.set(0);
                }
                Poll::Ready(_) => return Err(Ended),
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
        ready_or(Pin::new(&mut self.stream).poll_flush(cx))
    }

    /// Reads once and takes the commands that came.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Ended> {
        let facts = self.facts.clone();
        let mut scratch = facts.registry.scratch.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        if ready_or(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?.is_pending() {
            return Ok(Poll::Pending);
        }
        let bytes = buffer.filled();
        if bytes.is_empty() {
            // A request that was begun will not end, and gets no answer.
            self.is_eof = true;
            return Ok(Poll::Ready(()));
        }
        add(&facts.registry.counters.input_bytes, bytes.len() as u64);
        if self.input.is_empty() {
            let taken = self.take_commands(bytes);
            let released = self.parser.release();
            self.input.extend_from_slice(&bytes[released..]);
            taken?;
        } else {
            self.input.extend_from_slice(bytes);
            let input = std::mem::take(&mut self.input);
            let taken = self.take_commands(&input);
            self.input = input;
            self.parser.release_from(&mut self.input);
            taken?;
        }
        self.account_for_input();
        Ok(Poll::Ready(()))
    }

    /// Keeps what unfinished requests and transactions hold within its bound.
    fn account_for_input(&mut self) {
        if self.input.is_empty() && self.input.capacity() > SMALL_BYTES {
            self.input = Vec::new();
        }
        let bytes = self.input.capacity();
        let registry = self.registry();
        exchange(&registry.input_bytes, &self.shared.input_bytes, bytes);
        let queued = self.shared.session.borrow().held_bytes();
        exchange(&registry.queued_bytes, &self.shared.queued_bytes, queued);
        if bytes > SMALL_BYTES && !registry.may_hold(bytes) {
            self.refuse("OOM this server holds as much for its clients as it may; send this again later");
        }
    }

    /// Answers an error and closes.
    fn refuse(&mut self, text: &'static str) {
        self.answer(Reply::error(text));
        self.is_closing = true;
        self.input = Vec::new();
    }

    /// Takes the commands in `bytes`, as long as they may be taken.
    fn take_commands(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        let facts = self.facts.clone();
        let now_ms = now_ms();
        self.shared.active_ms.set(now_ms);
        let mut commands = 0;
        self.needs_bytes = false;
        while self.takes_commands() {
            let random = facts.registry.rng.borrow_mut().next_u64();
            let settings = &facts.registry.options.settings;
            let environment = Environment { monotonic_ms: now_ms, random, settings, facts: &*facts };
            let parsed = self.parser.advance(bytes);
            let action = match parsed {
                Ok(Parsed::Incomplete) => {
                    self.needs_bytes = true;
                    break;
                }
                Ok(Parsed::Command(args)) => self.shared.session.borrow_mut().on_command(args, &environment),
                Ok(Parsed::Oversized(oversized)) => {
                    Action::Reply(self.shared.session.borrow_mut().on_oversized(oversized, &environment))
                }
                Err(error) => return self.on_protocol_error(error),
            };
            commands += u64::from(!matches!(action, Action::Wait));
            self.shared.begun_ms.set(0);
            self.act(action)?;
        }
        if self.needs_bytes && self.parser.is_inside_request() {
            if self.shared.begun_ms.get() == 0 {
                self.shared.begun_ms.set(now_ms);
            }
        } else {
            self.shared.begun_ms.set(0);
        }
        add(&facts.registry.counters.commands, commands);
        if commands > 0 {
            facts.backend.flush();
        }
        Ok(())
    }

    fn act(&mut self, action: Action) -> Result<(), Ended> {
        match action {
            Action::Reply(reply) => self.answer(reply),
            Action::Submit(command, awaiting) => {
                let token = self.await_outcome(awaiting);
                self.facts.backend.submit(token, command);
            }
            Action::Administer(request, awaiting) => {
                let token = self.await_outcome(awaiting);
                self.facts.backend.administer(token, request);
            }
            Action::Wait => {
                self.parser.put_back();
                self.is_waiting = true;
            }
            Action::ReplyLater(reply) => {
                let delay_ms = self.registry().password_delay_ms(self.address.ip(), now_ms());
                self.pause = Some((Box::pin(tokio::time::sleep(Duration::from_millis(delay_ms))), reply));
            }
            Action::ReplyAndClose(reply) => {
                self.answer(reply);
                self.is_closing = true;
            }
            Action::Close(reason) => {
                tracing::warn!(address = %self.address, reason, "connection closed");
                return Err(Ended);
            }
        }
        // Whoever authenticated just now, or took it back, has other limits from the next command on.
        self.parser.set_authenticated(self.shared.session.borrow().is_authenticated());
        Ok(())
    }

    /// A place for an outcome, and its name.
    fn await_outcome(&self, awaiting: Awaiting) -> Token {
        let protocol = self.shared.session.borrow().protocol();
        let sequence = self.shared.replies.borrow_mut().push_waiting(awaiting, protocol);
        Token { connection: self.shared.index, generation: self.shared.generation, sequence }
    }

    /// Answers behind everything that is under way.
    fn answer(&mut self, reply: Reply) {
        let protocol = self.shared.session.borrow().protocol();
        let mut replies = self.shared.replies.borrow_mut();
        if replies.is_empty() {
            reply.write(protocol, &mut self.output);
        } else {
            replies.push_ready(reply, protocol);
        }
    }

    fn on_protocol_error(&mut self, error: ProtocolError) -> Result<(), Ended> {
        add(&self.registry().counters.protocol_errors, 1);
        if matches!(error, ProtocolError::HttpRequest | ProtocolError::TlsHello) {
            tracing::warn!(address = %self.address, "{error}");
        } else {
            tracing::debug!(address = %self.address, "{error}");
        }
        let Some(text) = error.reply_text() else { return Err(Ended) };
        self.answer(Reply::Error(text.into()));
        self.is_closing = true;
        self.facts.backend.flush();
        Ok(())
    }
}

/// An error of the socket ends the connection.
fn ready_or(poll: Poll<std::io::Result<()>>) -> Result<Poll<()>, Ended> {
    match poll.map_err(|_| Ended) {
        Poll::Pending => Ok(Poll::Pending),
        Poll::Ready(result) => result.map(Poll::Ready),
    }
}

impl<B: Backend> Future for Connection<B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.shared.is_awake.set(true);
        let begun = Instant::now();
        let advanced = this.advance(cx);
        this.registry().turns.note_work(begun);
        match advanced {
            Err(Ended) => return Poll::Ready(()),
            Ok(Poll::Ready(())) => cx.waker().wake_by_ref(),
            Ok(Poll::Pending) => {
                let mut waker = this.shared.waker.borrow_mut();
                if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    *waker = Some(cx.waker().clone());
                }
                this.shared.is_awake.set(false);
            }
        }
        Poll::Pending
    }
}

impl<B> Drop for Connection<B> {
    fn drop(&mut self) {
        self.facts.registry.remove(&self.shared);
    }
}

impl<B> Unpin for Connection<B> {}
