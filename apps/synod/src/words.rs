//! Numbers, as people read them.

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn a_comma_stands_between_each_three_digits() {
        let numbers = [0, 999, 1_000, 62_113, 1_234_567].map(thousands);
        assert_eq!(numbers, ["0", "999", "1,000", "62,113", "1,234,567"]);
    }
}
