//! The lock on the door between processes: a key that all of a cluster have, and a connection that only they can read.
//!
//! ```text
//! dialer    "SYNODSEAL" length:u16 message     a Noise message, with the hello of `frame.rs` in it
//! other     length:u16 message                 the answer to the hello in it; length 0: the keys are not the same
//! both      length:u16 record ...              everything that follows, in records
//! ```
//! The handshake is the Noise framework's `NNpsk0`: whoever has not the key can neither say a hello nor read an answer, and
//! what was recorded cannot be read by whoever gets the key later. A hello that is said again by somebody who heard it leads
//! nowhere: the byte that lets a peer in is in the first record.

use crate::frame::{ANSWER_BYTES, HELLO_BYTES, MAGIC, Refusal};
use data_encoding::HEXLOWER_PERMISSIVE;
use snow::{Builder, HandshakeState, TransportState};
use std::fmt;
use std::io::{self, ErrorKind};
use std::str::FromStr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SEAL_MAGIC: &[u8; 9] = b"SYNODSEAL";
const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
const KEY_BYTES: usize = 32;
/// The most bytes of a record, and what of them is the proof that it is whole.
const RECORD_BYTES_MAX: usize = 65_535;
const PROOF_BYTES: usize = 16;
/// What a handshake's message takes besides what it carries: a public key and a proof.
const GREETING_BYTES: usize = 32 + PROOF_BYTES;

/// A key of a cluster: 32 bytes, as 64 hexadecimal digits. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

impl Key {
    /// A key of these bytes, which should be random.
    pub fn new(bytes: [u8; KEY_BYTES]) -> Key {
        Key(bytes)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(digits: &str) -> Result<Key, String> {
        let decoded = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok();
        let bytes = decoded.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
        bytes.map(Key).ok_or_else(|| format!("a key is {} hexadecimal digits", 2 * KEY_BYTES))
    }
}

fn noise(key: &Key) -> Builder<'_> {
    let pattern = PATTERN.parse().expect("the pattern is one that this library knows");
    Builder::new(pattern).psk(0, &key.0).expect("the pattern has one shared key, of this length")
}

fn broken(error: snow::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

/// A connection between two processes that have greeted each other.
pub(crate) struct Channel {
    stream: TcpStream,
    seal: Option<Seal>,
    /// What was read and is to be read again.
    unread: Vec<u8>,
}

/// What makes records of bytes, and bytes of records.
struct Seal {
    transport: Box<TransportState>,
    /// Records that are not whole yet.
    input: Vec<u8>,
}

impl Channel {
    fn new(stream: TcpStream, seal: Option<HandshakeState>) -> io::Result<Channel> {
        let transport = seal.map(HandshakeState::into_transport_mode).transpose().map_err(broken)?;
        let seal = transport.map(|transport| Seal { transport: Box::new(transport), input: Vec::new() });
        Ok(Channel { stream, seal, unread: Vec::new() })
    }

    /// What is read next, before what else comes.
    pub(crate) fn unread(&mut self, bytes: Vec<u8>) {
        self.unread = bytes;
    }

    /// The socket.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Reads some bytes and appends them to `out`; false at the end.
    ///
    /// # Errors
    /// If the connection breaks; [`ErrorKind::InvalidData`] if what came was not sealed with the key.
    pub(crate) async fn read(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        if !self.unread.is_empty() {
            out.append(&mut self.unread);
            return Ok(true);
        }
        let Some(seal) = &mut self.seal else { return Ok(self.stream.read_buf(out).await? > 0) };
        loop {
            if seal.open(out)? {
                return Ok(true);
            }
            if self.stream.read_buf(&mut seal.input).await? == 0 {
                return Ok(false);
            }
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// If the connection breaks.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (stream, mut sealer) = self.halves();
        let mut sealed = Vec::new();
        let bytes = sealer.seal(bytes, &mut sealed)?;
        stream.write_all(bytes).await
    }

    /// The socket, and what makes records of what is written to it.
    pub(crate) fn halves(&mut self) -> (&mut TcpStream, Sealer<'_>) {
        (&mut self.stream, Sealer(self.seal.as_mut().map(|seal| &mut *seal.transport)))
    }
}

/// What makes records of bytes, where there is a key.
pub(crate) struct Sealer<'a>(Option<&'a mut TransportState>);

impl Sealer<'_> {
    /// The form in which `bytes` travel; `sealed` is room for it.
    pub(crate) fn seal<'b>(&mut self, bytes: &'b [u8], sealed: &'b mut Vec<u8>) -> io::Result<&'b [u8]> {
        let Some(transport) = &mut self.0 else { return Ok(bytes) };
        sealed.clear();
        for part in bytes.chunks(RECORD_BYTES_MAX - PROOF_BYTES) {
            put_record(sealed, part.len() + PROOF_BYTES, |room| transport.write_message(part, room))?;
        }
        Ok(sealed)
    }
}

