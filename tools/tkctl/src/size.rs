// SPDX-License-Identifier: GPL-2.0

//! Numbers with units, as people type and read them.

use std::time::Duration;

/// A limit of the page cache as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// None.
    Off,
    /// In percent, 1 to 100.
    Percent(u8),
    /// In bytes, not 0.
    Bytes(u64),
}

const UNITS: [&str; 5] = ["B", "K", "M", "G", "T"];

/// Parses `30%`, `4G` or `off`.
pub fn limit(text: &str) -> Result<Limit, String> {
    if matches!(text, "off" | "none") {
        return Ok(Limit::Off);
    }
    if let Some(number) = text.strip_suffix('%') {
        return match number.trim_end().parse() {
            Ok(percent @ 1..=100) => Ok(Limit::Percent(percent)),
            _ => Err("not from 1% to 100%".into()),
        };
    }
    match bytes(text) {
        Some(0) | None => Err("not a part of the memory (30%), a size (4G) or off".into()),
        Some(bytes) => Ok(Limit::Bytes(bytes)),
    }
}

/// Parses a size: a number, perhaps with a fraction, and a unit such as `G`, `GB` or `GiB`.
fn bytes(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start().to_ascii_uppercase();
    let unit = unit
        .strip_suffix("IB")
        .or_else(|| unit.strip_suffix('B'))
        .unwrap_or(&unit);
    let power = match unit {
        "" => 0,
        unit => u32::try_from(UNITS.iter().position(|name| *name == unit)?).ok()?,
    };
    let unit = 1024u64.checked_pow(power)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let fraction = match fraction.get(..fraction.len().min(6)) {
        None | Some("") => 0,
        Some(digits) => {
            let scale = 10u64.checked_pow(u32::try_from(digits.len()).ok()?)?;
            let fraction = u128::from(digits.parse::<u64>().ok()?) * u128::from(unit);
            u64::try_from(fraction / u128::from(scale)).ok()?
        }
    };
    whole.checked_mul(unit)?.checked_add(fraction)
}

/// Parses a time in seconds, at least a hundredth and at most a day.
pub fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.01..=86400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("not from 0.01 to 86400 seconds".into()),
    }
}

/// Bytes with three digits at least and a unit: `1.21 GiB`.
pub fn human(bytes: u64) -> String {
    const NAMES: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // To the next unit before rounding makes 1024 of it.
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.5 && unit + 1 < NAMES.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = match value {
        0.0..9.995 => 2,
        9.995..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {}", NAMES[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        for (text, expected) in [
            ("off", Limit::Off),
            ("1%", Limit::Percent(1)),
            ("100 %", Limit::Percent(100)),
            ("4096", Limit::Bytes(4096)),
            ("4G", Limit::Bytes(4 << 30)),
            ("4GiB", Limit::Bytes(4 << 30)),
            ("1.5 mb", Limit::Bytes(3 << 19)),
            ("512B", Limit::Bytes(512)),
            ("15T", Limit::Bytes(15 << 40)),
        ] {
            assert_eq!(limit(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "0",
            "0%",
            "101%",
            "%",
            "-1",
            "-1%",
            "G",
            "4X",
            "4GG",
            "1.2.3",
            "0.0G",
            "1e3",
            "inf",
            "16777216T",
            "99999999999999999999",
            "1.é",
            "é",
            "4 G B",
        ] {
            assert!(limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for text in ["0", "-1", "nan", "inf", "1e9", "x", ""] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (10 << 20, "10.0 MiB"),
            ((1 << 20) - 1, "1.00 MiB"),
            (123 << 30, "123 GiB"),
            (u64::MAX, "16384 PiB"),
        ] {
            assert_eq!(human(bytes), expected);
        }
    }
}
