//! YAML 1.1 scalars: what a text without quotes stands for.

/// `yes`, `on`, `true`, `y` … as YAML 1.1 has them.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Some(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(false)
        }
        _ => None,
    }
}

/// A whole number: decimal, `0x`, `0b`, `0o` or octal with a leading zero, `_` between digits, an exponent or a
/// fraction of zeros (`5e9`, `3.0`).
pub fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if !digits.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let clean: String = digits.chars().filter(|&c| c != '_').collect();
    let lower = clean.to_ascii_lowercase();
    let magnitude = if let Some(hex) = lower.strip_prefix("0x") {
        radix(hex, 16)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        radix(binary, 2)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        radix(octal, 8)
    } else if clean.len() > 1 && clean.starts_with('0') && clean.bytes().all(|b| b.is_ascii_digit())
    {
        // `089` is no octal number; YAML 1.1 then has a decimal float.
        radix(&clean, 8).or_else(|| radix(&clean, 10))
    } else if clean.bytes().all(|b| b.is_ascii_digit()) {
        radix(&clean, 10)
    } else {
        whole_float(&clean)
    }?;
    Some(if negative { -magnitude } else { magnitude })
}

/// Unsigned digits of one base; no sign inside.
fn radix(digits: &str, base: u32) -> Option<i128> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    i128::from_str_radix(digits, base).ok()
}

/// `5e9` or `3.0`: floats that are whole numbers and small enough to be exact.
fn whole_float(text: &str) -> Option<i128> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let value = decimal(text)?;
    (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i128)
}

/// A number: decimal with an optional fraction and exponent, `.inf`, `.nan`, or any whole number.
pub fn float(text: &str) -> Option<f64> {
    match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Some(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        _ => {}
    }
    decimal(text).or_else(|| integer(text).map(|value| value as f64))
}

/// A decimal number with an optional fraction and exponent.
fn decimal(text: &str) -> Option<f64> {
    let clean: String = text.chars().filter(|&c| c != '_').collect();
    let unsigned = clean.strip_prefix(['-', '+']).unwrap_or(&clean);
    let mantissa = unsigned.split(['e', 'E']).next().unwrap_or_default();
    let shaped = mantissa.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && mantissa.bytes().any(|b| b.is_ascii_digit());
    if shaped { clean.parse().ok() } else { None }
}

/// Whether a text would be read as something other than this text when written without quotes.
pub fn needs_quotes(text: &str) -> bool {
    let Some(first) = text.chars().next() else {
        return true;
    };
    let special_start = "-?:,[]{}#&*!|>'\"%@`~=<".contains(first) || first.is_whitespace();
    special_start
        || text.ends_with(char::is_whitespace)
        || text.ends_with(':')
        || text.contains(": ")
        || text.contains(" #")
        || text
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{85}'))
        || text.contains([',', '[', ']', '{', '}'])
        || boolean(text).is_some()
        || integer(text).is_some()
        || float(text).is_some()
        || matches!(text, "~" | "null" | "Null" | "NULL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_as_yaml_1_1_has_them() {
        let cases = [
            ("0", 0),
            ("3200", 3200),
            ("-5", -5),
            ("+7", 7),
            ("0755", 493),
            ("0o755", 493),
            ("0x1F", 31),
            ("0b101", 5),
            ("1_000_000", 1_000_000),
            ("5e9", 5_000_000_000),
            ("30e6", 30_000_000),
            ("3.0", 3),
            ("089", 89),
        ];
        for (text, want) in cases {
            assert_eq!(integer(text), Some(want), "{text}");
        }
        for text in [
            "", "-", "x", "1.5", "5s", "0x", "0xg", "1-2", "_1", "--1", "1e400", "1e18",
        ] {
            assert_eq!(integer(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_with_fractions() {
        assert_eq!(float("0.8"), Some(0.8));
        assert_eq!(float(".002"), Some(0.002));
        assert_eq!(float("-1.5e3"), Some(-1500.0));
        assert_eq!(float("0x10"), Some(16.0));
        assert_eq!(float(".inf"), Some(f64::INFINITY));
        for text in ["", ".", "inf", "nan", "1s", "e5", "infinity", "-"] {
            assert_eq!(float(text), None, "{text}");
        }
    }
}
