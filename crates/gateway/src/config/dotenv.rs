//! The syntax of `.env` files: `NAME=value`, an optional `export`, quotes, comments.

use std::{collections::BTreeMap, path::Path};

use super::faults::Faults;

/// The variables in a file such as `.env`.
pub(crate) fn read(path: &Path, faults: &mut Faults) -> BTreeMap<String, String> {
    read_some(path, faults, |_| true)
}

/// The variables with names that are `wanted` in a file such as `.env`. Lines that name none of them may be anything.
pub(crate) fn read_some(
    path: &Path,
    faults: &mut Faults,
    wanted: impl Fn(&str) -> bool,
) -> BTreeMap<String, String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            faults.add(
                "--env-file",
                format!("{} cannot be read: {error}", path.display()),
            );
            return BTreeMap::new();
        }
    };
    let (values, problems) = parse(&text, wanted);
    for problem in problems {
        faults.add(path.display().to_string(), problem);
    }
    values
}

/// Reads the lines of a file's text that are `wanted` by what stands before `=`. The second part of the answer says what could not be
/// read, without showing values.
fn parse(text: &str, wanted: impl Fn(&str) -> bool) -> (BTreeMap<String, String>, Vec<String>) {
    let (mut values, mut faults) = (BTreeMap::new(), Vec::new());
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if !wanted(before_value(line)) {
            continue;
        }
        match entry(line) {
            Ok(None) => {}
            Ok(Some((name, value))) => {
                values.insert(name.to_owned(), value);
            }
            Err(problem) => faults.push(format!("line {}: {problem}", number + 1)),
        }
    }
    (values, faults)
}

fn entry(line: &str) -> Result<Option<(&str, String)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, rest) = without_export(line).split_once('=').ok_or("there is no \"=\"")?;
    let name = name.trim_end();
    let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if !fits {
        return Err("what stands before \"=\" is not the name of a variable");
    }
    Ok(Some((name, value(rest)?)))
}

fn without_export(line: &str) -> &str {
    line.strip_prefix("export")
        .filter(|rest| rest.starts_with([' ', '\t']))
        .map_or(line, str::trim_start)
}

/// The name in a line that has one.
fn before_value(line: &str) -> &str {
    let line = without_export(line.trim());
    line.split_once('=').map_or(line, |(name, _)| name).trim_end()
}

fn value(rest: &str) -> Result<String, &'static str> {
    let trimmed = rest.trim_start();
    let (value, after) = match trimmed.chars().next() {
        Some('\'') => trimmed[1..]
            .split_once('\'')
            .map(|(value, after)| (value.to_owned(), after))
            .ok_or("a quote is not closed")?,
        Some('"') => double_quoted(&trimmed[1..]).ok_or("a quote is not closed")?,
        _ => return Ok(bare(rest)),
    };
    let after = after.trim();
    if after.is_empty() || after.starts_with('#') {
        Ok(value)
    } else {
        Err("something follows the closing quote")
    }
}

/// A value without quotes: it ends where a comment begins, which needs a space in front of its `#`.
fn bare(rest: &str) -> String {
    let mut before = '=';
    let end = rest.char_indices().find_map(|(index, c)| {
        let comment = c == '#' && before.is_whitespace();
        before = c;
        comment.then_some(index)
    });
    rest[..end.unwrap_or(rest.len())].trim().to_owned()
}

/// A value in double quotes, with `\"`, `\\`, `\$` and `\n`; and what follows it.
fn double_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                c @ ('"' | '\\' | '$') => value.push(c),
                c => value.extend(['\\', c]),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> String {
        let (mut values, faults) = parse(line, |_| true);
        assert_eq!(faults, Vec::<String>::new(), "{line}");
        values.pop_first().unwrap().1
    }

    #[test]
    fn quotes_comments_and_export_are_read_as_a_shell_would() {
        for (line, value) in [
            ("A=RS256  # or HS256", "RS256"),
            (
                "A=user1,user2,user3  # or '*' for any GitHub user",
                "user1,user2,user3",
            ),
            ("A=1800      # 30 minutes", "1800"),
            ("A=31536000 # 1 year", "31536000"),
            ("A=a#b", "a#b"),
            ("A=#b", "#b"),
            ("A='*'", "*"),
            ("A='a # b' # c", "a # b"),
            ("A=\"a \\\"b\\\" \\\\ \\n\"", "a \"b\" \\ \n"),
            ("export A=\"x\"  # y", "x"),
            ("  export\tA = x ", "x"),
            ("A=", ""),
            ("A= # nothing", ""),
            ("A=007", "007"),
            ("A=a=b==", "a=b=="),
        ] {
            assert_eq!(one(line), value, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_line_and_not_shown() {
        let text = "A=1\nhunter2\n# fine\n\nB='hunter2\nC='x'hunter2\n1D=x\nE=2\n";
        let (values, faults) = parse(text, |_| true);
        assert_eq!(values.len(), 2);
        assert_eq!(faults.len(), 4);
        assert!(faults[0].starts_with("line 2: "));
        assert!(faults.iter().all(|f| !f.contains("hunter2")));
    }

    #[test]
    fn lines_that_are_not_wanted_may_be_anything() {
        let text = "KEY='first\nsecond'\nhunter2\nexport A=1\nB='x\n";
        let (values, faults) = parse(text, |name| ["A", "B"].contains(&name));
        assert_eq!(values, BTreeMap::from([("A".to_owned(), "1".to_owned())]));
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with("line 5: "), "{faults:?}");
    }
}
