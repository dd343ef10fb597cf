//! Lists in pages: so many at once, and from where on.

use keystead_base::RequestId;
use serde_json::{Value, json};

use crate::rest::problem::Problem;

/// The most of one page.
pub(crate) const MAX_LIMIT: usize = 100;
const DEFAULT_LIMIT: usize = 50;

/// What a caller wants of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// At most so many, from 1 to [`MAX_LIMIT`].
    pub(crate) limit: usize,
    /// The `next` of the page before.
    pub(crate) cursor: Option<String>,
}

impl Page {
    /// Reads a query. What is not known is an error, like everywhere.
    pub(crate) fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut page = Self { limit: DEFAULT_LIMIT, cursor: None };
        let mut seen = Vec::new();
        for (name, value) in pairs(query) {
            if seen.contains(&name) {
                return Err(refused(&format!("`{name}` stands twice")));
            }
            seen.push(name);
            match name {
                "limit" => page.limit = limit(value)?,
                "cursor" if is_plain(value) => page.cursor = Some(value.to_owned()),
                "cursor" => return Err(refused("a cursor is the `next` of the page before")),
                _ => return Err(refused("a list takes `limit` and `cursor`, and nothing else")),
            }
        }
        Ok(page)
    }

    /// The cursor as a number.
    pub(crate) fn number(&self) -> Result<Option<u64>, Problem> {
        let cursor = self.cursor.as_deref().map(str::parse).transpose();
        cursor.map_err(|_| refused("a cursor is the `next` of the page before"))
    }

    /// The cursor as the id of a request.
    pub(crate) fn request(&self) -> Result<Option<RequestId>, Problem> {
        let cursor = self.cursor.as_deref().map(str::parse).transpose();
        cursor.map_err(|_| refused("a cursor is the `next` of the page before"))
    }
}

/// A query that takes nothing.
pub(crate) fn nothing(query: Option<&str>) -> Result<(), Problem> {
    match pairs(query).next() {
        None => Ok(()),
        Some(_) => Err(refused("this route takes no query")),
    }
}

/// One page as it goes out; `next` is null at the end.
pub(crate) fn page(items: Vec<Value>, next: Option<String>) -> Value {
    json!({"items": items, "next": next})
}

fn pairs(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

fn limit(value: &str) -> Result<usize, Problem> {
    let digits = value.bytes().all(|it| it.is_ascii_digit());
    match value.parse() {
        Ok(limit) if digits && (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        _ => Err(refused(&format!("`limit` is a number from 1 to {MAX_LIMIT}"))),
    }
}

/// Cursors are ids, numbers and names: nothing in them is ever escaped.
fn is_plain(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&value.len()) && value.bytes().all(plain)
}

fn refused(detail: &str) -> Problem {
    Problem::bad_request("http.query", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_whole_or_refused() {
        let read = |query: &str| Page::read(Some(query)).ok().map(|page| (page.limit, page.cursor));
        assert_eq!(Page::read(None).ok().map(|page| page.limit), Some(DEFAULT_LIMIT));
        assert_eq!(read("limit=7&cursor=hot-1"), Some((7, Some("hot-1".to_owned()))));
        for query in [
            "limit=0",
            "limit=101",
            "limit=+7",
            "limit",
            "cursor=",
            "cursor=%20",
            "colour=1",
            "limit=1&limit=1",
        ] {
            assert_eq!(read(query), None, "{query}");
        }
        assert!(nothing(None).is_ok() && nothing(Some("")).is_ok() && nothing(Some("x")).is_err());
    }
}