impl Seal {
    /// Appends to `out` what is in the whole records that came; whether there was one.
    fn open(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let mut at = 0;
        while let Some(record) = first_record(&self.input[at..]) {
            let start = out.len();
            out.resize(start + record.len(), 0);
            let length = self.transport.read_message(record, &mut out[start..]).map_err(broken)?;
            out.truncate(start + length);
            at += 2 + record.len();
        }
        self.input.drain(..at);
        Ok(at > 0)
    }
}

/// Appends a length and what `write` puts behind it, of `length` bytes at most.
fn put_record(
    out: &mut Vec<u8>,
    length: usize,
    write: impl FnOnce(&mut [u8]) -> Result<usize, snow::Error>,
) -> io::Result<()> {
    let start = out.len();
    out.resize(start + 2 + length, 0);
    let length = write(&mut out[start + 2..]).map_err(broken)?;
    out[start..start + 2].copy_from_slice(&(length as u16).to_le_bytes());
    out.truncate(start + 2 + length);
    Ok(())
}

/// The record at the front of `input`, if it is whole.
fn first_record(input: &[u8]) -> Option<&[u8]> {
    let (length, rest) = input.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_le_bytes(*length)))
}

/// Reads a record that carries `bytes` bytes in a handshake. None if its length is 0.
async fn read_greeting(stream: &mut TcpStream, bytes: usize) -> io::Result<Option<Vec<u8>>> {
    let length = usize::from(stream.read_u16_le().await?);
    if length > bytes + GREETING_BYTES {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut record = vec![0; length];
    stream.read_exact(&mut record).await?;
    Ok((length > 0).then_some(record))
}

/// Says a hello to the process that was dialed. Yields the connection and the answer.
///
/// # Errors
/// Why there is no answer: a refusal, or none if the connection broke.
pub(crate) async fn greet(
    mut stream: TcpStream,
    key: Option<&Key>,
    hello: &[u8],
) -> Result<(Channel, [u8; ANSWER_BYTES]), Option<Refusal>> {
    let gone = |_: io::Error| None;
    let mut answer = [0; ANSWER_BYTES];
    let Some(key) = key else {
        stream.write_all(hello).await.map_err(gone)?;
        stream.read_exact(&mut answer).await.map_err(gone)?;
        return Ok((Channel::new(stream, None).map_err(gone)?, answer));
    };
    let mut noise = noise(key).build_initiator().map_err(|_| None)?;
    let mut greeting = SEAL_MAGIC.to_vec();
    put_record(&mut greeting, hello.len() + GREETING_BYTES, |room| noise.write_message(hello, room))
        .map_err(gone)?;
    stream.write_all(&greeting).await.map_err(gone)?;
    let record =
        read_greeting(&mut stream, ANSWER_BYTES).await.map_err(gone)?.ok_or(Some(Refusal::OtherKey))?;
    match noise.read_message(&record, &mut answer) {
        Ok(ANSWER_BYTES) => Ok((Channel::new(stream, Some(noise)).map_err(gone)?, answer)),
        Ok(_) | Err(_) => Err(Some(Refusal::OtherKey)),
    }
}

/// Somebody who said a hello and waits for the answer.
pub(crate) struct Greeted {
    stream: TcpStream,
    noise: Option<Box<HandshakeState>>,
    /// What it said.
    pub(crate) hello: [u8; HELLO_BYTES],
    /// Why it is refused already, if it is: it has no key where this process has one, or is no peer at all.
    pub(crate) refusal: Option<Refusal>,
}

/// Hears the hello of whoever dialed this process, with one of `keys`, if there are any.
///
/// # Errors
/// Why it is refused without an answer.
pub(crate) async fn hear(mut stream: TcpStream, keys: &[Key]) -> Result<Greeted, Refusal> {
    let mut hello = [0; HELLO_BYTES];
    let (magic, rest) = hello.split_at_mut(MAGIC.len());
    let is_sealed = stream.read_exact(magic).await.is_ok() && magic == SEAL_MAGIC;
    if !is_sealed {
        let is_whole = stream.read_exact(rest).await.is_ok();
        let refusal = if is_whole { keys.first().map(|_| Refusal::NoKey) } else { Some(Refusal::NotAPeer) };
        return Ok(Greeted { stream, noise: None, hello, refusal });
    }
    let record = read_greeting(&mut stream, HELLO_BYTES).await;
    let record = record.ok().flatten().ok_or(Refusal::NotAPeer)?;
    let responders = keys.iter().filter_map(|key| noise(key).build_responder().ok());
    let opened = responders.into_iter().find_map(|mut noise| match noise.read_message(&record, &mut hello) {
        Ok(HELLO_BYTES) => Some(noise),
        Ok(_) | Err(_) => None,
    });
    match opened {
        Some(noise) => Ok(Greeted { stream, noise: Some(Box::new(noise)), hello, refusal: None }),
        None => {
            // Whoever has another key can read no answer but this.
            let _ = stream.write_all(&[0; 2]).await;
            Err(Refusal::OtherKey)
        }
    }
}

impl Greeted {
    /// Answers. Yields the connection.
    ///
    /// # Errors
    /// If it breaks.
    pub(crate) async fn answer(self, answer: &[u8]) -> io::Result<Channel> {
        let Greeted { mut stream, noise, .. } = self;
        let Some(mut noise) = noise else {
            stream.write_all(answer).await?;
            return Channel::new(stream, None);
        };
        let mut out = Vec::new();
        put_record(&mut out, answer.len() + GREETING_BYTES, |room| noise.write_message(answer, room))?;
        stream.write_all(&out).await?;
        Channel::new(stream, Some(*noise))
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, Seal, Sealer, noise, put_record};

    #[test]
    fn a_key_is_64_hexadecimal_digits_and_is_not_shown() {
        let digits = "00ff".repeat(16);
        let key: Key = digits.parse().unwrap();
        assert_eq!((key.0[0], key.0[1], key.0[31]), (0, 255, 255));
        assert!(!format!("{key:?}").contains("255"));
        for wrong in ["", "00", &digits[1..], &format!("{digits}0"), &"zz".repeat(32), &"é".repeat(32)] {
            assert!(wrong.parse::<Key>().is_err(), "{wrong}");
        }
    }

    /// Two ends of one connection.
    fn pair() -> (Seal, Seal) {
        let key = Key::new([7; 32]);
        let (mut dialer, mut other) =
            (noise(&key).build_initiator().unwrap(), noise(&key).build_responder().unwrap());
        let (mut message, mut room) = (Vec::new(), [0; 1_000]);
        put_record(&mut message, 100, |room| dialer.write_message(b"hello", room)).unwrap();
        assert_eq!(other.read_message(&message[2..], &mut room).unwrap(), 5);
        message.clear();
        put_record(&mut message, 100, |room| other.write_message(b"answer", room)).unwrap();
        dialer.read_message(&message[2..], &mut room).unwrap();
        [dialer, other]
            .map(|noise| Seal {
                transport: Box::new(noise.into_transport_mode().unwrap()),
                input: Vec::new(),
            })
            .into()
    }

    #[test]
    fn what_is_sealed_is_opened_whatever_its_length_and_however_it_comes() {
        let (mut from, mut to) = pair();
        for length in [0, 1, 65_518, 65_519, 65_520, 300_000] {
            let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let (mut sealed, mut opened) = (Vec::new(), Vec::new());
            Sealer(Some(&mut from.transport)).seal(&bytes, &mut sealed).unwrap();
            for part in sealed.chunks(1_234) {
                to.input.extend_from_slice(part);
                to.open(&mut opened).unwrap();
            }
            assert!(opened == bytes, "{length} bytes");
        }
    }

    #[test]
    fn what_was_changed_dropped_or_said_again_is_not_opened() {
        for harm in 0..3 {
            let (mut from, mut to) = pair();
            let (mut one, mut two) = (Vec::new(), Vec::new());
            Sealer(Some(&mut from.transport)).seal(b"one", &mut one).unwrap();
            Sealer(Some(&mut from.transport)).seal(b"two", &mut two).unwrap();
            assert!(!two.windows(3).any(|window| window == b"two"), "it can be read");
            to.input = match harm {
                0 => {
                    *one.last_mut().unwrap() ^= 1;
                    one
                }
                1 => two,
                _ => [one.clone(), one].concat(),
            };
            assert!(to.open(&mut Vec::new()).is_err(), "harm {harm}");
        }
    }
}
