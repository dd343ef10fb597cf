//! Texts with places for values: `{name}`.

/// Puts the values in their places. A value is never read for places of its own.
pub(crate) fn fill(text: &str, values: &[(&'static str, &str)]) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('{') {
        said.push_str(before);
        let Some((name, after)) = from.split_once('}') else { break };
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => said.push_str(value),
            None => said.push_str(name),
        }
        rest = after;
    }
    said + rest
}

/// The values that a text has places for; none where a brace is left open.
#[cfg(test)]
pub(crate) fn values_of(text: &str) -> Option<std::collections::BTreeSet<&str>> {
    let mut names = std::collections::BTreeSet::new();
    let mut rest = text;
    while let Some((_, from)) = rest.split_once('{') {
        let (name, after) = from.split_once('}')?;
        names.insert(name);
        rest = after;
    }
    (!rest.contains('}')).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_never_read_for_places_of_its_own() {
        let values = [("a", "{b} {"), ("b", "2")];
        assert_eq!(fill("{a} and {b}: {c}", &values), "{b} { and 2: c");
        assert_eq!(values_of("{b} of {a}, {b}"), Some(["a", "b"].into()));
        assert_eq!((values_of("{a"), values_of("a}")), (None, None));
    }
}
