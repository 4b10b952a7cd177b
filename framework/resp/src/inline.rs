//! Inline requests: a line of words, with Redis's quoting, for people with a terminal.

/// Splits `line` into arguments as `redis-cli` and a stock server do, calling `argument` with each, unquoted. In
/// double quotes `\n \r \t \b \a \xHH` and `\` before any other byte are escapes; in single quotes only `\'` is.
/// Returns `None` if a quote does not end, or is not followed by white space. Arguments before that were handed out.
pub fn split_quoted(line: &[u8], mut argument: impl FnMut(&[u8])) -> Option<()> {
    let mut word = Vec::new();
    let mut at = 0;
    loop {
        while at < line.len() && is_space(line[at]) {
            at += 1;
        }
        if at == line.len() {
            return Some(());
        }
        word.clear();
        at = read_word(line, at, &mut word)?;
        argument(&word);
    }
}

/// Reads the word that begins at `at` into `word`; returns where it ends.
fn read_word(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    while let Some(byte) = line.get(at) {
        match byte {
            byte if is_space(*byte) => break,
            // A quote may begin inside a word; what ends it ends the word.
            b'"' => return ends_word(line, read_double(line, at + 1, word)?),
            b'\'' => return ends_word(line, read_single(line, at + 1, word)?),
            byte => word.push(*byte),
        }
        at += 1;
    }
    Some(at)
}

fn ends_word(line: &[u8], at: usize) -> Option<usize> {
    line.get(at).is_none_or(|byte| is_space(*byte)).then_some(at)
}

fn read_double(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        match *line.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => {
                if let Some(&[b'x', high, low]) = line.get(at + 1..at + 4)
                    && let (Some(high), Some(low)) = (hex(high), hex(low))
                {
                    word.push(high * 16 + low);
                    at += 4;
                    continue;
                }
                word.push(match *line.get(at + 1)? {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                });
                at += 2;
            }
            byte => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

fn read_single(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        match *line.get(at)? {
            b'\'' => return Some(at + 1),
            b'\\' if line.get(at + 1) == Some(&b'\'') => {
                word.push(b'\'');
                at += 2;
            }
            byte => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

#[cfg(test)]
mod tests {
    use super::split_quoted;

    fn check(line: &str, expected: Option<&[&str]>) {
        let mut words = Vec::new();
        let outcome = split_quoted(line.as_bytes(), |word| words.push(word.escape_ascii().to_string()));
        assert_eq!(
            outcome.map(|()| words.iter().map(String::as_str).collect::<Vec<_>>()).as_deref(),
            expected,
            "{line}"
        );
    }

    #[test]
    fn words_are_split_and_unquoted_as_redis_does() {
        check("", Some(&[]));
        check("  set  k\tv ", Some(&["set", "k", "v"]));
        check(r#"set "a b" 'c d'"#, Some(&["set", "a b", "c d"]));
        check(r#""" ''"#, Some(&["", ""]));
        check(r#""\x41\n\q\"""#, Some(&[r#"A\nq\""#]));
        check(r#""\xZ1""#, Some(&["xZ1"]));
        check(r"'it\'s' 'a\b'", Some(&[r"it\'s", r"a\\b"]));
        check(r#"ab"cd" e"#, Some(&["abcd", "e"]));
        for unbalanced in [r#"set "k"#, "set 'k", r#""a"b"#, "'a'b", r#""a\"#] {
            check(unbalanced, None);
        }
    }
}
