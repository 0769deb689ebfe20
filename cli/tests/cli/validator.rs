//! What a schema says of an object. The schemas use a small part of JSON Schema, and this file understands just that part; a
//! keyword that it doesn't know fails the test. The tests on real nodes use this file, too.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// Where the schemas are, from any crate of the workspace.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("cli").join("schemas")
}

/// A schema by its name.
pub(crate) fn schema(name: &str) -> Value {
    let path = folder().join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Every way in which a value is not what a schema says.
fn faults(value: &Value, schema: &Value, root: &Value, at: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (keyword, rule) in schema.as_object().unwrap() {
        let holds = match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" | "additionalProperties" | "contentEncoding" => true,
            "type" => match rule {
                Value::Array(types) => types.iter().any(|kind| is_of(value, kind)),
                kind => is_of(value, kind),
            },
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()),
            "maximum" => value.as_i64().is_none_or(|number| number <= rule.as_i64().unwrap()),
            "pattern" => value.as_str().is_none_or(|text| matches(text, rule.as_str().unwrap())),
            "required" => {
                rule.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some() || value.is_null())
            }
            "properties" => {
                for (key, rule) in rule.as_object().unwrap() {
                    if let Some(inner) = value.get(key) {
                        faults.extend(self::faults(inner, rule, root, &format!("{at}.{key}")));
                    }
                }
                true
            }
            "items" => {
                for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
                    faults.extend(self::faults(inner, rule, root, &format!("{at}[{index}]")));
                }
                true
            }
            "$ref" => {
                let target = root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap();
                faults.extend(self::faults(value, target, root, at));
                true
            }
            "allOf" => {
                for branch in rule.as_array().unwrap() {
                    if self::faults(value, &branch["if"], root, at).is_empty() {
                        faults.extend(self::faults(value, &branch["then"], root, at));
                    }
                }
                true
            }
            other => panic!("the keyword {other} is not known to this test"),
        };
        if !holds {
            faults.push(format!("{at}: {keyword} {rule} does not hold for {value}"));
        }
    }
    faults
}

fn is_of(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not known to this test"),
    }
}

/// The six patterns that the schemas use.
fn matches(text: &str, pattern: &str) -> bool {
    match pattern {
        "^[0-9a-f]{64}$" => text.len() == 64 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')),
        "^@[a-z2-7]{52}$" => {
            let digits = text.strip_prefix('@').unwrap_or_default();
            digits.len() == 52 && digits.chars().all(|c| matches!(c, 'a'..='z' | '2'..='7'))
        }
        "^roda:[a-z2-7]+$" => text
            .strip_prefix("roda:")
            .is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| matches!(c, 'a'..='z' | '2'..='7'))),
        "^(forever|[0-9]+d|[0-9]+(GiB|MiB|KiB|B))$" => {
            let units = ["d", "GiB", "MiB", "KiB", "B"];
            let is_number = |digits: &str| !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
            text == "forever" || units.iter().any(|unit| text.strip_suffix(unit).is_some_and(is_number))
        }
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" => {
            let is_right = |(place, letter): (usize, char)| match place {
                4 | 7 => letter == '-',
                _ => letter.is_ascii_digit(),
            };
            text.len() == 10 && text.char_indices().all(is_right)
        }
        "^https?://" => text.starts_with("http://") || text.starts_with("https://"),
        "/p2p/" => text.contains("/p2p/"),
        other => panic!("the pattern {other} is not known to this test"),
    }
}

/// Fails unless every line is an object that the schema allows, and there is one.
pub(crate) fn assert_holds(lines: &str, name: &str) {
    let schema = schema(name);
    assert!(!lines.trim().is_empty(), "{name}: nothing was printed");
    for line in lines.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
        assert_eq!(faults(&value, &schema, &schema, name), Vec::<String>::new());
    }
}
