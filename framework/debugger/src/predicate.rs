//! Predicates over moments, as people write them: `count(nodes where role is Leader) > 1`.
//!
//! ```text
//! either     both { "or" both }
//! both       single { "and" single }
//! single     "not" single | "(" either ")" | value [ compared value ]
//! compared   "is" | "=" | "==" | "!=" | "<" | "<=" | ">" | ">="
//! value      number | "text" | "count" "(" "nodes" [ "where" either ] ")" | "sent" "(" kind ")" | path
//! ```
//! A path begins with a node's name, `n2.promised`, or, after `where`, with a part of that node, `promised`. Each word of it
//! names the nearest part of that name, however deep; a variant is a name too. `sent(Accept)` holds while a message of that
//! kind is on its way. Numbers in texts compare as numbers, so `b2.n1 < b10`. What is not there is unlike everything, and
//! is neither less nor more.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use synod_node::NodeId;
use synod_stdx::Tree;

/// What a predicate looks at.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Every node, and its state if it runs; where the predicate asks no more, nothing of it.
    pub nodes: Vec<(NodeId, Option<Arc<Tree>>)>,
    /// The kinds of the messages that are on their way.
    pub sent: Vec<String>,
}

/// A predicate, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Predicate(Either);

/// Why a text is no predicate, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misread {
    /// Which character, from 0.
    pub column: usize,
    /// What is wrong with it.
    pub words: String,
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: {}", self.column + 1, self.words)
    }
}

/// Any of these.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Either(Vec<Both>);

