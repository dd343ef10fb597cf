//! The file as the standard's schemas have it, versions 1 and 2: unknown keys are errors.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// A whole file, after what it includes was merged into it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    #[serde(rename = "$schema")]
    pub(crate) schema: String,
    #[serde(rename = "$comment")]
    _comment: Option<String>,
    pub(crate) context: Option<Context>,
    #[serde(default)]
    pub(crate) metadata: Metadata,
    pub(crate) display: Display,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    #[serde(rename = "$id")]
    _id: Option<String>,
    pub(crate) contract: Option<Contract>,
    pub(crate) eip712: Option<Eip712>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contract {
    pub(crate) abi: Option<Value>,
    #[serde(default)]
    pub(crate) deployments: Vec<Deployment>,
    /// Which contracts a factory made only a chain can tell: such a file is bound by its deployments alone.
    #[serde(rename = "factory")]
    _factory: Option<Factory>,
    #[serde(rename = "addressMatcher")]
    _address_matcher: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Factory {
    #[serde(rename = "deployments")]
    _deployments: Vec<Deployment>,
    #[serde(rename = "deployEvent")]
    _deploy_event: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Deployment {
    pub(crate) chain_id: u64,
    pub(crate) address: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Eip712 {
    pub(crate) schemas: Option<Value>,
    #[serde(default)]
    pub(crate) domain: Domain,
    pub(crate) domain_separator: Option<String>,
    #[serde(default)]
    pub(crate) deployments: Vec<Deployment>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Domain {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) chain_id: Option<u64>,
    pub(crate) verifying_contract: Option<String>,
    pub(crate) salt: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) owner: Option<String>,
    pub(crate) contract_name: Option<String>,
    #[serde(rename = "info")]
    _info: Option<Info>,
    pub(crate) token: Option<Token>,
    #[serde(default)]
    pub(crate) constants: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) enums: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) maps: BTreeMap<String, KeyedValues>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Info {
    #[serde(rename = "url")]
    _url: Option<String>,
    #[serde(rename = "legalName")]
    _legal_name: Option<String>,
    #[serde(rename = "deploymentDate")]
    _deployment_date: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    #[serde(rename = "name")]
    _name: String,
    pub(crate) ticker: String,
    pub(crate) decimals: u8,
}

/// One of `metadata.maps`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyedValues {
    #[serde(rename = "$keyType")]
    _key_type: Option<String>,
    pub(crate) values: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Display {
    #[serde(default)]
    pub(crate) definitions: BTreeMap<String, Field>,
    pub(crate) formats: BTreeMap<String, Format>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Format {
    #[serde(rename = "$id")]
    _id: Option<String>,
    pub(crate) intent: Option<Intent>,
    pub(crate) interpolated_intent: Option<String>,
    #[serde(default)]
    pub(crate) fields: Vec<Field>,
    pub(crate) required: Option<Vec<String>>,
    pub(crate) excluded: Option<Vec<String>>,
    pub(crate) screens: Option<Value>,
}

/// A sentence, or labels with sentences.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Intent {
    Sentence(String),
    Labeled(BTreeMap<String, String>),
}

/// A field, a reference to a definition, or a group of fields: told apart by the keys that each alone has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    #[serde(rename = "$id")]
    pub(crate) _id: Option<String>,
    #[serde(rename = "$ref")]
    pub(crate) reference: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) value: Option<Value>,
    pub(crate) label: Option<String>,
    pub(crate) format: Option<String>,
    pub(crate) params: Option<Map<String, Value>>,
    pub(crate) visible: Option<Visible>,
    pub(crate) separator: Option<String>,
    pub(crate) encryption: Option<Encryption>,
    pub(crate) iteration: Option<Iteration>,
    pub(crate) fields: Option<Vec<Field>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Visible {
    Word(VisibleWord),
    Rule(VisibleRule),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum VisibleWord {
    Always,
    Optional,
    Never,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct VisibleRule {
    pub(crate) if_not_in: Option<Vec<Value>>,
    pub(crate) must_match: Option<Vec<Value>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Encryption {
    #[serde(rename = "scheme")]
    _scheme: String,
    #[serde(rename = "plaintextType")]
    _plaintext_type: Option<String>,
    pub(crate) fallback_label: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Iteration {
    Sequential,
    Bundled,
}
