//! The request parser against tables, against a dumb twin of itself, and against noise.

use crate::{Limits, Parsed, ProtocolError, RequestParser, write_request};
use proptest::prelude::{any, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};

type Outcome = Result<Vec<Vec<Vec<u8>>>, ProtocolError>;

/// Feeds `pieces` one after the other; the bytes understood are released in between, as a connection does.
fn feed<'a>(parser: &mut RequestParser, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (mut buffer, mut commands) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match parser.advance(&buffer)? {
                Parsed::Incomplete => break,
                Parsed::Command(args) => commands.push(args.iter().map(<[u8]>::to_vec).collect()),
                Parsed::Oversized(what) => commands.push(vec![format!("{what:?}").into_bytes()]),
            }
        }
        parser.release_from(&mut buffer);
    }
    Ok(commands)
}

fn parser(authenticated: bool) -> RequestParser {
    RequestParser::new(Limits::default(), authenticated)
}

/// Shows an outcome as words: commands joined by `|`, arguments by a space.
fn show(outcome: &Outcome) -> String {
    let word = |bytes: &Vec<u8>| bytes.escape_ascii().to_string();
    match outcome {
        Err(error) => format!("{error:?}"),
        Ok(commands) => {
            let lines = commands.iter().map(|args| args.iter().map(word).collect::<Vec<_>>().join(" "));
            lines.collect::<Vec<_>>().join(" | ")
        }
    }
}

/// `input` whole and byte by byte gives `expected`.
fn check(input: &[u8], expected: &str) {
    assert_eq!(show(&feed(&mut parser(true), [input])), expected, "{}", input.escape_ascii());
    assert_eq!(
        show(&feed(&mut parser(true), input.chunks(1))),
        expected,
        "byte by byte: {}",
        input.escape_ascii()
    );
}

#[test]
fn a_broken_line_behind_a_good_one_is_what_is_left() {
    for broken in ["set \"k\r\n", "GET / HTTP/1.1\r\n"] {
        let mut buffer = format!("PING\r\n{broken}").into_bytes();
        let mut parser = RequestParser::new(Limits::default(), true);
        assert!(matches!(parser.advance(&buffer), Ok(Parsed::Command(_))));
        assert!(parser.advance(&buffer).is_err());
        parser.release_from(&mut buffer);
        assert_eq!(buffer, broken.as_bytes());
    }
}

