//! A vector of the canonical encoding: name, domain, JSON form, document and digest.

use keystead_base::{Canonical, Digest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// One value in every form.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Vector {
    /// What it shows.
    pub name: String,
    /// Its domain.
    pub domain: String,
    /// Its JSON form.
    pub json: serde_json::Value,
    /// Its document, in hex.
    pub document: String,
    /// Its digest.
    pub digest: Digest,
}

/// The vector of a value.
pub fn vector<T: Canonical + Serialize>(name: &str, value: &T) -> Vector {
    Vector {
        name: name.to_owned(),
        domain: T::DOMAIN.to_owned(),
        json: serde_json::to_value(value).expect("a JSON form"),
        document: const_hex::encode(value.to_document()),
        digest: value.digest(),
    }
}

/// Reads every vector of a domain as its type, in both directions; returns how many there are.
///
/// # Panics
///
/// When one of them is not what it says.
pub fn check<T>(vectors: &[Vector]) -> usize
where
    T: Canonical + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let ours = vectors.iter().filter(|vector| vector.domain == T::DOMAIN);
    ours.map(|vector| {
        let document = const_hex::decode(&vector.document).expect("a vector");
        let value = T::from_document(&document).expect("a vector");
        assert_eq!(value.digest(), vector.digest, "{}", vector.name);
        assert_eq!(
            serde_json::from_value::<T>(vector.json.clone()).expect("a vector"),
            value,
            "{}",
            vector.name
        );
        assert_eq!(serde_json::to_value(&value).expect("a vector"), vector.json, "{}", vector.name);
        for cut in [document.len() - 1, document.len() / 2, 1] {
            assert!(T::from_document(&document[..cut]).is_err(), "{} cut to {cut} bytes", vector.name);
        }
        assert!(T::from_document(&[]).is_err());
    })
    .count()
}
