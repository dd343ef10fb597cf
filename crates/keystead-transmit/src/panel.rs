//! All endpoints asked at once, and their answers brought together.

use std::time::Duration;

use keystead_base::Name;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::agreement::{Tally, reached};
use crate::{Endpoint, EndpointError, Quorum, Unknown};

/// The endpoints and how many of them must agree.
#[derive(Clone)]
pub(crate) struct Panel<E = Endpoint> {
    pub(crate) endpoints: Vec<E>,
    pub(crate) quorum: Quorum,
}

/// Something with a name in the configuration.
pub(crate) trait Named {
    fn name(&self) -> &Name;
}

impl Panel {
    /// What enough endpoints answer to one question.
    pub(crate) async fn believe<T: PartialEq + Send + 'static>(
        &self,
        method: &'static str,
        params: Value,
        parse: impl Fn(&RawValue) -> Result<T, EndpointError> + Copy + Send + Sync + 'static,
    ) -> Result<T, Unknown> {
        self.agree(method, self.each(method, params, parse)).await
    }

    /// The greatest number that enough endpoints have reached.
    pub(crate) async fn height(
        &self,
        method: &'static str,
        params: Value,
        parse: impl Fn(&RawValue) -> Result<u64, EndpointError> + Copy + Send + Sync + 'static,
    ) -> Result<u64, Unknown> {
        self.highest(method, self.each(method, params, parse)).await
    }

    fn each<T: Send + 'static>(
        &self,
        method: &'static str,
        params: Value,
        parse: impl Fn(&RawValue) -> Result<T, EndpointError> + Copy + Send + Sync + 'static,
    ) -> Asked<T> {
        self.spread(move |endpoint| {
            let params = params.clone();
            async move { parse(&endpoint.ask(method, params).await?) }
        })
    }
}

impl<E: Clone + Named> Panel<E> {
    /// What enough endpoints found.
    pub(crate) async fn agree<T: PartialEq + 'static>(
        &self,
        question: &'static str,
        mut asked: Asked<T>,
    ) -> Result<T, Unknown> {
        let mut tally = Tally::new(self.quorum);
        while let Some((name, answer)) = next(&mut asked, false).await {
            if let Some(believed) = tally.add(name, answer) {
                return Ok(believed);
            }
        }
        Err(tally.unknown(question))
    }

    /// The greatest number that enough endpoints have reached.
    pub(crate) async fn highest(
        &self,
        question: &'static str,
        mut asked: Asked<u64>,
    ) -> Result<u64, Unknown> {
        let (mut heights, mut failures) = (Vec::new(), Tally::new(self.quorum));
        while let Some((name, answer)) = next(&mut asked, heights.len() >= self.quorum.agree()).await {
            match answer {
                Ok(height) => heights.push(height),
                Err(error) => drop(failures.add(name, Err::<u64, _>(error))),
            }
        }
        reached(self.quorum, &heights).ok_or_else(|| failures.unknown(question))
    }

    /// Sets every endpoint to work at once.
    pub(crate) fn spread<T, F>(&self, ask: impl Fn(E) -> F) -> Asked<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, EndpointError>> + Send + 'static,
    {
        let mut asked = JoinSet::new();
        for endpoint in &self.endpoints {
            let (name, work) = (endpoint.name().clone(), ask(endpoint.clone()));
            asked.spawn(async move { (name, work.await) });
        }
        asked
    }
}

pub(crate) type Asked<T> = JoinSet<(Name, Result<T, EndpointError>)>;

/// The next answer; once there are enough, a silent endpoint is waited for no longer than [`GRACE`].
pub(crate) async fn next<T: 'static>(
    asked: &mut Asked<T>,
    enough: bool,
) -> Option<(Name, Result<T, EndpointError>)> {
    match enough {
        true => timeout(GRACE, answered(asked)).await.ok()?,
        false => answered(asked).await,
    }
}

/// A task that panicked answers nothing.
async fn answered<T: 'static>(asked: &mut Asked<T>) -> Option<(Name, Result<T, EndpointError>)> {
    loop {
        match asked.join_next().await? {
            Ok(answer) => return Some(answer),
            Err(_) => continue,
        }
    }
}

const GRACE: Duration = Duration::from_millis(500);
