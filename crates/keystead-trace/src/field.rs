//! All that a span may say, beside its name and its times.

use keystead_base::RequestId;

/// What a span may say. INVARIANT K1: whoever adds a field here adds something that leaves the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The request in the log.
    Request(RequestId),
    /// How it came out, as a word of a closed set.
    Outcome(&'static str),
    /// The chain's id.
    Chain(u64),
    /// The block of the log.
    Height(u64),
    /// The number of the policy version.
    Policy(u64),
    /// The method of HTTP.
    HttpMethod(&'static str),
    /// The route of HTTP as the router has it, not as it was called.
    Route(String),
    /// The status of HTTP.
    Status(u16),
    /// The method of JSON-RPC, one of our own table.
    RpcMethod(&'static str),
}

/// A value as OpenTelemetry has them.
pub(crate) enum Value {
    Text(String),
    Whole(u64),
}

impl Field {
    /// The name by OpenTelemetry's conventions where they have one, and the value.
    pub(crate) fn attribute(&self) -> (&'static str, Value) {
        match self {
            Self::Request(id) => ("keystead.request", Value::Text(id.to_string())),
            Self::Outcome(word) => ("keystead.outcome", Value::Text((*word).to_owned())),
            Self::Chain(id) => ("keystead.chain", Value::Whole(*id)),
            Self::Height(height) => ("keystead.height", Value::Whole(*height)),
            Self::Policy(number) => ("keystead.policy", Value::Whole(*number)),
            Self::HttpMethod(word) => ("http.request.method", Value::Text((*word).to_owned())),
            Self::Route(route) => ("http.route", Value::Text(route.clone())),
            Self::Status(status) => ("http.response.status_code", Value::Whole((*status).into())),
            Self::RpcMethod(word) => ("rpc.method", Value::Text((*word).to_owned())),
        }
    }
}

/// A stable code as it is told: short and plain, or not at all.
pub(crate) fn plain_code(code: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_');
    match code.len() <= MAX_CODE_BYTES && code.bytes().all(plain) {
        true => code.to_owned(),
        false => "other".to_owned(),
    }
}

const MAX_CODE_BYTES: usize = 64;
