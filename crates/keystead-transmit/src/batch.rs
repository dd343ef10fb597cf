//! Many questions in one: a batch of JSON-RPC.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::endpoint::{Answer, malformed};
use crate::{Endpoint, EndpointError};

/// A method with its parameters.
pub(crate) type Question = (&'static str, Value);

/// One for each question, in their order.
pub(crate) type Answers = Vec<Result<Box<RawValue>, EndpointError>>;

impl Endpoint {
    /// Asks many questions at once, and gives each its own answer. A server that takes no batches is asked one by one.
    pub(crate) async fn ask_all(&self, questions: &[Question]) -> Result<Answers, EndpointError> {
        if let [(method, params)] = questions {
            return Ok(vec![self.ask(method, params.clone()).await]);
        }
        match self.exchange_all(questions).await {
            Err(error) if is_no_batch(&error) => Ok(self.one_by_one(questions).await),
            answered => answered,
        }
    }

    async fn exchange_all(&self, questions: &[Question]) -> Result<Answers, EndpointError> {
        let count = questions.len() as u64;
        let first = self.ids(count);
        let call = |(id, (method, params)): (u64, &Question)| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let batch: Vec<Value> = (first..).zip(questions).map(call).collect();
        parse_all(&self.post(Value::Array(batch).to_string(), self.time()).await?, first, count)
    }

    async fn one_by_one(&self, questions: &[Question]) -> Answers {
        let mut answers = Vec::new();
        for (method, params) in questions {
            answers.push(self.ask(method, params.clone()).await);
        }
        answers
    }
}

/// Whether the server answered, and not to what it was asked.
fn is_no_batch(error: &EndpointError) -> bool {
    match error {
        EndpointError::Rpc { .. } | EndpointError::Malformed { .. } => true,
        // Who is asked too much is not asked more.
        EndpointError::Status { found } => (400..500).contains(found) && *found != 429,
        _ => false,
    }
}

/// The answers come in any order; each question has exactly one.
fn parse_all(bytes: &[u8], first: u64, count: u64) -> Result<Answers, EndpointError> {
    // Whoever takes no batches says so in one answer.
    if let Ok(Answer { error: Some(failure), .. }) = serde_json::from_slice(bytes) {
        return Err(failure.into());
    }
    let answers: Vec<Answer> = serde_json::from_slice(bytes).map_err(|_| malformed())?;
    let whole = answers.len() as u64 == count;
    let mut by_id: BTreeMap<u64, Answer> = answers.into_iter().map(|it| (it.id, it)).collect();
    let found = (first..first.saturating_add(count)).map(|id| by_id.remove(&id).map(Answer::content));
    let found: Option<Answers> = found.collect();
    found.filter(|_| whole).ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_of_a_batch_has_its_own_answer() {
        let one = r#"{"id":7,"result":"0x1"}"#;
        let two = r#"{"id":8,"error":{"code":3,"message":"no"}}"#;
        let none = r#"{"id":null,"error":{"code":-32600,"message":"no batches"}}"#;
        for (text, expected) in [
            (format!("[{one},{two}]"), Ok(vec![true, false])),
            (format!("[{two},{one}]"), Ok(vec![true, false])),
            (format!("[{one}]"), Err("endpoint.malformed")),
            (format!("[{one},{one}]"), Err("endpoint.malformed")),
            (format!("[{one},{two},{two}]"), Err("endpoint.malformed")),
            (one.to_owned(), Err("endpoint.malformed")),
            (none.to_owned(), Err("endpoint.rpc")),
        ] {
            let found = parse_all(text.as_bytes(), 7, 2);
            let found = found.map(|all| all.iter().map(Result::is_ok).collect::<Vec<_>>());
            assert_eq!(found.map_err(|it| keystead_base::Coded::code(&it)), expected, "{text}");
        }
    }
}