/// All of these.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Both(Vec<Single>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Single {
    Not(Box<Single>),
    Inner(Either),
    Plain(Operand),
    Compared(Operand, Relation, Operand),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Relation {
    Is,
    IsNot,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Operand {
    Text(String),
    Path(Vec<String>),
    Count(Option<Box<Either>>),
    Sent(String),
}

/// What an operand comes to.
enum Value {
    Truth(bool),
    /// A text, or the name of a part that is no leaf.
    Text(String),
    Nothing,
}

impl Predicate {
    /// Reads a predicate.
    ///
    /// # Errors
    /// If it is none: where and why.
    pub fn read(text: &str) -> Result<Predicate, Misread> {
        let mut reader = Reader { tokens: tokens(text)?, at: 0, end: text.chars().count(), is_within: false };
        let either = reader.either()?;
        match reader.tokens.get(reader.at) {
            None => Ok(Predicate(either)),
            Some((column, token)) => {
                let words =
                    format!("`{}` does not belong here: join two claims by `and` or `or`", token.text());
                Err(Misread { column: *column, words })
            }
        }
    }

    /// Whether it holds in what is seen.
    pub fn holds(&self, sight: &Sight) -> bool {
        self.0.holds(sight, None)
    }

    /// What it looks at, of these nodes: whether each runs, its tree by `tree` where more is asked, and what is `sent` if
    /// that is asked. Nothing else is read.
    pub fn sight<'n, N: 'n>(
        &self,
        nodes: impl Iterator<Item = (NodeId, Option<&'n N>)>,
        mut tree: impl FnMut(NodeId, &'n N) -> Arc<Tree>,
        sent: impl FnOnce() -> Vec<String>,
    ) -> Sight {
        let look = |(id, node): (NodeId, Option<&'n N>)| {
            (id, node.map(|node| if self.reads(id) { tree(id, node) } else { Arc::default() }))
        };
        let sent = if self.reads_messages() { sent() } else { Vec::new() };
        Sight { nodes: nodes.map(look).collect(), sent }
    }

    /// Whether it asks what is on its way.
    pub(crate) fn reads_messages(&self) -> bool {
        self.0.has(&|operand| matches!(operand, Operand::Sent(_)))
    }

    /// Whether it asks more of a node than whether it runs.
    pub(crate) fn reads(&self, node: NodeId) -> bool {
        self.0.has(&|operand| match operand {
            Operand::Path(path) => path[0].parse() == Ok(node),
            Operand::Count(inner) => inner.is_some(),
            Operand::Text(_) | Operand::Sent(_) => false,
        })
    }
}

impl Either {
    fn holds(&self, sight: &Sight, node: Option<&Tree>) -> bool {
        self.0.iter().any(|both| both.0.iter().all(|single| single.holds(sight, node)))
    }

    /// Whether an operand of it, or of a part of it, is meant.
    fn has(&self, is_meant: &dyn Fn(&Operand) -> bool) -> bool {
        self.0.iter().flat_map(|both| &both.0).any(|single| single.has(is_meant))
    }
}

impl Single {
    fn holds(&self, sight: &Sight, node: Option<&Tree>) -> bool {
        match self {
            Single::Not(inner) => !inner.holds(sight, node),
            Single::Inner(either) => either.holds(sight, node),
            Single::Plain(operand) => match operand.value(sight, node) {
                Value::Truth(truth) => truth,
                Value::Text(text) => text != "false" && text != "None" && text != "0",
                Value::Nothing => false,
            },
            Single::Compared(one, relation, other) => {
                // What is compared with may be a word that is no path: it stands for itself, as `Leader`.
                let other = other.value(sight, node).text().or_else(|| other.word());
                let (Some(one), Some(other)) = (one.value(sight, node).text(), other) else {
                    return *relation == Relation::IsNot;
                };
                relation.holds(compared(&one, &other))
            }
        }
    }

    fn has(&self, is_meant: &dyn Fn(&Operand) -> bool) -> bool {
        let of = |operand: &Operand| {
            let within = || match operand {
                Operand::Count(inner) => inner.as_ref().is_some_and(|inner| inner.has(is_meant)),
                Operand::Text(_) | Operand::Path(_) | Operand::Sent(_) => false,
            };
            is_meant(operand) || within()
        };
        match self {
            Single::Not(inner) => inner.has(is_meant),
            Single::Inner(either) => either.has(is_meant),
            Single::Plain(operand) => of(operand),
            Single::Compared(one, _, other) => of(one) || of(other),
        }
    }
}

impl Relation {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Relation::Is => ordering.is_eq(),
            Relation::IsNot => ordering.is_ne(),
            Relation::Less => ordering.is_lt(),
            Relation::LessOrEqual => ordering.is_le(),
            Relation::More => ordering.is_gt(),
            Relation::MoreOrEqual => ordering.is_ge(),
        }
    }
}

impl Value {
    fn text(self) -> Option<String> {
        match self {
            Value::Truth(truth) => Some(truth.to_string()),
            Value::Text(text) => Some(text),
            Value::Nothing => None,
        }
    }
}

impl Operand {
    fn value(&self, sight: &Sight, node: Option<&Tree>) -> Value {
        match self {
            Operand::Text(text) => Value::Text(text.clone()),
            Operand::Sent(kind) => Value::Truth(sight.sent.iter().any(|sent| is_of_kind(sent, kind))),
            Operand::Count(inner) => {
                let running = sight.nodes.iter().filter_map(|(_, tree)| tree.as_ref());
                let is_meant =
                    |tree: &&Arc<Tree>| inner.as_ref().is_none_or(|inner| inner.holds(sight, Some(tree)));
                Value::Text(running.filter(is_meant).count().to_string())
            }
            Operand::Path(path) => {
                let of = sight.nodes.iter().find(|(id, _)| id.to_string() == path[0]);
                let (top, path) = match (of, node) {
                    (Some((_, None)), _) if path.len() == 1 => return Value::Text("down".to_owned()),
                    (Some((_, tree)), _) => (tree.as_deref(), &path[1..]),
                    (None, node) => (node, &path[..]),
                };
                match top.and_then(|top| part(top, path)) {
                    Some(found) => Value::Text(found.value.clone()),
                    None => Value::Nothing,
                }
            }
        }
    }

    fn word(&self) -> Option<String> {
        match self {
            Operand::Path(path) => Some(path.join(".")),
            Operand::Text(_) | Operand::Count(_) | Operand::Sent(_) => None,
        }
    }
}

/// Whether a message of kind `sent`, as `Session.Request`, is meant by `kind`, as `Request`.
fn is_of_kind(sent: &str, kind: &str) -> bool {
    sent == kind || sent.split('.').any(|word| word == kind)
}

/// The part that a path's words lead to, each to the nearest part of that name.
fn part<'t>(top: &'t Tree, path: &[String]) -> Option<&'t Tree> {
    let Some((first, rest)) = path.split_first() else { return Some(top) };
    let mut level: Vec<&Tree> = top.parts.iter().collect();
    while !level.is_empty() {
        let named = level.iter().find(|tree| tree.name == *first);
        let found =
            named.or_else(|| level.iter().find(|tree| !tree.parts.is_empty() && tree.value == *first));
        if let Some(found) = found {
            return part(found, rest);
        }
        level = level.iter().flat_map(|tree| &tree.parts).collect();
    }
    None
}

