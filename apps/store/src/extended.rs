//! The numbers of `INCRBYFLOAT`: a sign, 64 bits and an exponent, in integers alone.
//!
//! A stock Redis computes in the machine's `long double`, which on the machines that it usually runs on has 64 bits of
//! mantissa, and prints 17 places behind the point. To print the same on every machine, this does the same
//! without floating point: read rounding to the nearest, add rounding to the nearest, print exactly. Ties go to even.
//! Left out: hexadecimal notation, and numbers too small for that format's normal range, which print as 0 anyway.

use std::cmp::Ordering;

/// A finite number: `mantissa * 2^exponent`, the mantissa's highest bit set, or zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extended {
    is_negative: bool,
    mantissa: u64,
    exponent: i32,
}

/// What a text says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Number {
    Finite(Extended),
    Infinite,
}

/// The longest text that is read as a number, as in Redis.
const TEXT_BYTES_MAX: usize = 5 * 1024 - 1;
/// Beyond this a number does not fit the 15 bits of the format's exponent.
const EXPONENT_MAX: i32 = 16_383 - 63;
const PLACES: u32 = 17;

impl Extended {
    pub(crate) const ZERO: Extended = Extended { is_negative: false, mantissa: 0, exponent: 0 };

    /// The number that is nearest to the decimal `text`, or `None` if it is no number or out of range.
    pub(crate) fn parse(text: &[u8]) -> Option<Number> {
        if text.is_empty() || text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (is_negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
            return Some(Number::Infinite);
        }
        let (digits, power) = split_decimal(rest)?;
        let mut big = Big::default();
        for digit in &digits {
            big.multiply_and_add(10, u32::from(*digit));
        }
        if big.is_zero() {
            return Some(Number::Finite(Extended { is_negative, ..Extended::ZERO }));
        }
        // Far outside the format's range there is nothing to compute.
        let magnitude = digits.len() as i64 + power;
        if !(-4_960..=4_940).contains(&magnitude) {
            return None;
        }
        let mut exponent = 0;
        let mut is_inexact = false;
        if power >= 0 {
            big.multiply_by_power_of_ten(power as u32);
        } else {
            // Enough bits in front that the quotient has more than 64.
            let down = power.unsigned_abs() as u32;
            let shift = (down * 10 / 3 + 72).saturating_sub(big.bits());
            big.shift_left(shift);
            exponent = -(shift as i32);
            is_inexact = big.divide_by_power_of_ten(down);
        }
        let number = big.round(is_inexact, is_negative, exponent);
        (number.exponent <= EXPONENT_MAX).then_some(Number::Finite(number))
    }

    /// The sum, or `None` if it is out of range.
    pub(crate) fn checked_add(self, other: Extended) -> Option<Extended> {
        if other.mantissa == 0 {
            return Some(self);
        }
        if self.mantissa == 0 {
            return Some(other);
        }
        let (large, small) = match self.exponent.cmp(&other.exponent).then(self.mantissa.cmp(&other.mantissa))
        {
            Ordering::Less => (other, self),
            Ordering::Equal | Ordering::Greater => (self, other),
        };
        let shift = large.exponent.abs_diff(small.exponent);
        let high = u128::from(large.mantissa) << 62;
        let full = u128::from(small.mantissa) << 62;
        let low = full.checked_shr(shift).unwrap_or(0);
        let is_inexact = low.checked_shl(shift).unwrap_or(0) != full;
        let sum = if large.is_negative == small.is_negative {
            high + low
        } else {
            // What was shifted out makes the difference smaller by less than one.
            high - low - u128::from(is_inexact)
        };
        if sum == 0 {
            return Some(Extended::ZERO);
        }
        let number = Big::from(sum).round(is_inexact, large.is_negative, large.exponent - 62);
        (number.exponent <= EXPONENT_MAX).then_some(number)
    }

