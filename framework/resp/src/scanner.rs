//! Counting replies without building them: what a load generator needs of them.

use crate::{ProtocolError, parse_integer};

/// One whole reply that a [`ReplyScanner`] passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scanned {
    /// Where it ends in the buffer.
    pub end: usize,
    /// Whether it is an error.
    pub is_error: bool,
    /// Whether it is a null: what was asked for is not there.
    pub is_null: bool,
}

/// Finds where replies end. It keeps a count of the values to come and no stack: nesting costs nothing.
#[derive(Debug, Default)]
pub struct ReplyScanner {
    position: usize,
    pending: u64,
    first: Option<(bool, bool)>,
}

impl ReplyScanner {
    /// Passes the next whole reply in `buffer`, or says `None` if it is not whole yet.
    ///
    /// # Errors
    /// If the bytes are no reply.
    pub fn advance(&mut self, buffer: &[u8]) -> Result<Option<Scanned>, ProtocolError> {
        if self.pending == 0 {
            self.pending = 1;
            self.first = None;
        }
        while self.pending > 0 {
            let Some((end, opened)) = self.pass_value(buffer)? else { return Ok(None) };
            self.position = end;
            self.pending = self.pending.checked_add(opened).ok_or(ProtocolError::ReplyTooLarge)? - 1;
        }
        let (is_error, is_null) = self.first.unwrap_or_default();
        Ok(Some(Scanned { end: self.position, is_error, is_null }))
    }

    /// Forgets the bytes passed: the caller removes them from its buffer. Returns how many there were.
    pub fn release(&mut self) -> usize {
        std::mem::take(&mut self.position)
    }

    /// Where the next value ends and how many values it announces.
    fn pass_value(&mut self, buffer: &[u8]) -> Result<Option<(usize, u64)>, ProtocolError> {
        let rest = &buffer[self.position..];
        // Lines are short here: looking again at the digits of one that is not whole costs less than remembering.
        let Some(newline) = rest.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line = rest[..newline].strip_suffix(b"\r").ok_or(ProtocolError::InvalidReply)?;
        let (kind, digits) = line.split_first().ok_or(ProtocolError::InvalidReply)?;
        let mut end = self.position + newline + 1;
        let (mut opened, mut is_null) = (0, *kind == b'_');
        match kind {
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => {}
            b'$' | b'!' | b'=' | b'*' | b'~' | b'>' | b'%' | b'|' => {
                let length = parse_integer(digits).ok_or(ProtocolError::InvalidReply)?;
                is_null = length < 0;
                let length = length.max(0).cast_unsigned();
                match kind {
                    b'$' | b'!' | b'=' if !is_null => end += length as usize + 2,
                    b'%' => opened = 2 * length,
                    // An attribute stands before a value and is none itself.
                    b'|' => opened = 2 * length + 1,
                    _ => opened = if matches!(kind, b'$' | b'!' | b'=') { 0 } else { length },
                }
            }
            _ => return Err(ProtocolError::InvalidReply),
        }
        if end > buffer.len() {
            return Ok(None);
        }
        self.first.get_or_insert((matches!(kind, b'-' | b'!'), is_null));
        Ok(Some((end, opened)))
    }
}
