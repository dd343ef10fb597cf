//! JSON without ambiguity: no key twice, no number that is not an exact integer.

use std::fmt;

use keystead_base::{Blame, Coded};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// A JSON value whose keys keep their order and occur once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// Any integer that fits; JSON numbers are for small ones, strings for the rest.
    Integer(i128),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Parses a whole text.
    pub(crate) fn parse(text: &str) -> Result<Self, TypedDataError> {
        serde_json::from_str(text).map_err(|error| TypedDataError::Json { reason: error.to_string() })
    }

    /// The object's members, if they are exactly those of `names`, in the order of `names`.
    pub(crate) fn members<'j>(
        &'j self,
        place: &str,
        names: &[&str],
    ) -> Result<Vec<&'j Self>, TypedDataError> {
        let object = self.object(place)?;
        if let Some((name, _)) = object.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            return Err(TypedDataError::UnknownField { place: place.into(), field: name.clone() });
        }
        let find = |name: &&str| {
            let found = object.iter().find(|(key, _)| key == name).map(|(_, value)| value);
            found.ok_or_else(|| TypedDataError::MissingField { place: place.into(), field: (*name).into() })
        };
        names.iter().map(find).collect()
    }

    pub(crate) fn object(&self, place: &str) -> Result<&[(String, Self)], TypedDataError> {
        match self {
            Self::Object(members) => Ok(members),
            _ => Err(TypedDataError::value(place, "an object")),
        }
    }

    pub(crate) fn list(&self, place: &str) -> Result<&[Self], TypedDataError> {
        match self {
            Self::List(items) => Ok(items),
            _ => Err(TypedDataError::value(place, "a list")),
        }
    }

    pub(crate) fn text(&self, place: &str) -> Result<&str, TypedDataError> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(TypedDataError::value(place, "a string")),
        }
    }
}

/// A JSON text in which no key occurs twice and every number is an exact integer.
///
/// # Errors
///
/// [`TypedDataError::Json`] says what it is instead.
pub fn strict_json(text: &str) -> Result<serde_json::Value, TypedDataError> {
    Json::parse(text).map(serde_json::Value::from)
}

impl From<Json> for serde_json::Value {
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            // Whatever is an integer here was one of 64 bits in the text.
            Json::Integer(number) => match (u64::try_from(number), i64::try_from(number)) {
                (Ok(number), _) => Self::from(number),
                (_, Ok(number)) => Self::from(number),
                _ => Self::Null,
            },
            Json::Text(text) => Self::String(text),
            Json::List(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            Json::Object(members) => {
                Self::Object(members.into_iter().map(|(key, value)| (key, Self::from(value))).collect())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with exact integers")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Json, E> {
        Err(E::custom("a number is an integer below 2^64; write larger ones as strings"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some((name, value)) = access.next_entry::<String, Json>()? {
            if members.len() >= MAX_MEMBERS {
                return Err(A::Error::custom("an object has too many members"));
            }
            if members.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format!("the key {name:?} occurs twice")));
            }
            members.push((name, value));
        }
        Ok(Json::Object(members))
    }
}

/// The most members of one object.
const MAX_MEMBERS: usize = 256;

/// Why typed data is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypedDataError {
    /// The text is not JSON, or ambiguous JSON.
    #[error("the typed data is not unambiguous JSON: {reason}")]
    Json {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// A field that the type does not have.
    #[error("{place} has no field {field:?}")]
    UnknownField {
        /// Where.
        place: String,
        /// Which.
        field: String,
    },
    /// A field of the type that is not there.
    #[error("{place} lacks the field {field:?}")]
    MissingField {
        /// Where.
        place: String,
        /// Which.
        field: String,
    },
    /// A value that is not of its type.
    #[error("{place} is not {expected}")]
    Value {
        /// Where.
        place: String,
        /// What it should be.
        expected: String,
    },
    /// A name or a type that EIP-712 does not have.
    #[error("{found:?} is not {expected} (EIP-712)")]
    Type {
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// More of something than is read.
    #[error("typed data has at most {limit} {what}")]
    TooMany {
        /// The limit.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
    /// Types that the primary type does not reach.
    #[error("the type {name:?} is not part of the primary type")]
    UnusedType {
        /// Its name.
        name: String,
    },
    /// The declared domain type is not that of the domain's fields.
    #[error("the domain's type is not that of its fields, in the order of EIP-712")]
    DomainType,
}

impl TypedDataError {
    pub(crate) fn value(place: &str, expected: impl Into<String>) -> Self {
        Self::Value { place: place.into(), expected: expected.into() }
    }
}

impl Coded for TypedDataError {
    fn code(&self) -> &'static str {
        match self {
            Self::Json { .. } => "typed_data.json",
            Self::UnknownField { .. } => "typed_data.unknown_field",
            Self::MissingField { .. } => "typed_data.missing_field",
            Self::Value { .. } => "typed_data.value",
            Self::Type { .. } => "typed_data.type",
            Self::TooMany { .. } => "typed_data.too_many",
            Self::UnusedType { .. } => "typed_data.unused_type",
            Self::DomainType => "typed_data.domain_type",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}
