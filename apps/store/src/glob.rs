//! Redis's patterns: `*`, `?`, `[a-z]`, `[^a]` and `\` before a byte that is meant literally.

use std::cell::OnceCell;

/// A longer pattern is refused: what it costs to match grows with its length.
pub(crate) const BYTES_MAX: usize = 1024;
/// Up to this product of the lengths, matching goes byte by byte: no machine is worth its making.
const SIMPLE_STEPS_MAX: u64 = 1 << 14;
const WORD_BITS: usize = 64;

/// A pattern, to be matched with many texts.
pub(crate) struct Pattern<'a> {
    bytes: &'a [u8],
    machine: OnceCell<Machine>,
}

impl<'a> Pattern<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Pattern { bytes, machine: OnceCell::new() }
    }

    /// Whether it matches all of `text`.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        match self.is_simple(text.len()) {
            true => matches(self.bytes, text),
            false => self.machine.get_or_init(|| Machine::of(self.bytes)).accepts(text),
        }
    }

    /// About how many steps that takes at most.
    pub(crate) fn work(&self, text: usize) -> u64 {
        let (pattern, text) = (self.bytes.len() as u64, text as u64);
        if self.is_simple(text as usize) { pattern * text } else { (pattern / WORD_BITS as u64 + 1) * text }
    }

    fn is_simple(&self, text: usize) -> bool {
        self.bytes.len() as u64 * text as u64 <= SIMPLE_STEPS_MAX
    }
}

/// A pattern as an automaton whose states are the bits of a few words: a state is how many of the pattern's bytes, without
/// its stars, have been matched. Takes as many steps as the text has bytes, times the words.
struct Machine {
    words: usize,
    /// For each byte the states that it leads on from, word by word.
    steps: Vec<u64>,
    /// The states that a star lets stay.
    stays: Vec<u64>,
    /// The state in which all is matched.
    end: usize,
}

impl Machine {
    fn of(pattern: &[u8]) -> Machine {
        let words = pattern.len() / WORD_BITS + 1;
        let (mut steps, mut stays) = (vec![0; 256 * words], vec![0; words]);
        let set = |bits: &mut [u64], bit: usize| bits[bit / WORD_BITS] |= 1 << (bit % WORD_BITS);
        let (mut at, mut state) = (0, 0);
        while at < pattern.len() {
            if pattern[at] == b'*' {
                set(&mut stays, state);
                at += 1;
                continue;
            }
            let one = &pattern[at..];
            for byte in 0..=u8::MAX {
                if match_one(one, byte).is_some() {
                    set(&mut steps[usize::from(byte) * words..][..words], state);
                }
            }
            at += length_of_one(one);
            state += 1;
        }
        Machine { words, steps, stays, end: state }
    }

    fn accepts(&self, text: &[u8]) -> bool {
        let mut now = vec![0u64; self.words];
        now[0] = 1;
        for byte in text {
            let steps = &self.steps[usize::from(*byte) * self.words..][..self.words];
            let (mut carry, mut any) = (0, 0);
            for ((state, step), stay) in now.iter_mut().zip(steps).zip(&self.stays) {
                let on = *state & step;
                let next = on << 1 | carry | *state & stay;
                carry = on >> (WORD_BITS - 1);
                *state = next;
                any |= next;
            }
            if any == 0 {
                return false;
            }
        }
        now[self.end / WORD_BITS] >> (self.end % WORD_BITS) & 1 == 1
    }
}

/// How many bytes of `pattern` stand for one byte of a text. It has one.
fn length_of_one(pattern: &[u8]) -> usize {
    match pattern {
        [b'[', rest @ ..] => 1 + class_length(rest),
        [b'\\', _, ..] => 2,
        _ => 1,
    }
}

/// How many bytes a class takes, from behind `[` to behind `]`.
fn class_length(class: &[u8]) -> usize {
    (0..=u8::MAX).find_map(|byte| match_class(class, byte)).unwrap_or(class.len())
}

