//! `includes`: files of one set merged into one, the including file first.

use std::cell::RefCell;

use serde_json::{Map, Value};

use crate::DescriptorError;
use crate::descriptor::object;

/// How far files may include one another.
const MAX_INCLUDES: usize = 4;

/// Merges what a file includes into it; `set` finds a file of the same set by its name, and nothing is fetched.
pub(crate) fn resolve(
    mut file: Map<String, Value>,
    set: &dyn Fn(&str) -> Option<Map<String, Value>>,
) -> Result<Map<String, Value>, DescriptorError> {
    for _ in 0..=MAX_INCLUDES {
        let Some(included) = file.remove("includes") else { return Ok(file) };
        let found = included.as_str().map_or_else(|| included.to_string(), str::to_owned);
        let missing = || DescriptorError::Include { found: found.clone() };
        let name = included.as_str().map(|it| it.strip_prefix("./").unwrap_or(it)).ok_or_else(missing)?;
        let base = set(name).ok_or_else(missing)?;
        file = match merge(Value::Object(base), Value::Object(file)) {
            Value::Object(merged) => merged,
            _ => return Err(missing()),
        };
    }
    Err(DescriptorError::TooMany { limit: MAX_INCLUDES, what: "files that include one another" })
}

/// A file with everything that it includes, as one that stands alone. `read` gives the text under a name as it stands in
/// the file that includes it; names of further files stand in what it gave last.
///
/// # Errors
///
/// [`DescriptorError`]: one of the texts is no object in strict JSON, `read` has none, or they include one another too deep.
pub fn join(text: &str, read: &dyn Fn(&str) -> Option<String>) -> Result<String, DescriptorError> {
    let wrong = RefCell::new(None);
    let parsed = |name: &str| object(&read(name)?).map_err(|error| wrong.replace(Some(error))).ok();
    let merged = resolve(object(text)?, &parsed).map_err(|error| wrong.take().unwrap_or(error))?;
    Ok(format!("{:#}\n", Value::Object(merged)))
}

/// The including file's value where both have one; fields are merged by their path.
fn merge(base: Value, over: Value) -> Value {
    match (base, over) {
        (Value::Object(mut base), Value::Object(over)) => {
            for (key, value) in over {
                let merged = match (key.as_str(), base.remove(&key)) {
                    (_, None) => value,
                    ("fields", Some(Value::Array(old))) => fields(old, value),
                    (_, Some(old)) => merge(old, value),
                };
                base.insert(key, merged);
            }
            Value::Object(base)
        }
        (_, over) => over,
    }
}

fn fields(mut base: Vec<Value>, over: Value) -> Value {
    let Value::Array(over) = over else { return over };
    for field in over {
        let path = field.get("path").cloned();
        match base.iter_mut().find(|it| path.is_some() && it.get("path") == path.as_ref()) {
            Some(known) => *known = merge(known.take(), field),
            None => base.push(field),
        }
    }
    Value::Array(base)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other}"),
        }
    }

    /// The standard's own example: a generic `approve`, and a token with another threshold.
    #[test]
    fn the_including_file_comes_first() {
        let base = json!({"display": {"formats": {"approve(address spender,uint256 value)": {
        "intent": "Approve",
        "fields": [
            {"path": "spender", "label": "Spender", "format": "addressName"},
            {"path": "value", "label": "Amount", "format": "tokenAmount",
             "params": {"tokenPath": "@.to", "threshold": "0x80"}},
        ]}}}});
        let over = json!({"includes": "./erc20.json", "context": {"contract": {}},
        "display": {"formats": {"approve(address spender,uint256 value)": {
            "fields": [
                {"path": "value", "params": {"threshold": "0xff"}},
                {"path": "@.value", "label": "Coins", "format": "amount"},
            ]}}}});
        let set = |name: &str| (name == "erc20.json").then(|| members(base.clone()));
        let merged = Value::Object(resolve(members(over), &set).unwrap());
        let format = &merged["display"]["formats"]["approve(address spender,uint256 value)"];
        assert_eq!(format["intent"], "Approve");
        assert_eq!(
            format["fields"],
            json!([
                {"path": "spender", "label": "Spender", "format": "addressName"},
                {"path": "value", "label": "Amount", "format": "tokenAmount",
                 "params": {"tokenPath": "@.to", "threshold": "0xff"}},
                {"path": "@.value", "label": "Coins", "format": "amount"},
            ])
        );
        assert!(merged.get("includes").is_none());
    }

    #[test]
    fn joined_files_stand_alone_and_say_which_text_is_wrong() {
        let files = |name: &str| match name {
            "../common.json" => {
                Some(r#"{"includes": "tokens.json", "metadata": {"owner": "Us"}}"#.to_owned())
            }
            "tokens.json" => Some(r#"{"metadata": {"owner": "Them", "info": {}}}"#.to_owned()),
            "twice.json" => Some(r#"{"a": 1, "a": 2}"#.to_owned()),
            _ => None,
        };
        let joined = join(r#"{"includes": "../common.json", "display": {}}"#, &files).unwrap();
        let joined: Value = serde_json::from_str(&joined).unwrap();
        assert_eq!(joined, json!({"metadata": {"owner": "Us", "info": {}}, "display": {}}));
        let wrong = |name: &str| join(&json!({"includes": name}).to_string(), &files).unwrap_err();
        assert!(matches!(wrong("twice.json"), DescriptorError::Json { .. }), "{}", wrong("twice.json"));
        assert!(matches!(wrong("gone.json"), DescriptorError::Include { .. }), "{}", wrong("gone.json"));
    }

    #[test]
    fn nothing_outside_the_set_is_included_and_no_circle_closes() {
        let includes = |name: &str| members(json!({"includes": name}));
        for name in ["../other.json", "https://example.org/erc20.json", "/etc/passwd"] {
            let refused = resolve(includes(name), &|_| None);
            assert!(matches!(refused, Err(DescriptorError::Include { .. })), "{name}");
        }
        let circle = resolve(includes("a.json"), &|_| Some(includes("a.json")));
        assert!(matches!(circle, Err(DescriptorError::TooMany { .. })));
    }
}
