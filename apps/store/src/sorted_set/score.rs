//! Scores as clients write them.

/// The number that `text` is, infinite ones included; `None` if it is none, or too large or too small for one. Left out:
/// hexadecimal notation.
pub(crate) fn parse_score(text: &[u8]) -> Option<f64> {
    let score = parse_any(text)?;
    let is_said = text.iter().any(|byte| matches!(byte, b'i' | b'I'));
    let digits = text.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    let is_zero = !digits.iter().any(|byte| matches!(byte, b'1'..=b'9'));
    if score.is_infinite() && !is_said || score == 0.0 && !is_zero { None } else { Some(score) }
}

/// As `parse_score`, but what is too large is infinite and what is too small is zero.
fn parse_any(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok().filter(|score: &f64| !score.is_nan())
}

/// A bound of a range of scores.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Bound {
    pub(crate) score: f64,
    /// Whether the score itself is outside.
    pub(crate) is_open: bool,
}

impl Bound {
    /// A bound as a stock server reads it, which is less strict with bounds than with scores: nothing at all is zero,
    /// blanks may stand in front, and a zero byte ends it.
    pub(crate) fn parse(text: &[u8]) -> Option<Bound> {
        let (is_open, text) = text.strip_prefix(b"(").map_or((false, text), |rest| (true, rest));
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        if text.is_empty() {
            return Some(Bound { score: 0.0, is_open });
        }
        let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
        Some(Bound { score: parse_any(&text[blanks..])?, is_open })
    }
}

/// A bound of a range of members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Edge<'a> {
    /// Before every member.
    Lowest,
    /// Behind every member.
    Highest,
    /// This one is inside.
    Closed(&'a [u8]),
    /// This one is outside.
    Open(&'a [u8]),
}

impl<'a> Edge<'a> {
    pub(crate) fn parse(text: &'a [u8]) -> Option<Edge<'a>> {
        match text {
            b"-" => Some(Edge::Lowest),
            b"+" => Some(Edge::Highest),
            [b'[', member @ ..] => Some(Edge::Closed(member)),
            [b'(', member @ ..] => Some(Edge::Open(member)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, parse_score};

    #[test]
    fn scores_are_read_as_a_stock_server_reads_them() {
        for (text, score) in [
            ("1", Some(1.0)),
            ("+1", Some(1.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("-1e-3", Some(-0.001)),
            ("inf", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("0e9", Some(0.0)),
            ("5e-324", Some(5e-324)),
            ("1e400", None),
            ("1e-400", None),
            ("nan", None),
            ("", None),
            (" 1", None),
            ("1 ", None),
            ("1e", None),
            ("x", None),
        ] {
            assert_eq!(parse_score(text.as_bytes()), score, "{text:?}");
        }
    }

    #[test]
    fn bounds_are_read_less_strictly() {
        let open = |score| Some(Bound { score, is_open: true });
        let closed = |score| Some(Bound { score, is_open: false });
        for (text, bound) in [
            ("(1", open(1.0)),
            ("(", open(0.0)),
            ("", closed(0.0)),
            ("  2", closed(2.0)),
            ("1e400", closed(f64::INFINITY)),
            ("1e-400", closed(0.0)),
            ("3\0x", closed(3.0)),
            ("nan", None),
            (" ", None),
            ("((1", None),
            ("1 ", None),
        ] {
            assert_eq!(Bound::parse(text.as_bytes()), bound, "{text:?}");
        }
    }
}
