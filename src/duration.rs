//! Durations as users write them: `200ms`, `5s`, `1.5m`, `2h`; a bare number is seconds.

use std::time::Duration;

/// A hundred years: deadlines are the present time plus a duration, which must not overflow.
const LONGEST: Duration = Duration::from_hours(100 * 366 * 24);

const EXPECTED: &str = "expected a duration such as 500ms, 10s, 5m or 2h";

/// Parses a duration. Returns an error that says what was expected.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let unit_start = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_start);
    let seconds_in_unit = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(EXPECTED.to_owned()),
    };
    let value: f64 = number.parse().map_err(|_| EXPECTED.to_owned())?;
    let duration = Duration::try_from_secs_f64(value * seconds_in_unit).ok();
    duration.filter(|duration| *duration <= LONGEST).ok_or_else(|| "expected at most 100 years".to_owned())
}

/// Parses a duration longer than zero.
pub(crate) fn parse_positive(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        Duration::ZERO => Err("must be longer than zero".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit() {
        for (text, milliseconds) in [
            ("50ms", 50),
            ("5s", 5_000),
            ("5", 5_000),
            ("0.5", 500),
            ("1.5m", 90_000),
            ("2h", 7_200_000),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn refuses_all_else() {
        for text in ["", "s", "5 s", "-1s", "1d", "1e3", "1.2.3", ".", "inf", "NaN", "99999999999h", "5sec"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse_positive("0ms").is_err());
    }
}
