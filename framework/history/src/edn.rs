//! The part of EDN (the data notation of Clojure, and of the logs of Jepsen) that histories are written in.
//! Bytes come from outside: nothing panics, and nesting is bounded.

use crate::text::{Fault, ParseError};

/// One datum. Tags are skipped; lists, vectors and sets are one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Edn {
    Nil,
    /// A number, a symbol or a boolean, as written.
    Atom(String),
    /// Without its colon.
    Keyword(String),
    Text(String),
    List(Vec<Edn>),
    Map(Vec<(Edn, Edn)>),
}

impl Edn {
    /// The value of the keyword `name` in a map; later entries win.
    pub(crate) fn entry(&self, name: &str) -> Option<&Edn> {
        let Edn::Map(entries) = self else { return None };
        entries.iter().rev().find(|(key, _)| matches!(key, Edn::Keyword(key) if key == name)).map(|(_, v)| v)
    }
}

/// Data nested deeper than this are no history.
const DEPTH_MAX: usize = 16;

/// A reader that knows its line.
pub(crate) struct Scanner<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Scanner<'a> {
    /// A reader of `text` that starts in line `line`.
    pub(crate) fn new(text: &'a str, line: usize) -> Self {
        Scanner { rest: text, line }
    }

    pub(crate) fn line(&self) -> usize {
        self.line
    }

    pub(crate) fn fault(&self, fault: Fault) -> ParseError {
        ParseError { line: self.line, fault }
    }

    /// Skips blanks, commas and comments, and shows the next character.
    pub(crate) fn next_significant(&mut self) -> Option<char> {
        loop {
            match self.rest.chars().next()? {
                ';' => {
                    self.rest_of_line();
                }
                c if c.is_whitespace() || c == ',' || c == '\u{feff}' => self.skip(c),
                c => return Some(c),
            }
        }
    }

    /// Moves over `c`, the next character.
    pub(crate) fn skip(&mut self, c: char) {
        self.line += usize::from(c == '\n');
        self.rest = &self.rest[c.len_utf8()..];
    }

    /// What is left of this line, without its end, which is left unread.
    pub(crate) fn rest_of_line(&mut self) -> &'a str {
        let (line, rest) = self.rest.split_at(self.rest.find('\n').unwrap_or(self.rest.len()));
        self.rest = rest;
        line
    }

    /// Reads one datum; `None` at the end of the text.
    pub(crate) fn datum(&mut self) -> Result<Option<Edn>, ParseError> {
        match self.next_significant() {
            None => Ok(None),
            Some(c) => self.datum_at(c, 0).map(Some),
        }
    }

    fn datum_at(&mut self, c: char, depth: usize) -> Result<Edn, ParseError> {
        if depth > DEPTH_MAX {
            return Err(self.fault(Fault::TooDeep));
        }
        match c {
            '[' => self.items(']', depth).map(Edn::List),
            '(' => self.items(')', depth).map(Edn::List),
            '{' => {
                let items = self.items('}', depth)?;
                if items.len() % 2 != 0 {
                    return Err(self.fault(Fault::OddMap));
                }
                let mut entries = Vec::with_capacity(items.len() / 2);
                let mut items = items.into_iter();
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    entries.push((key, value));
                }
                Ok(Edn::Map(entries))
            }
            '"' => self.quoted(),
            '#' => {
                self.skip(c);
                if self.rest.starts_with('{') {
                    return self.items('}', depth).map(Edn::List);
                }
                // A tag says what the datum behind it means; the datum is enough.
                self.word();
                match self.next_significant() {
                    Some(c) => self.datum_at(c, depth + 1),
                    None => Err(self.fault(Fault::CutShort)),
                }
            }
            _ => {
                let word = self.word();
                match word.strip_prefix(':') {
                    _ if word.is_empty() => Err(self.fault(Fault::Stray(c))),
                    Some(name) => Ok(Edn::Keyword(name.to_owned())),
                    None if word == "nil" => Ok(Edn::Nil),
                    None => Ok(Edn::Atom(word.to_owned())),
                }
            }
        }
    }

    fn items(&mut self, close: char, depth: usize) -> Result<Vec<Edn>, ParseError> {
        let open = self.rest.chars().next().ok_or_else(|| self.fault(Fault::CutShort))?;
        self.skip(open);
        let mut items = Vec::new();
        loop {
            match self.next_significant() {
                None => return Err(self.fault(Fault::CutShort)),
                Some(c) if c == close => {
                    self.skip(c);
                    return Ok(items);
                }
                Some(c) => items.push(self.datum_at(c, depth + 1)?),
            }
        }
    }

    fn word(&mut self) -> &'a str {
        let ends = |c: char| c.is_whitespace() || ",;\"[](){}".contains(c);
        let (word, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn quoted(&mut self) -> Result<Edn, ParseError> {
        self.skip('"');
        let mut text = String::new();
        while let Some(c) = self.rest.chars().next() {
            self.skip(c);
            match c {
                '"' => return Ok(Edn::Text(text)),
                '\\' => {
                    let escaped = self.rest.chars().next().ok_or_else(|| self.fault(Fault::CutShort))?;
                    self.skip(escaped);
                    text.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        '"' | '\\' => escaped,
                        other => return Err(self.fault(Fault::Stray(other))),
                    });
                }
                _ => text.push(c),
            }
        }
        Err(self.fault(Fault::CutShort))
    }
}
