//! As much of Rust's syntax as the checks need: comments, strings, braces, words.

/// `text` with every comment and the inside of every string and character blanked. Lines stay where they are.
pub fn without_comments_and_strings(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => line_end(&chars, at),
            ('/', Some('*')) => block_comment_end(&chars, at),
            ('"', _) => string_end(&chars, at + 1),
            ('r', Some('"' | '#')) if !continues_word(&chars, at) => raw_string_end(&chars, at),
            ('\'', _) => char_end(&chars, at),
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

fn continues_word(chars: &[char], at: usize) -> bool {
    // `br"…"` is a raw string as well.
    at > 0 && is_word(chars[at - 1]) && !(chars[at - 1] == 'b' && (at < 2 || !is_word(chars[at - 2])))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| at + n)
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut at) = (0, at);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The end of a raw string that begins at `at`; `at` itself if it is a raw name such as `r#type`.
fn raw_string_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let mut end = at + 2 + hashes;
    while end < chars.len() {
        let closing = chars[end + 1..].iter().take_while(|c| **c == '#').count();
        if chars[end] == '"' && closing >= hashes {
            return end + 1 + hashes;
        }
        end += 1;
    }
    chars.len()
}

/// The end of a character literal that begins at `at`; `at` itself if it is a lifetime.
fn char_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), Some(_)) => {
            let rest = &chars[(at + 3).min(chars.len())..];
            rest.iter().position(|c| *c == '\'').map_or(chars.len(), |n| at + 4 + n)
        }
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

/// `code`, which has no comments and strings, without the items marked `#[cfg(test)]`. Lines stay where they are.
pub fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        out.push_str(&rest[..at]);
        let item = &rest[at..];
        let end = item_end(item);
        out.extend(item[..end].chars().filter(|c| *c == '\n'));
        rest = &item[end..];
    }
    out.push_str(rest);
    out
}

/// Where an item ends: behind its first `;`, or behind the brace that closes its first one.
fn item_end(item: &str) -> usize {
    let mut depth = 0;
    for (at, c) in item.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    item.len()
}

/// The words of `code`: names, keywords and numbers.
pub fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

/// The name behind each of these keywords, with the line on which it stands, from 1.
pub fn definitions(code: &str) -> Vec<(usize, &str, &str)> {
    const KEYWORDS: [&str; 6] = ["fn", "mod", "struct", "enum", "trait", "type"];
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut before = None;
        for word in words(line) {
            if let Some(keyword) = before.filter(|before| KEYWORDS.contains(before)) {
                found.push((index + 1, keyword, word));
            }
            before = Some(word);
        }
    }
    found
}

/// Every function with a body: its line, its name, and how many lines of code it has between its name and its last
/// brace, both included. Blank lines and comments do not count.
pub fn functions(code: &str) -> Vec<(usize, &str, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (line, keyword, name) in definitions(code) {
        let begin = lines[line - 1].find(&format!("fn {name}"));
        if let Some(column) = begin.filter(|_| keyword == "fn") {
            let rest: String = lines[line - 1..].join("\n")[column..].to_owned();
            let body = &rest[..item_end(&rest)];
            if body.ends_with('}') {
                found.push((line, name, body.lines().filter(|line| !line.trim().is_empty()).count()));
            }
        }
    }
    found
}

/// Every `match`: its line, what it matches on, and what stands between its braces.
pub fn matches(code: &str) -> Vec<(usize, &str, &str)> {
    const KEYWORD: &str = "match ";
    let mut found = Vec::new();
    for (at, _) in code.match_indices(KEYWORD).filter(|(at, _)| !continues_word_before(code, *at)) {
        let rest = &code[at + KEYWORD.len()..];
        if let Some((scrutinee, body)) = rest[..item_end(rest)].split_once('{') {
            found.push((code[..at].matches('\n').count() + 1, scrutinee.trim(), body));
        }
    }
    found
}

fn continues_word_before(code: &str, at: usize) -> bool {
    code[..at].ends_with(is_word)
}

