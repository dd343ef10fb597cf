//! The values of a document as a flat list: what rules name and people read.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use keystead_base::Amount;
use keystead_intent::{MAX_TYPED_FIELDS, MAX_TYPED_VALUE_BYTES, TypedField, TypedValue};

use super::schema::{Base, Schema};
use super::value::Value;

/// Every value of a struct, in the order of its types. None where there are more than
/// [`MAX_TYPED_FIELDS`]: a list with gaps would let a rule believe that it saw everything.
pub(crate) fn flatten(schema: &Schema, primary: &str, value: &Value) -> Option<Vec<TypedField>> {
    let mut list = List { schema, fields: Vec::new() };
    list.structure(primary, value, "")?;
    Some(list.fields)
}

struct List<'s> {
    schema: &'s Schema,
    fields: Vec<TypedField>,
}

impl List<'_> {
    fn structure(&mut self, name: &str, value: &Value, path: &str) -> Option<()> {
        let fields = self.schema.fields(name).ok()?;
        for (field, value) in fields.iter().zip(value.items()?) {
            let dot = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{dot}{}", field.name);
            self.value(&field.kind.base, &field.kind.dimensions, value, path)?;
        }
        Some(())
    }

    fn value(
        &mut self,
        base: &Base,
        dimensions: &[Option<usize>],
        value: &Value,
        path: String,
    ) -> Option<()> {
        match (dimensions.split_last(), base) {
            (Some((_, inner)), _) => self.list(base, inner, value, &path),
            (None, Base::Struct(name)) => self.structure(name, value, &path),
            (None, base) => self.add(path, atom(base, value)?),
        }
    }

    fn list(&mut self, base: &Base, inner: &[Option<usize>], value: &Value, path: &str) -> Option<()> {
        let items = value.items()?;
        self.add(format!("{path}.length"), TypedValue::Uint(Amount(U256::from(items.len()))))?;
        let mut items = items.iter().enumerate();
        items.try_for_each(|(index, item)| self.value(base, inner, item, format!("{path}[{index}]")))
    }

    fn add(&mut self, path: String, value: TypedValue) -> Option<()> {
        if self.fields.len() >= MAX_TYPED_FIELDS {
            return None;
        }
        self.fields.push(TypedField { path, value });
        Some(())
    }
}

fn atom(base: &Base, value: &Value) -> Option<TypedValue> {
    Some(match (base, value) {
        (Base::Bool, Value::Word(word)) => TypedValue::Bool(*word != B256::ZERO),
        (Base::Address, Value::Word(word)) => TypedValue::Address(Address::from_word(*word)),
        (Base::Uint(_), Value::Word(word)) => TypedValue::Uint(Amount(U256::from_be_bytes(word.0))),
        (Base::Int(_), Value::Word(word)) => TypedValue::Int(*word),
        (Base::FixedBytes(length), Value::Word(word)) => {
            TypedValue::Bytes(Bytes::copy_from_slice(word.get(..*length)?))
        }
        (Base::Bytes, Value::Bytes(bytes)) if bytes.len() > MAX_TYPED_VALUE_BYTES => {
            TypedValue::Hashed(keccak256(bytes))
        }
        (Base::Bytes, Value::Bytes(bytes)) => TypedValue::Bytes(Bytes::copy_from_slice(bytes)),
        (Base::Text, Value::Text(text)) if text.len() > MAX_TYPED_VALUE_BYTES => {
            TypedValue::Hashed(keccak256(text))
        }
        (Base::Text, Value::Text(text)) => TypedValue::Text(text.clone()),
        _ => return None,
    })
}
