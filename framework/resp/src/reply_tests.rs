//! The bytes of every kind of reply, in both versions.

use crate::{Float, Protocol, Reply};
use synod_stdx::Wire;

fn every_kind() -> Vec<(Reply, &'static str, &'static str)> {
    let one = || vec![Reply::Integer(1)];
    vec![
        (Reply::OK, "+OK\r\n", "+OK\r\n"),
        (Reply::error("ERR a\r\nb"), "-ERR a  b\r\n", "-ERR a  b\r\n"),
        (Reply::Integer(-7), ":-7\r\n", ":-7\r\n"),
        (Reply::bulk("a\r\n"), "$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n"),
        (Reply::Null, "$-1\r\n", "_\r\n"),
        (Reply::NullArray, "*-1\r\n", "_\r\n"),
        (Reply::Array(one()), "*1\r\n:1\r\n", "*1\r\n:1\r\n"),
        (Reply::Map(vec![(Reply::Null, Reply::OK)]), "*2\r\n$-1\r\n+OK\r\n", "%1\r\n_\r\n+OK\r\n"),
        (
            Reply::Pairs(vec![(Reply::Integer(1), Reply::Integer(2)), (Reply::OK, Reply::OK)]),
            "*4\r\n:1\r\n:2\r\n+OK\r\n+OK\r\n",
            "*2\r\n*2\r\n:1\r\n:2\r\n*2\r\n+OK\r\n+OK\r\n",
        ),
        (Reply::Set(one()), "*1\r\n:1\r\n", "~1\r\n:1\r\n"),
        (Reply::Double(Float(1.5)), "$3\r\n1.5\r\n", ",1.5\r\n"),
        (Reply::Double(Float(f64::NEG_INFINITY)), "$4\r\n-inf\r\n", ",-inf\r\n"),
        (Reply::Boolean(true), ":1\r\n", "#t\r\n"),
        (Reply::Verbatim(b"hi".as_slice().into()), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"),
        (Reply::Push(one()), "*1\r\n:1\r\n", ">1\r\n:1\r\n"),
    ]
}

#[test]
fn every_kind_has_its_bytes_in_both_versions() {
    for (reply, resp2, resp3) in every_kind() {
        for (protocol, expected) in [(Protocol::Resp2, resp2), (Protocol::Resp3, resp3)] {
            let mut out = Vec::new();
            reply.write(protocol, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{reply:?} in {protocol:?}");
        }
    }
}

#[test]
fn every_kind_survives_its_byte_form() {
    for (reply, _, _) in every_kind() {
        let nested = Reply::Array(vec![reply.clone(), reply]);
        assert_eq!(Reply::from_bytes(&nested.to_bytes()), Ok(nested));
    }
    assert!(Reply::from_bytes(&[14]).is_err());
    assert!(Reply::from_bytes(&[6, 1].repeat(1000)).is_err(), "nesting is bounded");
}

#[test]
fn replies_are_shown_escaped_and_short() {
    assert_eq!(format!("{:?}", Reply::bulk(b"\x00\xff")), r#""\x00\xff""#);
    let shown = format!("{:?}", Reply::bulk(vec![b'a'; 1000]));
    assert!(shown.ends_with("… 1000 bytes") && shown.len() < 100, "{shown}");
}

#[test]
fn numbers_print_as_a_stock_server_prints_them() {
    for (value, text) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-3.25, "-3.25"),
        (0.1, "0.10000000000000001"),
        (100.0, "100"),
        (1e16, "10000000000000000"),
        (1.5e17, "1.5e+17"),
        (1e17, "1e+17"),
        (1e300, "1.0000000000000001e+300"),
        (0.0001, "0.0001"),
        (0.00001, "1.0000000000000001e-05"),
        (5e-324, "4.9406564584124654e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
    ] {
        assert_eq!(Float(value).to_string(), text);
    }
}