    /// The number with at most 17 places behind the point, without zeros at the end.
    pub(crate) fn to_text(self) -> String {
        let mut big = Big::from(u128::from(self.mantissa));
        big.multiply_by_power_of_ten(PLACES);
        if self.exponent >= 0 {
            big.shift_left(self.exponent.unsigned_abs());
        } else {
            big.shift_right_rounding(self.exponent.unsigned_abs());
        }
        let mut digits = big.to_decimal();
        let places = PLACES as usize;
        if digits.len() <= places {
            digits.insert_str(0, &"0".repeat(places + 1 - digits.len()));
        }
        digits.insert(digits.len() - places, '.');
        let shown = digits.trim_end_matches('0').trim_end_matches('.');
        if self.is_negative && shown != "0" { format!("-{shown}") } else { shown.to_owned() }
    }
}

/// The digits of `text` without point, and the power of ten that they are to be multiplied by.
fn split_decimal(text: &[u8]) -> Option<(Vec<u8>, i64)> {
    let (mut digits, mut power, mut at) = (Vec::new(), 0i64, 0);
    let mut is_behind_point = false;
    loop {
        match text.get(at) {
            Some(digit @ b'0'..=b'9') => {
                digits.push(digit - b'0');
                power -= i64::from(is_behind_point);
            }
            Some(b'.') if !is_behind_point => is_behind_point = true,
            _ => break,
        }
        at += 1;
    }
    if digits.is_empty() {
        return None;
    }
    match &text[at..] {
        [] => {}
        [b'e' | b'E', exponent @ ..] => power += parse_exponent(exponent)?,
        _ => return None,
    }
    Some((digits, power))
}

fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Anything beyond a million is out of range, however long it is.
    let value =
        digits.iter().fold(0i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(1_000_000));
    Some(sign * value)
}

/// A natural number of any size, lowest limb first, no zero limb at the end.
#[derive(Clone, Default)]
struct Big {
    limbs: Vec<u32>,
}

impl From<u128> for Big {
    fn from(mut value: u128) -> Big {
        let mut limbs = Vec::new();
        while value > 0 {
            limbs.push(value as u32);
            value >>= 32;
        }
        Big { limbs }
    }
}

impl Big {
    fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }

    /// How many bits it takes.
    fn bits(&self) -> u32 {
        self.limbs.last().map_or(0, |last| self.limbs.len() as u32 * 32 - last.leading_zeros())
    }

    fn multiply_and_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for limb in &mut self.limbs {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.limbs.push(carry as u32);
        }
    }

    /// Divides and returns the remainder.
    fn divide(&mut self, divisor: u32) -> u32 {
        let mut rest = 0u64;
        for limb in self.limbs.iter_mut().rev() {
            rest = rest << 32 | u64::from(*limb);
            *limb = (rest / u64::from(divisor)) as u32;
            rest %= u64::from(divisor);
        }
        self.trim();
        rest as u32
    }

    fn multiply_by_power_of_ten(&mut self, power: u32) {
        for_powers_of_ten(power, |factor| self.multiply_and_add(factor, 0));
    }

    /// Divides; returns whether anything was left over.
    fn divide_by_power_of_ten(&mut self, power: u32) -> bool {
        let mut is_inexact = false;
        for_powers_of_ten(power, |factor| is_inexact |= self.divide(factor) != 0);
        is_inexact
    }

    fn shift_left(&mut self, bits: u32) {
        self.multiply_and_add(1 << (bits % 32), 0);
        if !self.is_zero() {
            let zeros = std::iter::repeat_n(0, (bits / 32) as usize);
            self.limbs.splice(0..0, zeros);
        }
    }

    fn bit(&self, index: u32) -> bool {
        self.limbs.get((index / 32) as usize).is_some_and(|limb| limb >> (index % 32) & 1 == 1)
    }

    /// Whether any of the lowest `count` bits is set.
    fn any_below(&self, count: u32) -> bool {
        let whole = ((count / 32) as usize).min(self.limbs.len());
        self.limbs[..whole].iter().any(|limb| *limb != 0)
            || (count / 32 * 32..count).any(|index| self.bit(index))
    }

    /// Divides by `2^bits`, to the nearest, ties to even. `is_inexact` says that the number is in truth a little more.
    fn shift_right_to_even(&mut self, bits: u32, is_inexact: bool) {
        if bits == 0 {
            return;
        }
        let is_half = self.bit(bits - 1);
        let is_more = is_inexact || self.any_below(bits - 1);
        let is_odd = self.bit(bits);
        self.limbs.drain(..((bits / 32) as usize).min(self.limbs.len()));
        let by = bits % 32;
        if by > 0 {
            let mut carry = 0;
            for limb in self.limbs.iter_mut().rev() {
                let value = *limb;
                *limb = value >> by | carry;
                carry = value << (32 - by);
            }
        }
        self.trim();
        if is_half && (is_more || is_odd) {
            self.multiply_and_add(1, 1);
        }
    }

    fn shift_right_rounding(&mut self, bits: u32) {
        self.shift_right_to_even(bits, false);
    }

    /// The nearest number with 64 bits.
    fn round(mut self, is_inexact: bool, is_negative: bool, exponent: i32) -> Extended {
        let excess = self.bits().saturating_sub(64);
        self.shift_right_to_even(excess, is_inexact);
        let mut exponent = exponent + excess as i32;
        // Rounding up may have made a bit more, of a power of two.
        if self.bits() > 64 {
            self.shift_right_to_even(1, false);
            exponent += 1;
        }
        let mantissa = self.limbs.iter().rev().fold(0u64, |value, limb| value << 32 | u64::from(*limb));
        let zeros = mantissa.leading_zeros();
        Extended { is_negative, mantissa: mantissa << zeros, exponent: exponent - zeros as i32 }
    }

    fn to_decimal(&self) -> String {
        let mut rest = self.clone();
        let mut groups = Vec::new();
        while !rest.is_zero() {
            groups.push(rest.divide(1_000_000_000));
        }
        let mut text = groups.pop().unwrap_or(0).to_string();
        for group in groups.iter().rev() {
            text.push_str(&format!("{group:09}"));
        }
        text
    }
}

