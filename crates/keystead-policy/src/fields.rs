//! The values that rules can name: of typed data by their paths, of a call by their places.

use std::collections::HashMap;

use alloy_primitives::U256;
use cedar_policy::RestrictedExpression;
use keystead_base::Amount;
use keystead_intent::{Effect, Effects, TypedField, TypedValue};

use crate::vocabulary::{FIELD_NUMBER, lower_hex};

/// Values by the tags that rules name them with.
pub(crate) type Fields = HashMap<String, Field>;

/// One value, as the schema's `Field`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    text: String,
    number: i64,
}

impl Field {
    fn of(value: &TypedValue) -> Self {
        Self { text: value.to_string(), number: value.held_in_64_bits() }
    }

    /// As Cedar takes it; None where Cedar refuses a record, which two fixed names leave no way for.
    pub(crate) fn expression(self) -> RestrictedExpression {
        let pairs = [
            ("text".to_owned(), RestrictedExpression::new_string(self.text)),
            (FIELD_NUMBER.to_owned(), RestrictedExpression::new_long(self.number)),
        ];
        RestrictedExpression::new_record(pairs)
            .unwrap_or_else(|_| RestrictedExpression::new_string(String::new()))
    }
}

/// The values of an effect: those of the typed data that it stems from, and the words of its call.
pub(crate) fn of(effects: &Effects, effect: &Effect) -> Fields {
    let typed = effects.typed.iter().flat_map(|form| &form.fields);
    let named = typed.map(|TypedField { path, value }| (path.clone(), Field::of(value)));
    let word = |word: &alloy_primitives::B256| Field {
        text: lower_hex(word),
        number: TypedValue::Uint(Amount(U256::from_be_bytes(word.0))).held_in_64_bits(),
    };
    let words = effect.arguments.iter().enumerate().map(|(index, it)| (index.to_string(), word(it)));
    named.chain(words).collect()
}
