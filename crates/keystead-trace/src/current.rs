//! Of which span what runs here is a part: kept beside a task, so that no function between two spans knows of them.

use keystead_wire::TraceContext;

tokio::task_local! {
    static CURRENT: Option<TraceContext>;
}

/// The place in a trace of whatever runs here.
#[must_use]
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|it| *it).unwrap_or_default()
}

/// Runs as a part of this place in a trace.
pub async fn within<F: Future>(context: Option<TraceContext>, part: F) -> F::Output {
    CURRENT.scope(context, part).await
}
