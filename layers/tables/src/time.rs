//! Moments as text.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The length of a date alone, `2024-02-29`.
const DATE_BYTES: usize = 10;

/// Microseconds since 1970-01-01T00:00:00Z; what is finer is cut off.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let utc = |time: DateTime| TimeZone::UTC.to_timestamp(time).ok();
    let rest = text.get(DATE_BYTES..)?;
    let moment = if rest.is_empty() {
        utc(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight()))?
    } else if rest.ends_with(['Z', 'z']) || rest.contains(['+', '-', '[']) {
        text.parse::<Timestamp>().ok()?
    } else {
        utc(text.parse::<DateTime>().ok()?)?
    };
    Some(moment.as_microsecond())
}

/// RFC 3339 in UTC, with as many digits of a second as it needs. `None` for what is beyond the calendar.
pub(crate) fn print(microseconds: i64) -> Option<String> {
    Timestamp::from_microsecond(microseconds).ok().map(|moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_moment_in_each_form_when_it_is_read_then_it_is_in_utc() {
        let moment = Some(1_709_209_845_000_000);
        for text in
            ["2024-02-29T12:30:45Z", "2024-02-29 12:30:45", "2024-02-29T18:00:45+05:30", "2024-02-29 12:30:45+00:00"]
        {
            assert_eq!(parse(text), moment, "{text}");
        }
        assert_eq!(parse("2024-02-29"), Some(1_709_164_800_000_000));
        assert_eq!(parse("1969-12-31T23:59:59.5Z"), Some(-500_000));
    }

    #[test]
    fn given_what_is_no_moment_when_it_is_read_then_it_is_refused() {
        for text in ["", "2024", "29.02.2024", "2023-02-29", "2024-02-29T25:00:00Z", "1709209845000"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn given_a_moment_when_it_is_written_and_read_then_it_is_the_same() {
        for moment in [0, -1, 1_709_209_845_123_456] {
            assert_eq!(print(moment).and_then(|text| parse(&text)), Some(moment));
        }
        assert_eq!(print(0).as_deref(), Some("1970-01-01T00:00:00Z"));
    }
}
