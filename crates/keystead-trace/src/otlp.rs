//! Spans as OTLP has them on HTTP: `ExportTraceServiceRequest` of `opentelemetry.proto.collector.trace.v1`, in Protocol Buffers.
//!
//! Seven message types are written here, and none is read; a library would bring a code generator and an HTTP stack beside ours.
//! The tests read what is written with the specification's own types.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::field::Value;
use crate::tracer::Finished;
use crate::{Kind, Resource};

/// The media type of what [`request`] gives.
pub(crate) const PROTOBUF: &str = "application/x-protobuf";

/// The spans of one process.
pub(crate) fn request(resource: &Resource, spans: &[Finished]) -> Vec<u8> {
    let mut scoped = Message::default();
    scoped.message(1, Message::default().text(1, "keystead").text(2, resource.version));
    for it in spans {
        scoped.message(2, &span(it));
    }
    let mut of_resource = Message::default();
    of_resource.message(1, &described(resource));
    of_resource.message(2, &scoped);
    let mut request = Message::default();
    request.message(1, &of_resource);
    request.0
}

fn described(resource: &Resource) -> Message {
    let mut message = Message::default();
    for (name, text) in [
        ("service.namespace", "keystead"),
        ("service.name", resource.service),
        ("service.instance.id", resource.instance.as_str()),
        ("service.version", resource.version),
        ("keystead.cluster", &resource.cluster.to_string()),
    ] {
        message.message(1, &attribute(name, &Value::Text(text.to_owned())));
    }
    message
}

fn span(it: &Finished) -> Message {
    let mut message = Message::default();
    message.bytes(1, &it.context.trace()).bytes(2, &it.context.span());
    if let Some(parent) = it.parent {
        message.bytes(4, &parent);
    }
    message.text(5, &it.name).whole(6, kind(it.kind));
    message.fixed(7, nanos(it.start)).fixed(8, nanos(it.end));
    for field in &it.fields {
        let (name, value) = field.attribute();
        message.message(9, &attribute(name, &value));
    }
    if let Some(code) = &it.failed {
        message.message(9, &attribute("error.type", &Value::Text(code.clone())));
        message.message(15, Message::default().text(2, code).whole(3, STATUS_ERROR));
    }
    message
}

fn attribute(name: &str, value: &Value) -> Message {
    let mut any = Message::default();
    match value {
        Value::Text(text) => any.text(1, text),
        Value::Whole(number) => any.whole(3, *number),
    };
    let mut message = Message::default();
    message.text(1, name).message(2, &any);
    message
}

fn kind(kind: Kind) -> u64 {
    match kind {
        Kind::Internal => 1,
        Kind::Server => 2,
        Kind::Client => 3,
    }
}

/// A clock before 1970 reads as 1970.
fn nanos(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A message of Protocol Buffers under way: fields by their numbers, each with its wire type.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    fn whole(&mut self, field: u64, number: u64) -> &mut Self {
        self.varint(field << 3);
        self.varint(number);
        self
    }

    fn fixed(&mut self, field: u64, number: u64) -> &mut Self {
        self.varint(field << 3 | 1);
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) -> &mut Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(&mut self, field: u64, text: &str) -> &mut Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(&mut self, field: u64, inner: &Message) -> &mut Self {
        self.bytes(field, &inner.0)
    }
}

const STATUS_ERROR: u64 = 2;