/// Texts in the order of the numbers in them.
fn compared(one: &str, other: &str) -> Ordering {
    let unquoted = |text: &str| text.trim_matches('"').to_owned();
    let (one, other) = (unquoted(one), unquoted(other));
    if let (Ok(one), Ok(other)) = (one.parse::<f64>(), other.parse::<f64>()) {
        return one.total_cmp(&other);
    }
    pieces(&one).cmp(&pieces(&other))
}

/// Numbers and what is between.
fn pieces(text: &str) -> Vec<(u128, &str)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let words = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(words);
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(digits);
        if !word.is_empty() {
            pieces.push((0, word));
        }
        if !number.is_empty() {
            pieces.push((number.parse::<u128>().map_or(u128::MAX, |number| number.saturating_add(1)), ""));
        }
        rest = after;
    }
    pieces
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Token::Word(text) | Token::Text(text) => text,
            Token::Sign(sign) => sign,
        }
    }
}

/// The longer ones first.
const SIGNS: [&str; 10] = ["==", "!=", "<=", ">=", "=", "<", ">", "(", ")", "!"];

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Misread> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let column = at;
        let c = chars[at];
        if c.is_whitespace() {
            at += 1;
        } else if c == '"' {
            let length = chars[at + 1..].iter().position(|c| *c == '"');
            let Some(length) = length else {
                return Err(Misread {
                    column,
                    words: "the text that begins here does not end: add a `\"`".to_owned(),
                });
            };
            tokens.push((column, Token::Text(chars[at + 1..at + 1 + length].iter().collect())));
            at += length + 2;
        } else if c.is_alphanumeric() || c == '_' {
            let is_part = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
            let length = chars[at..].iter().take_while(|c| is_part(c)).count();
            tokens.push((column, Token::Word(chars[at..at + length].iter().collect())));
            at += length;
        } else {
            let rest: String = chars[at..chars.len().min(at + 2)].iter().collect();
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let Some(sign) = sign else {
                return Err(Misread { column, words: format!("`{c}` means nothing here") });
            };
            tokens.push((column, Token::Sign(sign)));
            at += sign.len();
        }
    }
    Ok(tokens)
}

struct Reader {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
    /// After `where`: paths begin with parts of a node.
    is_within: bool,
}

impl Reader {
    fn is_next(&self, text: &str) -> bool {
        self.tokens.get(self.at).is_some_and(|(_, token)| match token {
            Token::Word(word) => word == text,
            Token::Sign(sign) => *sign == text,
            Token::Text(_) => false,
        })
    }

    fn take(&mut self, text: &str) -> bool {
        let is_next = self.is_next(text);
        self.at += usize::from(is_next);
        is_next
    }

    fn must_take(&mut self, text: &str) -> Result<(), Misread> {
        if self.take(text) { Ok(()) } else { Err(self.missed(&format!("`{text}`"))) }
    }

