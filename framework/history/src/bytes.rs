//! How byte strings of clients are shown to people.

use std::fmt;

/// Shows a byte string bare if it is a plain word, else quoted with escapes.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/{}".contains(byte);
        if !self.0.is_empty() && self.0.iter().all(plain) {
            f.write_str(&String::from_utf8_lossy(self.0))
        } else {
            write!(f, "\"{}\"", self.0.escape_ascii())
        }
    }
}

/// Shows a value that may be absent: `nil` where there is none.
pub(crate) struct ShownOr<'a>(pub(crate) Option<&'a [u8]>);

impl fmt::Display for ShownOr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => Shown(bytes).fmt(f),
            None => f.write_str("nil"),
        }
    }
}