#[test]
fn commands_are_found_whole_and_in_pieces() {
    check(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "GET k");
    check(b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", "PING | ECHO ");
    check(b"PING\r\n", "PING");
    check(b"PING\n\r\n\nset \"a b\" 'c'\n", "PING | set a b c");
    check(b"*0\r\n*-1\r\nPING\r\n", "PING");
    check(b"*2\r\n$4\r\nECHO\r\n$4\r\na\r\nb\r\n", "ECHO a\\r\\nb");
}

#[test]
fn what_breaks_the_protocol_is_named_as_a_stock_server_names_it() {
    let long = [b"*".as_slice(), &[b'1'; 70_000]].concat();
    let long_bulk = [b"*1\r\n$".as_slice(), &[b'1'; 70_000]].concat();
    let long_inline = vec![b'x'; 70_000];
    let cases: &[(&[u8], &str)] = &[
        (b"*-2\r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*1048577\r\n", "invalid multibulk length"),
        (b"*abc\r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"*1\rx", "invalid multibulk length"),
        (&long, "too big mbulk count string"),
        (&long_bulk, "too big bulk count string"),
        (&long_inline, "too big inline request"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$-2\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$abc\r\n", "invalid bulk length"),
        (b"*1\r\n:4\r\n", "expected '$', got ':'"),
        (b"*1\r\n*1\r\n", "expected '$', got '*'"),
        (b"*1\r\n$3\r\nPING\r\n", "bulk is not followed by CRLF, its length is wrong"),
        (b"set \"k\n", "unbalanced quotes in request"),
    ];
    for (input, text) in cases {
        for outcome in [feed(&mut parser(true), [*input]), feed(&mut parser(true), input.chunks(1))] {
            let error = outcome.expect_err(text);
            assert_eq!(error.reply_text().unwrap(), format!("ERR Protocol error: {text}"));
        }
    }
}

#[test]
fn a_client_that_did_not_authenticate_may_send_little() {
    let error = |input: &[u8]| feed(&mut parser(false), [input]).unwrap_err();
    assert_eq!(error(b"*11\r\n"), ProtocolError::UnauthenticatedMultibulk);
    assert_eq!(error(b"*1\r\n$16385\r\n"), ProtocolError::UnauthenticatedBulk);
    let mut outcome = parser(false);
    assert!(feed(&mut outcome, [b"*10\r\n$4\r\nAUTH\r\n$16384\r\n".as_slice()]).is_ok());
}

#[test]
fn other_protocols_are_recognised() {
    check(b"GET / HTTP/1.1\r\n", "HttpRequest");
    check(b"POST /x HTTP/1.1\r\n", "HttpRequest");
    check(b"Host: example\r\n", "HttpRequest");
    check(b"\x16\x03\x01\x02\x00\x01\x00", "TlsHello");
    assert_eq!(ProtocolError::HttpRequest.reply_text(), None);
    // A key may look like a path.
    check(b"GET /\r\n", "GET /");
}

#[test]
fn an_oversized_bulk_is_skipped_without_being_kept() {
    let limits = Limits { bulk_bytes_max: 4, ..Limits::default() };
    let mut parser = RequestParser::new(limits, true);
    let mut input = Vec::new();
    write_request(&mut input, &[b"SET".as_slice(), b"key", b"12345", b"EX", b"1"]);
    write_request(&mut input, &["PING"]);
    for size in [input.len(), 1, 7] {
        assert_eq!(show(&feed(&mut parser, input.chunks(size))), "Bulk(5) | PING", "pieces of {size}");
    }
    // What was announced is not waited for in memory.
    let mut buffer = b"*1\r\n$536870912\r\n".to_vec();
    for _ in 0..100 {
        assert!(matches!(parser.advance(&buffer), Ok(Parsed::Incomplete)));
        parser.release_from(&mut buffer);
        assert!(buffer.is_empty() && parser.is_inside_request());
        buffer.extend_from_slice(&[b'x'; 1000]);
    }
}

#[test]
fn a_request_over_the_limit_is_skipped() {
    let limits = Limits { request_bytes_max: 100, ..Limits::default() };
    let mut parser = RequestParser::new(limits, true);
    let mut input = Vec::new();
    write_request(&mut input, &[b"0123456789"; 20]);
    write_request(&mut input, &["PING"]);
    assert_eq!(show(&feed(&mut parser, input.chunks(9))), "Request | PING");
}

#[test]
fn a_command_that_is_put_back_comes_again() {
    let mut parser = parser(true);
    let mut buffer = b"PING\r\n*2\r\n$4\r\nECHO\r\n$1\r\nx\r\nPI".to_vec();
    for name in [b"PING", b"ECHO"] {
        for round in 0..3 {
            let Ok(Parsed::Command(args)) = parser.advance(&buffer) else { panic!("no command") };
            assert_eq!(&args[0], name);
            if round < 2 {
                parser.put_back();
                parser.release_from(&mut buffer);
            }
        }
    }
    parser.release_from(&mut buffer);
    assert_eq!(buffer, b"PI");
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        commands in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..5), 0..5),
        tail in prop::sample::select(vec!["", "PING\r\n", "*1\r\n$x\r\n", "set \"a\n", "*-1\r\n", "*3\r\n$1"]),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut input = Vec::new();
        for command in &commands {
            write_request(&mut input, command);
        }
        input.extend_from_slice(tail.as_bytes());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let whole = feed(&mut parser(true), [input.as_slice()]);
        let split = feed(&mut parser(true), cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]));
        prop_assert_eq!(show(&whole), show(&split));
        if let Ok(found) = whole {
            prop_assert!(found.starts_with(&commands));
        }
    }

    #[test]
    fn noise_never_panics_and_any_split_of_it_gives_the_same(
        noise in prop::collection::vec(prop::sample::select(b"*$:123\r\n\"'x\x00 -".to_vec()), 0..60),
    ) {
        let whole = feed(&mut parser(true), [noise.as_slice()]);
        let split = feed(&mut parser(true), noise.chunks(1));
        prop_assert_eq!(show(&whole), show(&split));
    }

    #[test]
    fn random_bytes_never_panic(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = feed(&mut parser(false), [noise.as_slice()]);
    }
}