/// Whether a `match` with this body has an arm for whatever else there is.
pub fn has_wildcard_arm(body: &str) -> bool {
    let (mut depth, mut before) = (0, '{');
    for (at, c) in body.char_indices() {
        let begins_arm = depth == 0 && ['{', '}', ','].contains(&before);
        let after = body[at..].strip_prefix('_').map(str::trim_start);
        if begins_arm && after.is_some_and(|after| after.starts_with("=>")) {
            return true;
        }
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            _ => {}
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    false
}

/// Which of the parts of `std` that are named in `parts` the code names, also in a group as `std::{fs, net}`.
pub fn parts_of_std<'a>(code: &str, parts: &[&'a str]) -> Vec<&'a str> {
    let mut named = Vec::new();
    for (at, _) in code.match_indices("std::") {
        if at > 0 && code[..at].ends_with(|c| is_word(c) || c == ':') {
            continue;
        }
        let rest = &code[at + "std::".len()..];
        let first_words: Vec<&str> = match rest.strip_prefix('{') {
            None => words(rest).take(1).collect(),
            Some(group) => first_words_of_group(group),
        };
        named.extend(parts.iter().filter(|part| first_words.contains(*part)));
    }
    named
}

/// The first word of each entry of a `use` group, up to its closing brace.
fn first_words_of_group(group: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut entries) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                entries.push(&group[begin..at]);
                begin = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    entries.into_iter().filter_map(|entry| words(entry).next()).collect()
}

#[test]
fn comments_and_strings_are_blanked_and_lines_stay() {
    let text = "let a = \"std::fs \\\" x\"; // std::fs\n/* a /* b */ c */ let b = r#\"fn \"x\" \"#;\nlet c: &'a u8 = '\"'; b'\\''";
    let code = without_comments_and_strings(text);
    assert_eq!(code.lines().count(), 3);
    assert_eq!(words(&code).collect::<Vec<_>>(), ["let", "a", "let", "b", "let", "c", "a", "u8", "b"]);
}

#[test]
fn what_only_tests_compile_is_cut() {
    let code = "fn a() {}\n#[cfg(test)]\nmod tests;\nfn b() {}\n#[cfg(test)]\nmod more {\n fn c() { {} }\n}\nfn d() {}";
    let names: Vec<_> = definitions(code).iter().map(|(_, _, name)| name.to_string()).collect();
    assert_eq!(names, ["a", "tests", "b", "more", "c", "d"]);
    let shipped = without_tests(code);
    let shipped_names: Vec<_> = definitions(&shipped).iter().map(|(line, _, name)| (*line, *name)).collect();
    assert_eq!(shipped_names, [(1, "a"), (4, "b"), (9, "d")]);
}

#[test]
fn functions_are_measured_without_blank_lines() {
    let code = "trait T { fn no_body(&self); }\npub fn long(\n a: u8,\n) -> u8 {\n\n if a > 0 { 1 } else { 2 }\n}\nfn short() {}\n";
    assert_eq!(functions(code), [(2, "long", 5), (8, "short", 1)]);
}

#[test]
fn wildcard_arms_are_found_and_told_from_inner_ones() {
    let code = "match a {\n B(_) => 1,\n C => { match d { E => 2, _ => 3 } }\n}";
    let found: Vec<_> =
        matches(code).into_iter().map(|(line, on, body)| (line, on, has_wildcard_arm(body))).collect();
    assert_eq!(found, [(1, "a", false), (3, "d", true)]);
    assert!(has_wildcard_arm(" B => {}\n _ => {} }"));
    assert!(!has_wildcard_arm(" (B, _) => {}\n C(_) | D { .. } => {} }"));
}

#[test]
fn parts_of_std_are_found_in_paths_and_groups() {
    let parts = ["fs", "net"];
    assert_eq!(parts_of_std("use std::fs::File; std::net::x()", &parts), ["fs", "net"]);
    assert_eq!(parts_of_std("use std::{collections::{fs, BTreeMap}, io};", &parts), [""; 0]);
    assert_eq!(parts_of_std("use std::{io, net::{A, B}, fmt};", &parts), ["net"]);
    assert_eq!(parts_of_std("use mystd::fs; use a::std::fs;", &parts), [""; 0]);
}
