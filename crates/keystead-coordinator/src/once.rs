//! The keys by which callers ask again without asking twice (draft-ietf-httpapi-idempotency-key-header-07).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use alloy_primitives::{B256, keccak256};
use keystead_base::{Digest, RequestId};
use serde_json::{Value, json};

/// The header's name.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The longest key.
pub const MAX_KEY_BYTES: usize = 128;

/// A key that came with an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads the header's value: a string in quotes as the draft has it (RFC 9651), or the same without.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let bare = value.trim();
        let inner = bare.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(bare);
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        let fits = (1..=MAX_KEY_BYTES).contains(&inner.len()) && inner.bytes().all(plain);
        fits.then(|| Self(inner.to_owned()))
    }

    /// The key itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of one call of a batch: each call is a request of its own.
    pub(crate) fn of_call(&self, place: usize) -> Self {
        Self(format!("{} {place}", self.0))
    }

    /// The key of one caller: others have keys of their own. A quotation mark stands in no key and in no name.
    pub(crate) fn of_caller(&self, caller: &str) -> Self {
        if caller.is_empty() { self.clone() } else { Self(format!("{caller}\"{}", self.0)) }
    }

    /// The key, bound to what is asked under it.
    pub(crate) fn once(&self, method: &str, params: &Value) -> Once {
        let asked = keccak256(json!([method, params]).to_string());
        Once { key: self.0.clone(), asked: Digest(asked.0) }
    }
}

/// A key and the digest of what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Once {
    pub(crate) key: String,
    pub(crate) asked: Digest,
}

/// Which request came of a call without a key that is the same whenever it comes: of a restart forgotten, like all of it.
#[derive(Default)]
pub(crate) struct Repeats(Mutex<Ages>);

/// What was asked for lately, and what before that: the older half is forgotten when the younger one is full.
#[derive(Default)]
struct Ages {
    young: HashMap<B256, RequestId>,
    old: HashMap<B256, RequestId>,
}

impl Repeats {
    /// What is asked for again is as new.
    pub(crate) fn get(&self, call: &B256) -> Option<RequestId> {
        let mut ages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(request) = ages.old.remove(call) {
            ages.put(*call, request);
        }
        ages.young.get(call).copied()
    }

    pub(crate) fn put(&self, call: B256, request: RequestId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(call, request);
    }
}

impl Ages {
    fn put(&mut self, call: B256, request: RequestId) {
        self.old.remove(&call);
        if self.young.len() >= MAX_REPEATS / 2 && !self.young.contains_key(&call) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(call, request);
    }
}

/// The requests that are on their way to the node right now.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<RequestId, usize>>);

/// One of them; its drop ends it, also when its caller hangs up.
pub(crate) struct Flight<'a> {
    flights: &'a Flights,
    request: RequestId,
}

impl Flights {
    pub(crate) fn begin(&self, request: RequestId) -> Flight<'_> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let flying = flights.entry(request).or_default();
        *flying = flying.saturating_add(1);
        drop(flights);
        Flight { flights: self, request }
    }

    pub(crate) fn holds(&self, request: &RequestId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(request)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut flights = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = flights.get(&self.request).map_or(0, |flying| flying.saturating_sub(1));
        match left {
            0 => flights.remove(&self.request),
            left => flights.insert(self.request, left),
        };
    }
}

/// Calls that are known again; beyond it those that nobody asked for lately are forgotten.
const MAX_REPEATS: usize = 65_536;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_key_is_a_short_plain_string() {
        for (value, found) in [
            ("\"8e03978e-40d5\"", Some("8e03978e-40d5")),
            ("8e03978e-40d5", Some("8e03978e-40d5")),
            ("\"\"", None),
            ("", None),
            ("two words", None),
            ("\"open", None),
            ("a\\b", None),
        ] {
            let expected = found.map(|it| IdempotencyKey(it.to_owned()));
            assert_eq!(IdempotencyKey::parse(value), expected, "{value}");
        }
        assert_eq!(IdempotencyKey::parse(&"x".repeat(MAX_KEY_BYTES + 1)), None);
    }

    #[test]
    fn s05_what_is_asked_for_again_is_known_again_however_much_is_asked_beside_it() {
        let (repeats, request) = (Repeats::default(), RequestId(Digest([7; 32])));
        let call = |number: usize| B256::left_padding_from(&number.to_be_bytes());
        repeats.put(call(0), request);
        for number in 1..=2 * MAX_REPEATS {
            repeats.put(call(number), RequestId(Digest::ZERO));
            if number % 1000 == 0 {
                assert_eq!(repeats.get(&call(0)), Some(request), "after {number} others");
            }
        }
        let ages = repeats.0.lock().unwrap();
        assert!(ages.young.len() + ages.old.len() <= MAX_REPEATS);
        assert!(!ages.young.contains_key(&call(1)) && !ages.old.contains_key(&call(1)), "nobody asked again");
    }

    #[test]
    fn a04_each_caller_has_keys_of_its_own() {
        let key = |text: &str| IdempotencyKey(text.to_owned());
        assert_eq!(key("a").of_caller(""), key("a"), "whoever may do everything has no name");
        let keys = [
            key("a"),
            key("a").of_caller("bot"),
            key("a").of_caller("cat"),
            key("a").of_call(0),
            key("a").of_caller("bot").of_call(0),
            key("0").of_caller("a"),
        ];
        let distinct: HashSet<String> = keys.iter().map(|it| it.0.clone()).collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn a_key_is_bound_to_what_was_asked() {
        let key = IdempotencyKey("a".to_owned());
        let once = |method: &str, params: Value| key.once(method, &params);
        assert_eq!(once("m", json!([1])), once("m", json!([1])));
        assert_ne!(once("m", json!([1])).asked, once("m", json!([2])).asked);
        assert_ne!(once("m", json!([1])).asked, once("n", json!([1])).asked);
        assert_ne!(key.of_call(0), key.of_call(1));
    }
}
