//! What is dropped and counted, and what nobody is told.

use std::sync::Arc;
use std::time::SystemTime;

use keystead_base::{ClusterId, Digest};
use keystead_transmit::Roots;
use keystead_wire::TraceContext;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::*;

fn resource() -> Resource {
    let instance = "node-1".parse().unwrap();
    Resource { service: "keystead-node", instance, version: "0", cluster: ClusterId(Digest::ZERO) }
}

fn tracer(url: &str) -> Tracer {
    Tracer::to(Collector::new(url, Vec::new(), &Roots::System).unwrap(), resource())
}

async fn until(tracer: &Tracer, is: impl Fn(Counted) -> bool) {
    while !is(tracer.counted()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn without_a_collector_there_is_no_span() {
    let off = Tracer::default();
    let span = off.span("a", Kind::Server, TraceContext::new([1; 16], [2; 8], true));
    assert_eq!((span.context(), off.is_on(), off.counted()), (None, false, Counted::default()));
    assert_eq!(span.around(async { current() }).await, None);
}

#[tokio::test]
async fn a_part_is_a_part_of_whatever_runs_around_it() {
    let tracer = tracer("http://127.0.0.1:1");
    let parent = TraceContext::new([1; 16], [2; 8], false).unwrap();
    let span = tracer.span("outer", Kind::Server, Some(parent));
    let outer = span.context().unwrap();
    assert_eq!((outer.trace(), outer.is_sampled()), (parent.trace(), false));
    let inner =
        span.around(async { tracer.span("inner", Kind::Internal, current()).context() }).await.unwrap();
    assert!(inner.trace() == outer.trace() && inner.span() != outer.span());
    assert_eq!(current(), None);
    drop(span);
    assert_eq!(tracer.counted(), Counted::default(), "its caller wants nobody to be told");
}

/// Nothing waits: this test is one thread, on which the collector's task does not run meanwhile.
#[tokio::test]
async fn what_a_collector_does_not_take_is_dropped_and_counted() {
    let tracer = tracer("http://127.0.0.1:1");
    let more = 7;
    for _ in 0..MAX_WAITING_SPANS + more {
        drop(tracer.span("a", Kind::Server, None));
    }
    assert_eq!(tracer.counted().dropped, more as u64);
    until(&tracer, |it| it.dropped > more as u64).await;
    assert_eq!(tracer.counted().sent, 0);
}

#[tokio::test]
async fn k01_a_span_says_what_its_fields_say_and_its_codes_are_plain() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tracer = tracer(&format!("http://{}/", listener.local_addr().unwrap()));
    let secret = "hunter2 hunter2";
    let mut span = tracer.span("a", Kind::Client, None);
    span.fail(secret);
    let context = span.context().unwrap();
    let now = SystemTime::now();
    let past = |failed: &str| Past {
        name: "b",
        kind: Kind::Internal,
        start: now,
        end: now,
        fields: vec![Field::Chain(300)],
        failed: Some(failed.to_owned()),
    };
    tracer.tell(context, past(&"x".repeat(65)));
    tracer.tell(context, past("light.expired"));
    drop(span);
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut said = Vec::new();
    let holds = |said: &[u8], part: &[u8]| said.windows(part.len()).any(|it| it == part);
    while !holds(&said, b"light.expired") {
        assert!(socket.read_buf(&mut said).await.unwrap() > 0);
    }
    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    assert!(said.starts_with(b"POST /v1/traces HTTP/1.1\r\n"));
    assert!(holds(&said, &context.trace()) && holds(&said, b"other"));
    assert!(!holds(&said, secret.as_bytes()) && !holds(&said, &[b'x'; 65]));
    until(&tracer, |it| it.sent == 3).await;
}

#[tokio::test]
async fn a_collector_elsewhere_is_spoken_to_in_tls_alone() {
    let courier = |url: &str| Collector::new(url, Vec::new(), &Roots::System).map(Arc::new).is_ok();
    assert!(courier("http://127.0.0.1:4318") && courier("https://collector.example"));
    assert!(!courier("collector") && !courier("grpc://127.0.0.1:4317"));
    let tracer = tracer("http://192.0.2.1:4318");
    drop(tracer.span("a", Kind::Server, None));
    until(&tracer, |it| it.dropped == 1).await;
}
