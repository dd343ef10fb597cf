//! `includes`: files of one set merged into one, the including file first.

use serde_json::{Map, Value};

use crate::DescriptorError;

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

    fn object(value: Value) -> Map<String, Value> {
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
        let set = |name: &str| (name == "erc20.json").then(|| object(base.clone()));
        let merged = Value::Object(resolve(object(over), &set).unwrap());
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
    fn nothing_outside_the_set_is_included_and_no_circle_closes() {
        let includes = |name: &str| object(json!({"includes": name}));
        for name in ["../other.json", "https://example.org/erc20.json", "/etc/passwd"] {
            let refused = resolve(includes(name), &|_| None);
            assert!(matches!(refused, Err(DescriptorError::Include { .. })), "{name}");
        }
        let circle = resolve(includes("a.json"), &|_| Some(includes("a.json")));
        assert!(matches!(circle, Err(DescriptorError::TooMany { .. })));
    }
}
