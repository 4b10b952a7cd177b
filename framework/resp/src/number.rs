//! Decimal integers as the protocol writes them: one form for each number, so `+1`, `01`, `-0` and ` 1` are none.

/// The number that `bytes` are the one decimal form of, or `None`.
pub fn parse_integer(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, bytes),
    };
    let first = *digits.first()?;
    if digits.len() > 19 || first == b'0' && (negative || digits.len() > 1) {
        return None;
    }
    let mut value = 0u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Nineteen digits fit 64 bits.
        value = value * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// Appends the decimal form of `value`.
pub fn write_integer(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::{parse_integer, write_integer};

    #[test]
    fn every_number_has_one_form() {
        for n in [0, 1, -1, 9, 10, 1234, i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1] {
            let mut out = Vec::new();
            write_integer(&mut out, n);
            assert_eq!(String::from_utf8(out.clone()).unwrap(), n.to_string());
            assert_eq!(parse_integer(&out), Some(n));
        }
        for wrong in [
            "",
            "-",
            "+1",
            "01",
            "-0",
            "-01",
            " 1",
            "1 ",
            "9223372036854775808",
            "1e3",
            "99999999999999999999",
        ] {
            assert_eq!(parse_integer(wrong.as_bytes()), None, "{wrong:?}");
        }
    }
}
