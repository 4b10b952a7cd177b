//! What kind of thing a value is, for people and for scripts.

use std::fmt::{self, Debug, Write};

/// The name of a value's variant: the first word of its `Debug` form. A variant that wraps another enum's names both, as
/// `Session.Request`. The rest of the text is not written.
pub fn kind_of(value: &impl Debug) -> String {
    let mut words = Words { text: String::new(), is_at_word: true };
    // It ends with an error where the words do.
    let _ = write!(words, "{value:?}");
    words.text
}

/// The beginning of a value's `Debug` form: all of it if it has at most `bytes_max` bytes, or about so many and `…`. The rest
/// of the text is not written, so this takes no longer for a large value than for a small one.
pub fn words_of(value: &impl Debug, bytes_max: usize) -> String {
    let mut beginning = Beginning { text: String::new(), bytes_max };
    if write!(beginning, "{value:?}").is_err() {
        beginning.text.push('…');
    }
    beginning.text
}

struct Beginning {
    text: String,
    bytes_max: usize,
}

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes_max - self.text.len();
        let is_boundary = |end: &usize| text.is_char_boundary(*end);
        let end = (0..=room.min(text.len())).rev().find(is_boundary).unwrap_or(0);
        self.text.push_str(&text[..end]);
        if end < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

struct Words {
    text: String,
    /// A parenthesis was opened, or nothing was written yet: a name may begin here.
    is_at_word: bool,
}

impl Write for Words {
    fn write_char(&mut self, c: char) -> fmt::Result {
        if self.is_at_word {
            let is_first = self.text.is_empty();
            // What is wrapped counts if it is a variant, not if it is a text, a number or a list.
            if !is_first && !c.is_uppercase() {
                return Err(fmt::Error);
            }
            if !is_first {
                self.text.push('.');
            }
            self.is_at_word = false;
        }
        match c {
            '(' => self.is_at_word = true,
            c if c.is_alphanumeric() || c == '_' => self.text.push(c),
            _ => return Err(fmt::Error),
        }
        Ok(())
    }

    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| self.write_char(c))
    }
}

#[cfg(test)]
mod tests {
    use super::{kind_of, words_of};

    #[derive(Debug)]
    #[expect(dead_code, reason = "read by its Debug form alone")]
    enum Message {
        Ping,
        Pong { value: u64 },
        Count(u64),
        Words(&'static str),
        Session(Inner),
        Twice(Box<Message>),
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "read by its Debug form alone")]
    enum Inner {
        Request { first: u64 },
    }

    #[test]
    fn a_kind_is_the_variants_name_and_that_of_what_it_wraps() {
        let check = |message: Message, kind: &str| assert_eq!(kind_of(&message), kind);
        check(Message::Ping, "Ping");
        check(Message::Pong { value: 1 }, "Pong");
        check(Message::Count(7), "Count");
        check(Message::Words("Words"), "Words");
        check(Message::Session(Inner::Request { first: 1 }), "Session.Request");
        check(
            Message::Twice(Box::new(Message::Session(Inner::Request { first: 1 }))),
            "Twice.Session.Request",
        );
    }

    #[test]
    fn a_long_value_is_told_by_its_beginning() {
        assert_eq!(words_of(&Message::Count(7), 8), "Count(7)");
        assert_eq!(words_of(&Message::Count(7), 7), "Count(7…");
        assert_eq!(words_of(&Message::Words("äöü"), 9), "Words(\"ä…", "no letter is cut in two");
        struct Endless;
        impl std::fmt::Debug for Endless {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                loop {
                    f.write_str("on and ")?;
                }
            }
        }
        assert_eq!(words_of(&Endless, 10), "on and on …");
    }
}