    fn missed(&self, wanted: &str) -> Misread {
        match self.tokens.get(self.at) {
            None => Misread { column: self.end, words: format!("{wanted} is missing at the end") },
            Some((column, token)) => {
                Misread { column: *column, words: format!("{wanted} is missing before `{}`", token.text()) }
            }
        }
    }

    fn either(&mut self) -> Result<Either, Misread> {
        let mut all = vec![self.both()?];
        while self.take("or") {
            all.push(self.both()?);
        }
        Ok(Either(all))
    }

    fn both(&mut self) -> Result<Both, Misread> {
        let mut all = vec![self.single()?];
        while self.take("and") {
            all.push(self.single()?);
        }
        Ok(Both(all))
    }

    fn single(&mut self) -> Result<Single, Misread> {
        if self.take("not") || self.take("!") {
            return Ok(Single::Not(Box::new(self.single()?)));
        }
        if self.take("(") {
            let inner = self.either()?;
            self.must_take(")")?;
            return Ok(Single::Inner(inner));
        }
        let column = self.tokens.get(self.at).map_or(self.end, |(column, _)| *column);
        let one = self.operand()?;
        if let Operand::Path(path) = &one
            && !self.is_within
            && path[0].parse::<NodeId>().is_err()
        {
            let part = path.join(".");
            let words =
                format!("of which node is `{part}`? write n1.{part}, or count(nodes where {part} …) > 0");
            return Err(Misread { column, words });
        }
        let relations = [
            ("is", Relation::Is),
            ("==", Relation::Is),
            ("=", Relation::Is),
            ("!=", Relation::IsNot),
            ("<=", Relation::LessOrEqual),
            (">=", Relation::MoreOrEqual),
            ("<", Relation::Less),
            (">", Relation::More),
        ];
        let Some((sign, relation)) = relations.into_iter().find(|(sign, _)| self.is_next(sign)) else {
            return Ok(Single::Plain(one));
        };
        self.must_take(sign)?;
        let relation = if sign == "is" && self.take("not") { Relation::IsNot } else { relation };
        Ok(Single::Compared(one, relation, self.operand()?))
    }

    fn operand(&mut self) -> Result<Operand, Misread> {
        let Some((column, token)) = self.tokens.get(self.at).cloned() else {
            return Err(self.missed(
                "a value: a path as n1.role, a number, a word, `count(nodes where …)` or `sent(…)`",
            ));
        };
        let is_call = self.tokens.get(self.at + 1).is_some_and(|(_, token)| *token == Token::Sign("("));
        match token {
            Token::Text(text) => {
                self.at += 1;
                Ok(Operand::Text(text))
            }
            Token::Word(word) if word == "count" && is_call => {
                self.at += 2;
                self.must_take("nodes")?;
                let was_within = std::mem::replace(&mut self.is_within, true);
                let inner = if self.take("where") { Some(Box::new(self.either()?)) } else { None };
                self.is_within = was_within;
                self.must_take(")")?;
                Ok(Operand::Count(inner))
            }
            Token::Word(word) if word == "sent" && is_call => {
                self.at += 2;
                let Some((_, Token::Word(kind))) = self.tokens.get(self.at).cloned() else {
                    return Err(self.missed("the kind of a message"));
                };
                self.at += 1;
                self.must_take(")")?;
                Ok(Operand::Sent(kind))
            }
            Token::Word(word) if is_call => Err(Misread {
                column,
                words: format!("there is no `{word}(…)`: there are `count(…)` and `sent(…)`"),
            }),
            Token::Word(word) if matches!(word.as_str(), "and" | "or" | "is" | "where") => {
                Err(self.missed("a value"))
            }
            Token::Word(word) => {
                self.at += 1;
                let is_number = word.replace('_', "").parse::<f64>().is_ok();
                Ok(if is_number {
                    Operand::Text(word.replace('_', ""))
                } else {
                    Operand::Path(word.split('.').map(str::to_owned).collect())
                })
            }
            Token::Sign(_) => Err(self.missed("a value")),
        }
    }
}
