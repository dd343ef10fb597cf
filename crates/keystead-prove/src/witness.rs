//! A request that refutes: found by the solver, shown without what says nothing.

use cedar_policy_symcc::Env;
use serde::Serialize;
use serde_json::{Map, Value};

/// A request that does what should not be possible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// Who asks, as Cedar writes it.
    pub principal: String,
    /// What for.
    pub action: String,
    /// With which key, or of the cluster.
    pub resource: String,
    /// What the rules and the property see of it: what is empty, zero or false is left out.
    pub context: Map<String, Value>,
}

impl Witness {
    pub(crate) fn of(found: &Env) -> Self {
        let request = &found.request;
        let text = |uid: Option<&cedar_policy::EntityUid>| uid.map(ToString::to_string).unwrap_or_default();
        let context = request.context().and_then(|context| context.to_json_value().ok());
        let context = match context {
            Some(Value::Object(attributes)) => telling(attributes),
            _ => Map::new(),
        };
        Self {
            principal: text(request.principal()),
            action: text(request.action()),
            resource: text(request.resource()),
            context,
        }
    }

    /// One line for each attribute.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let head = [
            format!("principal: {}", self.principal),
            format!("action: {}", self.action),
            format!("resource: {}", self.resource),
        ];
        head.into_iter().chain(self.context.iter().map(|(name, value)| format!("{name}: {value}"))).collect()
    }
}

fn telling(attributes: Map<String, Value>) -> Map<String, Value> {
    attributes.into_iter().filter_map(|(name, value)| Some((name, worth_telling(value)?))).collect()
}

fn worth_telling(value: Value) -> Option<Value> {
    match value {
        Value::Object(inner) if inner.contains_key("__entity") => None,
        Value::Object(inner) => Some(telling(inner)).filter(|it| !it.is_empty()).map(Value::Object),
        Value::Null | Value::Bool(false) => None,
        Value::Number(number) if number.as_i64() == Some(0) => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(items) if items.is_empty() => None,
        told => Some(told),
    }
}
