//! The fields of a message in postcard's form: each number, byte string, tag and list, where it lies, and its name.
//!
//! Postcard does not describe itself, so the message is read as the library reads it and written again by a serializer
//! that writes the same bytes and remembers what each of them is.

pub(crate) mod changes;

use std::fmt::Display;
use std::ops::Range;

use serde::Serialize;
use serde::ser;

/// A part of a message that means something by itself.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// The names on the way to it; elements of a list share theirs.
    pub(crate) name: String,
    /// Its bytes; a list's are its length.
    pub(crate) at: Range<usize>,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// One byte: a small number, a truth, a tag of what follows.
    Byte,
    /// A number in postcard's variable length.
    Number,
    /// A byte string of a fixed length: a scalar, a point, a hash.
    Bytes,
    /// A list, with the place of each element.
    List(Vec<Range<usize>>),
}

/// The fields of a message, in the order of its bytes.
pub(crate) fn fields<T: Serialize>(message: &T, bytes: &[u8]) -> Vec<Field> {
    let mut walk = Walk::default();
    message.serialize(&mut walk).unwrap();
    assert!(walk.bytes == bytes, "what is walked is what was sent");
    let covered: usize = walk.fields.iter().map(|field| field.at.len()).sum();
    assert_eq!(covered, bytes.len(), "each byte belongs to one field");
    walk.fields
}

#[derive(Default)]
struct Walk {
    bytes: Vec<u8>,
    fields: Vec<Field>,
    names: Vec<&'static str>,
}

impl Walk {
    fn put(&mut self, bytes: &[u8], what: What) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        if !bytes.is_empty() {
            self.fields.push(Field { name: self.names.join("."), at: start..self.bytes.len(), what });
        }
    }

    fn number(&mut self, mut value: u128) {
        let mut bytes = Vec::new();
        while value > 0x7f {
            bytes.push(0x80 | u8::try_from(value & 0x7f).unwrap());
            value >>= 7;
        }
        bytes.push(u8::try_from(value).unwrap());
        self.put(&bytes, What::Number);
    }

    /// Single bytes from `first` on are one byte string.
    fn merge(&mut self, first: usize) {
        let tail = &self.fields[first..];
        if tail.len() > 1 && tail.iter().all(|field| matches!(field.what, What::Byte)) {
            let at = tail[0].at.start..self.bytes.len();
            self.fields.truncate(first);
            self.fields.push(Field { name: self.names.join("."), at, what: What::Bytes });
        }
    }

    fn list(&mut self, length: usize) -> Compound<'_> {
        let list = self.fields.len();
        self.number(length as u128);
        self.compound(Some(list))
    }

    fn compound(&mut self, list: Option<usize>) -> Compound<'_> {
        Compound { first: self.fields.len(), elements: Vec::new(), list, walk: self }
    }

    fn named<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Never> {
        self.names.push(name);
        value.serialize(&mut *self)?;
        self.names.pop();
        Ok(())
    }
}

/// A list, a tuple or a struct that is being written.
struct Compound<'a> {
    walk: &'a mut Walk,
    first: usize,
    list: Option<usize>,
    elements: Vec<Range<usize>>,
}

impl Compound<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        let start = self.walk.bytes.len();
        value.serialize(&mut *self.walk)?;
        self.elements.push(start..self.walk.bytes.len());
        Ok(())
    }

    fn close(self) -> Result<(), Never> {
        if let Some(list) = self.list {
            self.walk.fields[list].what = What::List(self.elements);
        }
        self.walk.merge(self.first);
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Never(String);

impl ser::Error for Never {
    fn custom<T: Display>(text: T) -> Self {
        Self(text.to_string())
    }
}

macro_rules! numbers {
    ($($method:ident: $number:ty),*) => {
        $(fn $method(self, value: $number) -> Result<(), Never> {
            self.number(u128::from(value));
            Ok(())
        })*
    };
}

macro_rules! never {
    ($($method:ident: $number:ty),*) => {
        $(fn $method(self, _: $number) -> Result<(), Never> {
            Err(ser::Error::custom(stringify!($method)))
        })*
    };
}

impl<'a> ser::Serializer for &'a mut Walk {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = ser::Impossible<(), Never>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    numbers!(serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);
    never!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_f32: f32,
        serialize_f64: f64, serialize_char: char);

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<(), Never> {
        self.serialize_u8(u8::from(value))
    }

    fn serialize_u8(self, value: u8) -> Result<(), Never> {
        self.put(&[value], What::Byte);
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Never> {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Never> {
        let mut list = self.list(value.len());
        value.iter().try_for_each(|byte| list.element(byte))?;
        list.close()
    }

    fn serialize_none(self) -> Result<(), Never> {
        self.serialize_u8(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Never> {
        self.put(&[1], What::Byte);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Never> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Never> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<(), Never> {
        self.serialize_u32(index)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        self.serialize_u32(index)?;
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Compound<'a>, Never> {
        Ok(self.list(length.unwrap()))
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'a>, Never> {
        Ok(self.compound(None))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Compound<'a>, Never> {
        self.serialize_tuple(length)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        length: usize,
    ) -> Result<Compound<'a>, Never> {
        self.number(u128::from(index));
        self.serialize_tuple(length)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Never> {
        Err(ser::Error::custom("a map"))
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Compound<'a>, Never> {
        self.serialize_tuple(length)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Compound<'a>, Never> {
        self.serialize_tuple_variant(name, index, variant, length)
    }
}

macro_rules! elements {
    ($($interface:ident: $method:ident),*) => {
        $(impl ser::$interface for Compound<'_> {
            type Ok = ();
            type Error = Never;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
                self.element(value)
            }

            fn end(self) -> Result<(), Never> {
                self.close()
            }
        })*
    };
}

elements!(SerializeSeq: serialize_element, SerializeTuple: serialize_element, SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field);

macro_rules! members {
    ($($interface:ident),*) => {
        $(impl ser::$interface for Compound<'_> {
            type Ok = ();
            type Error = Never;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Never> {
                self.walk.named(name, value)
            }

            fn end(self) -> Result<(), Never> {
                Ok(())
            }
        })*
    };
}

members!(SerializeStruct, SerializeStructVariant);