/// Calls `apply` with powers of ten that together make `10^power`.
fn for_powers_of_ten(power: u32, mut apply: impl FnMut(u32)) {
    for _ in 0..power / 9 {
        apply(1_000_000_000);
    }
    if !power.is_multiple_of(9) {
        apply(10u32.pow(power % 9));
    }
}

#[cfg(test)]
mod tests {
    use super::{Extended, Number};

    fn add(a: &str, b: &str) -> String {
        let number = |text: &str| match Extended::parse(text.as_bytes()) {
            Some(Number::Finite(number)) => number,
            other => panic!("{text}: {other:?}"),
        };
        number(a).checked_add(number(b)).map_or_else(|| "out of range".to_owned(), Extended::to_text)
    }

    #[test]
    fn sums_print_as_a_stock_server_prints_them() {
        for (a, b, sum) in [
            ("10.5", "0.1", "10.6"),
            ("1000.1", "0", "1000.09999999999999998"),
            ("5.0e3", "2.0e2", "5200"),
            ("3.0", "1.000000000000000005", "4.00000000000000001"),
            ("-0", "0", "0"),
            ("1", "-1", "0"),
            ("-1.5", "0.25", "-1.25"),
            ("1e-18", "0", "0"),
            ("17179869184", "1", "17179869185"),
            ("18446744073709551615", "1", "18446744073709551616"),
            ("18446744073709551615", "2", "18446744073709551616"),
            (".5", "5.", "5.5"),
            ("1e20", "1", "100000000000000000000"),
            ("123456789.123456789", "-123456789", "0.12345678899873747"),
        ] {
            assert_eq!(add(a, b), sum, "{a} + {b}");
        }
        assert_eq!(add("1.18e4932", "1.18e4932"), "out of range");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in
            ["", " 1", "1 ", "a", "1e", "1e+", "--1", "nan", ".", "1.2.3", "1e5000", "1e-6000", "0x10"]
        {
            assert_eq!(Extended::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Extended::parse(b"-Inf"), Some(Number::Infinite));
        assert_eq!(Extended::parse(&[b'1'; 6000]), None);
        Extended::parse(&[b'9'; 4930]).unwrap();
    }
}
