//! What a server writes, a client reads.

use crate::{Float, Protocol, ProtocolError, Reply, ReplyParser, ReplyScanner};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use proptest::{prop_assert, prop_assert_eq};

fn parse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Reply>, ProtocolError> {
    let (mut parser, mut buffer, mut replies) = (ReplyParser::default(), Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(reply) = parser.advance(&buffer)? {
            replies.push(reply);
        }
        parser.release_from(&mut buffer);
    }
    Ok(replies)
}

fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(usize, usize), ProtocolError> {
    let (mut scanner, mut buffer, mut passed, mut errors) = (ReplyScanner::default(), Vec::new(), 0, 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(scanned) = scanner.advance(&buffer)? {
            passed += 1;
            errors += usize::from(scanned.is_error);
        }
        buffer.drain(..scanner.release());
    }
    Ok((passed, errors))
}

/// Replies that version 3 keeps apart, so that what is read back is what was written.
fn replies() -> impl Strategy<Value = Reply> {
    let leaf = prop_oneof![
        Just(Reply::OK),
        "[A-Z]{1,4} [a-z ]{0,9}".prop_map(|text| Reply::Error(text.into())),
        any::<i64>().prop_map(Reply::Integer),
        prop::collection::vec(any::<u8>(), 0..30).prop_map(Reply::bulk),
        Just(Reply::Null),
        any::<bool>().prop_map(Reply::Boolean),
        (-1000i32..1000).prop_map(|value| Reply::Double(Float(f64::from(value) / 8.0))),
        "[a-z]{0,9}".prop_map(|text| Reply::Verbatim(text.as_bytes().into())),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Reply::Array),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Reply::Set),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Reply::Push),
            prop::collection::vec((inner.clone(), inner), 0..4).prop_map(Reply::Map),
        ]
    })
}

proptest! {
    #[test]
    fn what_a_server_writes_a_client_reads_in_any_pieces(
        written in prop::collection::vec(replies(), 1..4),
        size in 1usize..40,
    ) {
        let mut bytes = Vec::new();
        for reply in &written {
            reply.write(Protocol::Resp3, &mut bytes);
        }
        prop_assert_eq!(parse(bytes.chunks(size)), Ok(written.clone()));
        let errors = written.iter().filter(|reply| reply.is_error()).count();
        prop_assert_eq!(scan(bytes.chunks(size)), Ok((written.len(), errors)));
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(prop::sample::select(b"*$%|:=!12-\r\nx".to_vec()), 0..60)) {
        let (whole, split) = (parse([noise.as_slice()]), parse(noise.chunks(1)));
        prop_assert!(whole == split);
        let _ = scan([noise.as_slice()]);
    }
}

#[test]
fn an_attribute_is_dropped_and_nesting_is_bounded() {
    assert_eq!(parse([b"|1\r\n+a\r\n:1\r\n:7\r\n".as_slice()]), Ok(vec![Reply::Integer(7)]));
    assert_eq!(parse([b"*2\r\n|1\r\n+a\r\n:1\r\n:7\r\n:8\r\n".as_slice()]).unwrap().len(), 1);
    assert_eq!(scan([b"|1\r\n+a\r\n:1\r\n:7\r\n".as_slice()]), Ok((1, 0)));
    assert_eq!(parse([b"*1\r\n".repeat(40).as_slice()]), Err(ProtocolError::ReplyTooLarge));
    assert_eq!(parse([b"*0\r\n*-1\r\n$-1\r\n".as_slice()]).unwrap().len(), 3);
}
