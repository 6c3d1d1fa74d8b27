//! `json` behind a `show` that has no such form in HAProxy: its text, translated.
//!
//! Three shapes cover all of them. A table (`# name,name` or `# name name` and rows) becomes a list of objects; lines
//! `name: value`, `name = value` or `name=value` become one object; anything else becomes a list of lines.

use serde_json::{Map, Value};

/// The translation, with a newline.
#[must_use]
pub(super) fn of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let value = table(&lines).or_else(|| object(&lines)).unwrap_or_else(|| list(&lines));
    format!("{value}\n")
}

fn list(lines: &[&str]) -> Value {
    lines.iter().map(|line| Value::from(line.trim_end())).collect()
}

/// A number if it is written as one, so that it reads back the same.
fn scalar(text: &str) -> Value {
    let text = text.trim();
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => number.into(),
        _ => text.into(),
    }
}

fn table(lines: &[&str]) -> Option<Value> {
    // A number of the format may stand before the header (`show servers state`).
    let head = lines.iter().take(2).position(|line| line.starts_with("# "))?;
    let header = lines[head].trim_start_matches("# ");
    let comma = header.contains(',');
    let split = |line: &str| -> Vec<String> {
        if comma {
            line.split(',').map(|cell| cell.trim().to_owned()).collect()
        } else {
            line.split_ascii_whitespace().map(str::to_owned).collect()
        }
    };
    let names = split(header);
    let rows = lines[head + 1..].iter().filter(|line| !line.starts_with('#'));
    let row = |line: &&str| {
        let mut cells = split(line);
        if cells.len() > names.len() && !comma {
            // The last column may hold blanks.
            let rest = cells.split_off(names.len() - 1).join(" ");
            cells.push(rest);
        }
        let pairs = names.iter().zip(&cells).filter(|(name, _)| !name.is_empty());
        Value::Object(pairs.map(|(name, cell)| (name.clone(), scalar(cell))).collect())
    };
    Some(rows.map(row).collect())
}

fn object(lines: &[&str]) -> Option<Value> {
    let pair = |line: &&str| {
        let at = line.find([':', '='])?;
        let (name, value) = (line[..at].trim(), &line[at + 1..]);
        let named = !name.is_empty() && !name.contains(char::is_whitespace);
        named.then(|| (name.to_owned(), scalar(value)))
    };
    let pairs: Option<Vec<(String, Value)>> = lines.iter().map(pair).collect();
    let pairs = pairs.filter(|pairs| !pairs.is_empty())?;
    let count = pairs.len();
    let map: Map<String, Value> = pairs.into_iter().collect();
    // The same name twice is a list of things, not one.
    (map.len() == count).then_some(Value::Object(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_has_its_form() {
        assert_eq!(of("# name\nfe\nbe\n"), "[{\"name\":\"fe\"},{\"name\":\"be\"}]\n");
        assert_eq!(of("1\n# id a b\n7 x y z\n"), "[{\"a\":\"x\",\"b\":\"y z\",\"id\":7}]\n");
        assert_eq!(of("A=1\nB=x=y\n"), "{\"A\":1,\"B\":\"x=y\"}\n");
        assert_eq!(of("one two\n\nthree\n"), "[\"one two\",\"three\"]\n");
        assert_eq!(of("v: 007\n"), "{\"v\":\"007\"}\n");
        assert_eq!(of(""), "[]\n");
    }
}
