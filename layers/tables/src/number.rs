//! Numbers as text, and between widths.

/// The largest whole number up to which a number of 64 bits holds every whole number, 2^53.
const EXACT: u64 = 1 << 53;
/// The most bytes that [`short`] looks at: so many digits, with a point among them, do not overflow 64 bits.
const SHORT_BYTES: usize = 19;
/// Powers of ten, which a number of 64 bits holds exactly up to 10^22.
const POWERS: [f64; SHORT_BYTES] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// The nearest number of 64 bits; infinity only where it is written.
#[inline]
pub(crate) fn number(bytes: &[u8]) -> Option<f64> {
    short(bytes).or_else(|| any(bytes))
}

/// A number of few digits without an exponent, which is how most are written: a whole number up to 2^53, divided by a
/// power of ten. Both are exact, so that their quotient is rounded once and is the nearest number (W. Clinger, "How to
/// read floating point numbers accurately", 1990, section 4). `None` says nothing about the text.
#[inline]
fn short(bytes: &[u8]) -> Option<f64> {
    let (is_negative, unsigned) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if unsigned.len() > SHORT_BYTES {
        return None;
    }
    let (units, rest) = digits(0, unsigned);
    let (all, decimals) = match rest {
        [] => (units, 0),
        // A point alone is no number.
        [b'.', fraction @ ..] if unsigned.len() > 1 => match digits(units, fraction) {
            (all, []) => (all, fraction.len()),
            _ => return None,
        },
        _ => return None,
    };
    if all > EXACT || unsigned.is_empty() {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "up to 2^53 every whole number is exact")]
    let value = all as f64 / POWERS.get(decimals)?;
    Some(if is_negative { -value } else { value })
}

/// The digits that a text begins with, behind those that came before, and what follows them.
#[inline]
fn digits(before: u64, text: &[u8]) -> (u64, &[u8]) {
    let (mut value, mut rest) = (before, text);
    while let [byte, after @ ..] = rest {
        let digit = byte.wrapping_sub(b'0');
        if digit >= 10 {
            break;
        }
        // At most 19 digits come here, which 64 bits hold.
        value = value.wrapping_mul(10).wrapping_add(digit.into());
        rest = after;
    }
    (value, rest)
}

/// Whatever stands for a number.
#[cold]
fn any(bytes: &[u8]) -> Option<f64> {
    let value: f64 = match fast_float2::parse(bytes) {
        Ok(value) => value,
        Err(_) => {
            let trimmed = bytes.trim_ascii();
            let unsigned = trimmed.strip_prefix(b"+").filter(|rest| !rest.starts_with(b"-") && !rest.starts_with(b"+"));
            fast_float2::parse(unsigned.unwrap_or(trimmed)).ok()?
        }
    };
    if value.is_infinite() && !bytes.iter().any(|byte| matches!(byte, b'i' | b'I')) {
        return None;
    }
    Some(value)
}

/// A whole number, also written as one with a fraction of nothing.
pub(crate) fn integer(bytes: &[u8]) -> Option<i64> {
    let text = str::from_utf8(bytes.trim_ascii()).ok()?;
    text.parse().ok().or_else(|| number(text.as_bytes()).and_then(whole))
}

/// A number without a fraction as a whole number.
#[expect(clippy::cast_possible_truncation, reason = "within 2^53 a number without a fraction is a whole number")]
pub(crate) fn whole(value: f64) -> Option<i64> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    (value.fract() == 0.0 && value.abs() <= MOST).then_some(value as i64)
}

/// The nearest number.
#[expect(clippy::cast_precision_loss, reason = "the nearest number is what is wanted")]
pub(crate) fn widen(value: i64) -> f64 {
    value as f64
}

/// The nearest number of 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "the nearest number of 32 bits is what is wanted")]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    #[test]
    fn given_random_texts_of_digits_when_they_are_read_in_the_short_way_then_the_numbers_are_those_of_the_long_one() {
        let mut random = StdRng::seed_from_u64(15);
        let mut short_ones = 0;
        for _ in 0..200_000 {
            let mut text: Vec<u8> = (0..random.random_range(0..19)).map(|_| random.random_range(b'0'..=b'9')).collect();
            for piece in [b'.', b'-', b'e'] {
                if random.random_bool(0.4) {
                    text.insert(if piece == b'-' { 0 } else { random.random_range(0..=text.len()) }, piece);
                }
            }
            if let Some(value) = short(&text) {
                short_ones += 1;
                let long: f64 = fast_float2::parse(&text).unwrap();
                assert_eq!(value.to_bits(), long.to_bits(), "{}", String::from_utf8_lossy(&text));
            }
        }
        assert!(short_ones > 50_000, "{short_ones}");
    }

    #[test]
    fn given_what_is_no_number_when_it_is_read_in_the_short_way_then_it_is_left_to_the_long_one() {
        for text in ["", "-", ".", "-.", "1.2.3", "1e5", "12345678901234567890", "1 ", "+1", "--1"] {
            assert_eq!(short(text.as_bytes()), None, "{text}");
        }
        for (text, value) in [("5.", 5.0), (".5", 0.5), ("0", 0.0), ("9007199254740992", 9_007_199_254_740_992.0)] {
            assert_eq!(short(text.as_bytes()), Some(value), "{text}");
        }
        assert!(short(b"-0").unwrap().is_sign_negative());
    }
}
