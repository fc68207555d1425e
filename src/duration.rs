//! Durations as users write them: `200ms`, `5s`, `1.5m`, `2h`; a bare number is seconds.

use std::time::Duration;

/// Reads a duration.
///
/// # Errors
/// A sentence for the user, where `text` is no duration.
pub fn parse(text: &str) -> Result<Duration, String> {
    let unit_start = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_start);
    let seconds_in_unit = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("'{unit}' is not a unit of time (ms, s, m, h)")),
    };
    let value: f64 = number.parse().map_err(|_| "it is not a number with a unit (ms, s, m, h)".to_owned())?;
    let duration = Duration::try_from_secs_f64(value * seconds_in_unit).ok();
    duration.filter(|duration| *duration <= LONGEST).ok_or_else(|| "it is too long".to_owned())
}

/// Reads a duration that must not be zero.
///
/// # Errors
/// As [`parse`], and for zero.
pub fn parse_positive(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        Duration::ZERO => Err("it must be longer than zero".to_owned()),
        duration => Ok(duration),
    }
}

/// A hundred years: clocks add durations to the present, and must not overflow.
const LONGEST: Duration = Duration::from_hours(100 * 366 * 24);

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
