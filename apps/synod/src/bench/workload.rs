//! The requests of each test: made once, then only the digits of the key are written over.

use super::Options;
use std::fmt;
use std::str::FromStr;
use synod_resp::write_request;
use synod_stdx::Rng;

/// What a test asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Workload {
    /// `PING`.
    Ping,
    /// `SET` of a random key.
    Set,
    /// `GET` of a random key.
    Get,
    /// `INCR` of a random key.
    Incr,
    /// `SET` and `GET` of random keys, half and half.
    Mixed,
    /// `SET` of each key in turn: what comes before a test that reads.
    Fill,
}

impl Workload {
    /// All that can be asked for by name.
    pub const NAMED: [Workload; 5] =
        [Workload::Ping, Workload::Set, Workload::Get, Workload::Incr, Workload::Mixed];

    /// Whether it reads keys that should be there.
    pub(super) fn reads(self) -> bool {
        match self {
            Workload::Get | Workload::Mixed => true,
            Workload::Ping | Workload::Set | Workload::Incr | Workload::Fill => false,
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Workload::Ping => "ping",
            Workload::Set => "set",
            Workload::Get => "get",
            Workload::Incr => "incr",
            Workload::Mixed => "mixed",
            Workload::Fill => "fill",
        })
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Workload::NAMED.into_iter().find(|workload| workload.to_string() == name);
        found.ok_or_else(|| {
            let names = Workload::NAMED.map(|workload| workload.to_string()).join(", ");
            format!("no test is called so; there are {names}")
        })
    }
}

const KEY_DIGITS: usize = 12;

/// A request with a hole for the key's digits.
struct Template {
    bytes: Vec<u8>,
    hole: Option<usize>,
}

impl Template {
    fn new(words: &[&[u8]]) -> Template {
        let mut bytes = Vec::new();
        write_request(&mut bytes, words);
        let zeros = [b'0'; KEY_DIGITS];
        let hole = bytes.windows(KEY_DIGITS).position(|window| window == zeros);
        Template { bytes, hole }
    }

    fn write(&self, key: u64, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(&self.bytes);
        if let Some(hole) = self.hole {
            let mut rest = key;
            for digit in out[from + hole..from + hole + KEY_DIGITS].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
    }
}

/// Makes the requests of one test.
pub(super) struct Requests {
    templates: Vec<Template>,
    keys: u64,
    in_turn: bool,
    next: u64,
    rng: Rng,
}

impl Requests {
    pub(super) fn new(workload: Workload, options: &Options) -> Requests {
        let mut rng = Rng::new(0x5eed);
        let value: Vec<u8> = (0..options.value_bytes).map(|_| b'a' + rng.below(26) as u8).collect();
        // Counters have keys of their own: a value of the others is no number.
        let (key, counter) = (b"key:000000000000".as_slice(), b"counter:000000000000".as_slice());
        let set = || Template::new(&[b"SET", key, &value]);
        let get = || Template::new(&[b"GET", key]);
        let templates = match workload {
            Workload::Ping => vec![Template::new(&[b"PING"])],
            Workload::Set | Workload::Fill => vec![set()],
            Workload::Get => vec![get()],
            Workload::Incr => vec![Template::new(&[b"INCR", counter])],
            Workload::Mixed => vec![set(), get()],
        };
        Requests { templates, keys: options.keys.max(1), in_turn: workload == Workload::Fill, next: 0, rng }
    }

    /// Appends the next request.
    pub(super) fn write_next(&mut self, out: &mut Vec<u8>) {
        let random = self.rng.next_u64();
        let key = if self.in_turn { self.next % self.keys } else { (random >> 8) % self.keys };
        self.next += 1;
        self.templates[random as usize % self.templates.len()].write(key, out);
    }
}

#[cfg(test)]
mod tests {
    use super::Template;

    #[test]
    fn the_digits_of_the_key_are_written_over() {
        let mut out = Vec::new();
        Template::new(&[b"GET", b"key:000000000000"]).write(1234, &mut out);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000001234\r\n");
    }
}
