//! Errors of HTTP: RFC 9457 problem details with the stable code that scripts match on.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use keystead_base::Coded as _;
use keystead_wire::NodeCallError;
use serde_json::{Map, Value, json};

use crate::RequestError;

/// Why something was not done.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: String,
    detail: String,
    more: Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), detail: detail.into(), more: Map::new() }
    }

    pub(crate) fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub(crate) fn unknown(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// Says more, under a name of its own.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = self.more;
        let kind = format!("urn:keystead:error:{}", self.code);
        let title = self.status.canonical_reason().unwrap_or("Error");
        for (name, value) in [
            ("type", json!(kind)),
            ("title", json!(title)),
            ("status", json!(self.status.as_u16())),
            ("detail", json!(self.detail)),
            ("code", json!(self.code)),
            // The form that this port had first.
            ("error", json!({"code": self.code, "message": self.detail})),
        ] {
            body.insert(name.to_owned(), value);
        }
        let kind = [(CONTENT_TYPE, "application/problem+json")];
        (self.status, kind, Value::Object(body).to_string()).into_response()
    }
}

/// A node that does not take what it was asked is the caller's affair; one that does not answer is not.
impl From<NodeCallError> for Problem {
    fn from(error: NodeCallError) -> Self {
        match &error {
            NodeCallError::Refused(refused) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "request.refused", refused.to_string())
                    .with("refusal", refused.code.clone())
            }
            NodeCallError::Wire(_) | NodeCallError::Reply(_) | NodeCallError::Unexpected { .. } => {
                Self::new(StatusCode::BAD_GATEWAY, "request.node", error.to_string())
            }
        }
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        let (code, detail) = (error.code(), error.to_string());
        match error {
            RequestError::Node(error) => error.into(),
            RequestError::Refused(refused) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).with("refusal", refused.code)
            }
            RequestError::KeyReused { request } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).with("request", json!(request))
            }
            RequestError::Intent(_)
            | RequestError::Denied { .. }
            | RequestError::Unsignable { .. }
            | RequestError::Ended { .. }
            | RequestError::FeeCap { .. }
            | RequestError::NoChain => Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail),
            RequestError::Waiting { .. } | RequestError::Unsigned { .. } | RequestError::Busy => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
            }
            RequestError::Share => Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail),
            RequestError::Chain(_) | RequestError::Broadcast { .. } => {
                Self::new(StatusCode::BAD_GATEWAY, code, detail)
            }
            RequestError::Key(_) | RequestError::Environment(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, detail)
            }
        }
    }
}
