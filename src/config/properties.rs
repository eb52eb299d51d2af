//! Java's `.properties` format (`java.util.Properties.load`).
//!
//! ```text
//! # a comment          ! another
//! log.dirs = /a,\      a backslash at the end of a line joins the next one, its leading blanks left out
//!            /b
//! key value            `=`, `:` or a blank ends the key; `\=`, `\:`, `\ ` do not
//! \u0041 = \t\n        escapes
//! ```

/// The pairs, in order. Java refuses only a malformed `\u`, and so does this.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    for (number, line) in logical_lines(text) {
        let (key, rest) = split_key(&line);
        let unescaped = |text: &str| unescape(text).map_err(|why| format!("line {number}: {why}"));
        pairs.push((unescaped(key)?, unescaped(rest)?));
    }
    Ok(pairs)
}

/// Lines with continuations joined, without comments and empty ones; each with the number of its first natural line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let blank = |c: char| matches!(c, ' ' | '\t' | '\u{c}');
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, natural) in natural_lines(text).into_iter().enumerate() {
        let trimmed = natural.trim_start_matches(blank);
        if !open && (trimmed.is_empty() || trimmed.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = trimmed.bytes().rev().take_while(|b| *b == b'\\').count();
        let continues = backslashes % 2 == 1;
        let content = if continues { &trimmed[..trimmed.len() - 1] } else { trimmed };
        match lines.last_mut() {
            Some((_, line)) if open => line.push_str(content),
            _ => lines.push((index + 1, content.to_string())),
        }
        open = continues;
    }
    // A line that is nothing but a backslash joins nothing to nothing.
    lines.retain(|(_, line)| !line.is_empty());
    lines
}

/// Lines end with CR, LF or both.
fn natural_lines(text: &str) -> Vec<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(['\r', '\n']) {
        lines.push(&rest[..end]);
        rest = &rest[end..];
        rest = rest.strip_prefix("\r\n").unwrap_or_else(|| &rest[1..]);
    }
    lines.push(rest);
    lines
}

/// The key ends at the first blank, `=` or `:` that is not escaped; blanks around it and one `=` or `:` are left out.
fn split_key(line: &str) -> (&str, &str) {
    let blank = [' ', '\t', '\u{c}'];
    let mut escaped = false;
    let end = line
        .char_indices()
        .find(|(_, c)| {
            let ends = !escaped && (blank.contains(c) || matches!(c, '=' | ':'));
            escaped = !escaped && *c == '\\';
            ends
        })
        .map_or(line.len(), |(at, _)| at);
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(blank))
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut units: Vec<u16> = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            flush(&mut units, &mut out);
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let hex = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                let unit = u16::from_str_radix(&digits, 16).ok().filter(|_| hex);
                units.push(unit.ok_or_else(|| format!("malformed \\u{digits}; four hexadecimal digits belong there"))?);
                continue;
            }
            Some(other) => {
                flush(&mut units, &mut out);
                out.push(match other {
                    't' => '\t',
                    'n' => '\n',
                    'r' => '\r',
                    'f' => '\u{c}',
                    other => other,
                });
            }
            None => {}
        }
    }
    flush(&mut units, &mut out);
    Ok(out)
}

/// `\u` writes UTF-16: characters beyond the first 65,536 come as two.
fn flush(units: &mut Vec<u16>, out: &mut String) {
    out.push_str(&String::from_utf16_lossy(units));
    units.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each case was checked against `java.util.Properties`.
    #[test]
    fn files_are_read_as_java_reads_them() {
        for (text, pairs) in [
            ("a=b", &[("a", "b")][..]),
            ("a = b ", &[("a", "b ")]),
            ("  a\t:\tb", &[("a", "b")]),
            ("a b=c", &[("a", "b=c")]),
            ("a  =  = b", &[("a", "= b")]),
            ("a", &[("a", "")]),
            ("a=", &[("a", "")]),
            ("=b", &[("", "b")]),
            ("# x\n! y\n\n \t\na=1", &[("a", "1")]),
            ("a=1#2", &[("a", "1#2")]),
            ("a=1\\\n   2\\\n3", &[("a", "123")]),
            ("a=1\\\n# 2", &[("a", "1# 2")]),
            ("a=1\\\n\nb=2", &[("a", "1"), ("b", "2")]),
            ("a=1\\\\\nb=2", &[("a", "1\\"), ("b", "2")]),
            ("# x\\\na=1", &[("a", "1")]),
            ("a\\ b\\=c\\:d=e", &[("a b=c:d", "e")]),
            ("a=\\t\\n\\r\\f\\q\\\\", &[("a", "\t\n\r\u{c}q\\")]),
            ("\\u0061=\\u00e9\\uD83D\\uDE00", &[("a", "é😀")]),
            ("a=1\r\nb=2\rc=3", &[("a", "1"), ("b", "2"), ("c", "3")]),
            ("a=C:\\\\kafka", &[("a", "C:\\kafka")]),
            ("a=1\\", &[("a", "1")]),
            ("\\\na=1", &[("a", "1")]),
            ("a=1\na=2", &[("a", "1"), ("a", "2")]),
            ("", &[]),
        ] {
            let expected: Vec<(String, String)> = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            assert_eq!(parse(text), Ok(expected), "{text:?}");
        }
        assert_eq!(parse("x=1\na=\\u00g1"), Err("line 2: malformed \\u00g1; four hexadecimal digits belong there".to_string()));
    }
}
