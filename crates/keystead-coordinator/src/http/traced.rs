//! A request of HTTP as part of a trace: its caller's (W3C Trace Context), or one of its own.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use keystead_trace::{Field, Kind};
use keystead_wire::TraceContext;

use super::Served;
use crate::caller::{Need, need};

/// What is asked is a part of the caller's trace. A header that is none is ignored, as the standard has it.
pub(super) async fn traced(State(served): State<Served>, request: Request, next: Next) -> Response {
    let tracer = served.coordinator.inner.tracer();
    let (method, path) = (word(request.method()), request.uri().path());
    if !tracer.is_on() || path == "/metrics" || need(request.method(), path) == Need::Nothing {
        return next.run(request).await;
    }
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let parent = traceparent(request.headers());
    let mut span = tracer.span(format!("{method} {route}"), Kind::Server, parent);
    span.say(Field::HttpMethod(method));
    span.say(Field::Route(route));
    let response = span.around(next.run(request)).await;
    span.say(Field::Status(response.status().as_u16()));
    if response.status().is_server_error() {
        span.fail("http.server");
    }
    response
}

/// Of two nobody knows which is meant.
fn traceparent(headers: &HeaderMap) -> Option<TraceContext> {
    let mut found = headers.get_all("traceparent").iter();
    match (found.next(), found.next()) {
        (Some(only), None) => only.to_str().ok().and_then(TraceContext::from_traceparent),
        _ => None,
    }
}

/// A method as one of a closed set: callers choose any word.
fn word(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|it| *it == method.as_str()).unwrap_or("_OTHER")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_traceparent_is_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("traceparent", value.parse().unwrap());
            }
            traceparent(&headers).map(|it| it.to_string())
        };
        assert_eq!(read(&[good]).as_deref(), Some(good));
        for values in [&[][..], &[good, good], &["", good], &["00-0-0-0"], &["é"]] {
            assert_eq!(read(values), None, "{values:?}");
        }
    }
}
