//! What processes ask each other before a node of theirs runs: a question and its answer, over a connection of its own, behind
//! the same handshake as any other. What they say is their programs' matter.
//!
//! ```text
//! go         one byte, 1
//! question   length:u32 bytes      at most a mebibyte, as the answer
//! answer     length:u32 bytes
//! ```

use crate::frame::{GO, GUEST_INCARNATION, Hello, Refusal, answer_from_bytes, answer_to_bytes};
use crate::peers::connect_to;
use crate::seal::{self, Channel, Key};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// The most bytes of a question or an answer.
const BYTES_MAX: usize = 1 << 20;
/// Asking takes so long at most: the other side may have to ask others.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process at which no node runs yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guest {
    /// Its number in the cluster, as it says.
    pub number: u32,
    /// The number of its disk.
    pub disk: u128,
    /// Where it calls from.
    pub from: SocketAddr,
}

/// An answer that is on its way. An empty one is none.
pub type Answer = Pin<Box<dyn Future<Output = Vec<u8>>>>;
pub(crate) type OnGuest = Rc<dyn Fn(Guest, Vec<u8>) -> Answer>;

/// How a process introduces itself that runs nothing yet.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// Which cluster this is.
    pub cluster: u64,
    /// The process's number in it.
    pub number: u32,
    /// The number of its disk.
    pub disk: u128,
    /// What all processes of the cluster know, as in [`HostConfig`](crate::HostConfig).
    pub keys: Vec<Key>,
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unanswered {
    /// The process that was asked refuses this one.
    Refused(Refusal),
    /// Nobody is there, or nobody who has an answer.
    Nobody,
}

/// Asks the process `to`, which is at this address.
///
/// # Errors
/// If there is no answer.
pub async fn ask_as_guest(
    introduction: &Introduction,
    (to, address): (u32, &str),
    question: &[u8],
) -> Result<Vec<u8>, Unanswered> {
    let conversation = async {
        let stream = connect_to(address).await.ok_or(Unanswered::Nobody)?;
        let hello = Hello {
            cluster: introduction.cluster,
            from: introduction.number,
            to,
            incarnation: GUEST_INCARNATION,
            start: 0,
            nonce: 0,
            disk: introduction.disk,
        };
        let greeted = seal::greet(stream, introduction.keys.first(), &hello.to_bytes()).await;
        let (mut channel, answer) =
            greeted.map_err(|refusal| refusal.map_or(Unanswered::Nobody, Unanswered::Refused))?;
        answer_from_bytes(&answer).0.map_err(Unanswered::Refused)?;
        let asked = async {
            channel.write(&[&[GO], framed(question).as_slice()].concat()).await?;
            read_framed(&mut channel, Vec::new()).await
        };
        asked.await.ok().filter(|answer: &Vec<u8>| !answer.is_empty()).ok_or(Unanswered::Nobody)
    };
    timeout(PATIENCE, conversation).await.unwrap_or(Err(Unanswered::Nobody))
}

/// Answers guests while nothing runs here; other processes are not listened to. Runs until it is dropped.
pub async fn answer_guests(
    listener: &TcpListener,
    introduction: &Introduction,
    answer: impl Fn(Guest, Vec<u8>) -> Answer,
) {
    loop {
        // One after the other: each is short, and there are few.
        let Ok((stream, from)) = listener.accept().await else { continue };
        let _ = timeout(PATIENCE, answer_guest((stream, from), introduction, &answer)).await;
    }
}

async fn answer_guest(
    (stream, from): (TcpStream, SocketAddr),
    introduction: &Introduction,
    answer: &impl Fn(Guest, Vec<u8>) -> Answer,
) -> Option<()> {
    let greeted = seal::hear(stream, &introduction.keys).await.ok()?;
    let hello = Hello::from_bytes(&greeted.hello).ok().filter(|_| greeted.refusal.is_none())?;
    let checked = hello.is_for(introduction.cluster, introduction.number);
    // A process that runs something comes again later.
    if checked.is_ok() && !hello.is_guest() {
        return None;
    }
    let mut channel = greeted.answer(&answer_to_bytes(checked, None)).await.ok()?;
    let mut read = Vec::new();
    let is_going = checked.is_ok() && channel.read(&mut read).await.ok()? && read.first() == Some(&GO);
    if is_going {
        channel.unread(read.split_off(1));
        serve(channel, Guest { number: hello.from, disk: hello.disk, from }, answer).await;
    }
    Some(())
}

/// Answers a guest that was greeted.
pub(crate) async fn serve(mut channel: Channel, guest: Guest, answer: &dyn Fn(Guest, Vec<u8>) -> Answer) {
    let answered = async {
        let question = read_framed(&mut channel, Vec::new()).await?;
        let answer = answer(guest, question).await;
        channel.write(&framed(&answer)).await
    };
    // A guest that is gone asks again.
    let _ = timeout(PATIENCE, answered).await;
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut out = (bytes.len() as u32).to_le_bytes().to_vec();
    out.extend_from_slice(bytes);
    out
}

async fn read_framed(channel: &mut Channel, mut read: Vec<u8>) -> std::io::Result<Vec<u8>> {
    loop {
        if let Some((length, rest)) = read.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            if length > BYTES_MAX {
                return Err(std::io::ErrorKind::InvalidData.into());
            }
            if let Some(bytes) = rest.get(..length) {
                return Ok(bytes.to_vec());
            }
        }
        if !channel.read(&mut read).await? {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