/// Whether `pattern` matches all of `text`. Takes at most the product of the lengths in steps, and no recursion.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on if what follows the last star does not match here: the star takes one byte more.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            retry = Some((p, t));
        } else if let Some(next) = match_one(&pattern[p..], text[t]) {
            p += next;
            t += 1;
        } else if let Some((after_star, from)) = retry {
            p = after_star;
            t = from + 1;
            retry = Some((after_star, t));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// How many bytes of `pattern` match `byte`, or `None` if it does not match.
fn match_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', rest @ ..] => match_class(rest, byte).map(|length| length + 1),
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// As `match_one`, for what stands behind `[`. A class that does not end goes to the pattern's end.
fn match_class(class: &[u8], byte: u8) -> Option<usize> {
    let (is_negated, mut at) = if class.first() == Some(&b'^') { (true, 1) } else { (false, 0) };
    let mut is_in = false;
    loop {
        match &class[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', literal, ..] => {
                is_in |= *literal == byte;
                at += 2;
            }
            [first, b'-', last, ..] => {
                is_in |= (*first.min(last)..=*first.max(last)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                is_in |= *literal == byte;
                at += 1;
            }
        }
    }
    (is_in != is_negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::{Machine, Pattern, matches};
    use synod_stdx::Rng;

    #[test]
    fn the_automaton_agrees_with_going_byte_by_byte() {
        let mut rng = Rng::new(9);
        let letters = b"ab*?[]^-\\c";
        let mut agreed = [0, 0];
        for _ in 0..40_000 {
            let pattern: Vec<u8> = (0..rng.below(12)).map(|_| *rng.pick(letters).unwrap()).collect();
            let text: Vec<u8> = (0..rng.below(10)).map(|_| *rng.pick(b"abc]").unwrap()).collect();
            let expected = matches(&pattern, &text);
            let shown = || format!("{} {}", pattern.escape_ascii(), text.escape_ascii());
            assert_eq!(Machine::of(&pattern).accepts(&text), expected, "{}", shown());
            agreed[usize::from(expected)] += 1;
        }
        assert!(agreed[0] > 5_000 && agreed[1] > 1_000, "{agreed:?}");
    }

    #[test]
    fn the_longest_pattern_and_key_take_few_steps() {
        let pattern = [b"*".to_vec(), b"[a-b]".repeat(200), b"c".to_vec()].concat();
        let text = b"a".repeat(64 << 10);
        let pattern = Pattern::new(&pattern);
        assert!(pattern.work(text.len()) < 2 << 20, "{}", pattern.work(text.len()));
        assert!(!pattern.matches(&text));
        assert!(pattern.matches(&[&text[..], b"c"].concat()));
    }

    #[test]
    fn patterns_match_as_in_redis() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("*", &["", "a", "abc"], &[]),
            ("", &[""], &["a"]),
            ("a*b*c", &["abc", "aXbYc", "abbcc"], &["ab", "acb"]),
            ("h?llo", &["hello", "hallo"], &["hllo", "heello"]),
            ("h[ae]llo", &["hello", "hallo"], &["hillo"]),
            ("h[^e]llo", &["hallo"], &["hello"]),
            ("h[a-b]llo", &["hallo", "hbllo"], &["hcllo"]),
            ("h[b-a]llo", &["hallo", "hbllo"], &["hcllo"]),
            (r"\*", &["*"], &["a"]),
            (r"[\]]", &["]"], &["\\"]),
            ("[a", &["a"], &["b"]),
            ("[]a", &[], &["a", "]a"]),
            ("*[0-9]", &["k1", "19"], &["k"]),
            ("**a", &["a", "bba"], &["ab"]),
        ];
        for (pattern, good, bad) in cases {
            for text in *good {
                assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
            }
            for text in *bad {
                assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_exponential_time() {
        let pattern = b"*a".repeat(100);
        assert!(!matches(&[pattern, b"b".to_vec()].concat(), &b"a".repeat(5_000)));
    }
}
