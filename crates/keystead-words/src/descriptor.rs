//! A descriptor: what it is bound to, and how it shows each function and message.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use keystead_base::{Digest, tagged_hash};
use keystead_chain::typed_data::{self, Document};
use keystead_intent::ChainId;
use serde_json::{Map, Value as Json};

use crate::field::{
    Field, Format, Leaf, MAX_LABEL_BYTES, MAX_SENTENCE_BYTES, Reader, Subject, Visible, parse_address, plain,
};
use crate::file::{self, File, Intent};
use crate::kind::{Function, MessageType};
use crate::path::Path;
use crate::template::Template;
use crate::{DescriptorError, include};

/// The most bytes of one descriptor.
pub const MAX_DESCRIPTOR_BYTES: usize = 512 * 1024;
/// The most functions or messages of one descriptor.
const MAX_FORMATS: usize = 192;
/// The most fields of one function or message.
const MAX_FIELDS: usize = 128;
/// The most deployments of one descriptor.
const MAX_DEPLOYMENTS: usize = 1024;
/// The domain of a descriptor's digest.
const DIGEST_DOMAIN: &str = "keystead/descriptor/v1";

/// What a signed policy names a descriptor by: a hash of its bytes as they are.
#[must_use]
pub fn descriptor_digest(bytes: &[u8]) -> Digest {
    tagged_hash(DIGEST_DOMAIN, bytes)
}

/// A descriptor that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    binding: Binding,
    pub(crate) title: String,
    pub(crate) token: Option<Token>,
    calls: BTreeMap<[u8; 4], (Function, Shown)>,
    messages: BTreeMap<String, (MessageType, Shown)>,
}

/// The token that the bound contract is, where the file says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) ticker: String,
    pub(crate) decimals: u8,
}

/// How one function or message is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// A sentence, or labels with sentences.
    pub(crate) intent: Vec<(Option<String>, String)>,
    /// The text of a template that parses.
    pub(crate) sentence: Option<String>,
    pub(crate) fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Binding {
    deployments: Vec<(ChainId, Address)>,
    /// What the domain of typed data has to say; none for a contract.
    domain: Option<Domain>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Domain {
    name: Option<String>,
    version: Option<String>,
    chain: Option<u64>,
    contract: Option<Address>,
    separator: Option<B256>,
}

/// The versions of the standard that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Descriptor {
    /// Parses a file that stands alone.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`] names the first thing that is not as the standard has it.
    pub fn parse(text: &str) -> Result<Self, DescriptorError> {
        Self::parse_in(text, &|_| None)
    }

    /// Parses a file of a set.
    pub(crate) fn parse_in(
        text: &str,
        set: &dyn Fn(&str) -> Option<Map<String, Json>>,
    ) -> Result<Self, DescriptorError> {
        let merged = include::resolve(object(text)?, set)?;
        let file: File = serde_json::from_value(Json::Object(merged))
            .map_err(|error| DescriptorError::Shape { reason: error.to_string() })?;
        Self::read(&file)
    }

    fn read(file: &File) -> Result<Self, DescriptorError> {
        let version = version(&file.schema)?;
        let context = file.context.as_ref().ok_or(DescriptorError::Unbound)?;
        let reader = Reader { metadata: &file.metadata, definitions: &file.display.definitions };
        if file.display.formats.len() > MAX_FORMATS {
            return Err(DescriptorError::TooMany { limit: MAX_FORMATS, what: "functions or messages" });
        }
        let (mut calls, mut messages) = (BTreeMap::new(), BTreeMap::new());
        for (key, format) in &file.display.formats {
            let shown = shown(&reader, format, version)?;
            let twice = match (&context.contract, &context.eip712) {
                (Some(contract), None) => {
                    let function = function(key, contract.abi.as_ref(), version)?;
                    calls.insert(function.selector, (function, shown)).is_some()
                }
                (None, Some(eip712)) => {
                    let text = message_type(key, eip712.schemas.as_ref(), version)?;
                    messages.insert(text.clone(), (MessageType::parse(&text)?, shown)).is_some()
                }
                _ => return Err(DescriptorError::Unbound),
            };
            if twice {
                return Err(DescriptorError::Twice { found: key.clone() });
            }
        }
        let (binding, title, token) = (binding(context)?, title(&file.metadata)?, token(&file.metadata)?);
        Ok(Self { binding, title, token, calls, messages })
    }

    /// How it shows a call of this function.
    pub(crate) fn call(&self, selector: [u8; 4]) -> Option<(&Function, &Shown)> {
        self.calls.get(&selector).map(|(function, shown)| (function, shown))
    }

    /// How it shows this message.
    pub(crate) fn message(&self, document: &Document) -> Option<(&MessageType, &Shown)> {
        self.messages.get(document.encode_type()).map(|(kind, shown)| (kind, shown))
    }

    /// Whether its deployments name the contract.
    pub(crate) fn is_deployed_at(&self, chain: ChainId, address: Address) -> bool {
        self.binding.deployments.contains(&(chain, address))
    }

    /// Whether a domain says all that the file wants it to say, deployments left out.
    pub(crate) fn admits(&self, domain: &typed_data::Domain) -> bool {
        let Some(bound) = &self.binding.domain else { return false };
        let same = |ours: &Option<String>, theirs: &Option<String>| ours.is_none() || ours == theirs;
        let chain = bound.chain.is_none_or(|it| domain.chain_id == Some(alloy_primitives::U256::from(it)));
        let contract = bound.contract.is_none_or(|it| domain.verifying_contract == Some(it));
        let separator = bound.separator.is_none_or(|it| domain.separator() == it);
        same(&bound.name, &domain.name)
            && same(&bound.version, &domain.version)
            && chain
            && contract
            && separator
    }

    /// Whether the domain binds the message to a contract of its own, without deployments.
    pub(crate) fn names_its_verifier(&self) -> bool {
        self.binding.domain.as_ref().is_some_and(|it| it.contract.is_some() || it.separator.is_some())
    }

    /// What the contract is called, and by whom it is.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The contracts that it is deployed at.
    pub fn deployments(&self) -> impl Iterator<Item = (ChainId, Address)> {
        self.binding.deployments.iter().copied()
    }

    /// The functions and messages that it shows, as their selectors and hashes are made of them.
    pub fn described(&self) -> impl Iterator<Item = &str> {
        let calls = self.calls.values().map(|(function, _)| function.signature.as_str());
        calls.chain(self.messages.keys().map(String::as_str))
    }

    /// Every sentence and label that it has, as it is written.
    #[cfg(test)]
    pub(crate) fn texts(&self) -> Vec<String> {
        let shown = self.calls.values().map(|it| &it.1).chain(self.messages.values().map(|it| &it.1));
        let mut texts = Vec::new();
        for it in shown {
            texts.extend(it.intent.iter().flat_map(|(label, text)| label.iter().chain([text])).cloned());
            texts.extend(it.sentence.clone());
            it.fields.iter().for_each(|field| field_texts(field, &mut texts));
        }
        texts
    }
}

#[cfg(test)]
fn field_texts(field: &Field, texts: &mut Vec<String>) {
    match field {
        Field::One(leaf) => {
            texts.push(leaf.label.clone());
            match &leaf.format {
                Format::Enumeration(list) => texts.extend(list.values().cloned()),
                Format::TokenAmount(it) if it.threshold.is_some() => texts.push(it.message.clone()),
                _ => {}
            }
        }
        Field::Group(group) => {
            texts.extend(group.label.clone());
            group.fields.iter().for_each(|it| field_texts(it, texts));
        }
    }
}

/// The members of a JSON text that can be read in one way only.
pub(crate) fn object(text: &str) -> Result<Map<String, Json>, DescriptorError> {
    if text.len() > MAX_DESCRIPTOR_BYTES {
        return Err(DescriptorError::TooLong { limit: MAX_DESCRIPTOR_BYTES, found: text.len() });
    }
    match typed_data::strict_json(text) {
        Ok(Json::Object(members)) => Ok(members),
        Ok(_) => Err(DescriptorError::Shape { reason: "expected an object".to_owned() }),
        Err(error) => Err(DescriptorError::Json { reason: error.to_string() }),
    }
}

/// The version is that of the schema's file, as the standard's table of released versions names them.
fn version(schema: &str) -> Result<Version, DescriptorError> {
    match schema.rsplit('/').next() {
        Some("erc7730-v1.schema.json") => Ok(Version::One),
        Some("erc7730-v2.schema.json") => Ok(Version::Two),
        _ => Err(DescriptorError::Version { found: schema.chars().take(MAX_LABEL_BYTES).collect() }),
    }
}

fn shown(reader: &Reader<'_>, format: &file::Format, version: Version) -> Result<Shown, DescriptorError> {
    let first = format.required.is_some() || format.excluded.is_some() || format.screens.is_some();
    if first && version == Version::Two {
        return Err(DescriptorError::ForeignPart { part: "`required`, `excluded` or `screens`" });
    }
    let mut fields = reader.fields(&format.fields, &[], 0)?;
    for path in format.excluded.iter().flatten() {
        fields.push(Field::One(Box::new(left_out(path)?)));
    }
    format.required.iter().flatten().try_for_each(|path| Path::parse(path, &[]).map(drop))?;
    if fields.iter().map(count).sum::<usize>() > MAX_FIELDS {
        return Err(DescriptorError::TooMany {
            limit: MAX_FIELDS,
            what: "fields of one function or message",
        });
    }
    let sentence = format.interpolated_intent.as_deref();
    let sentence = sentence.map(|it| plain(it, MAX_SENTENCE_BYTES)).transpose()?;
    sentence.as_deref().map(Template::parse).transpose()?;
    Ok(Shown { intent: intent(format.intent.as_ref())?, sentence, fields })
}

fn left_out(path: &str) -> Result<Leaf, DescriptorError> {
    Ok(Leaf {
        subject: Subject::Path(Path::parse(path, &[])?),
        label: plain(path, MAX_LABEL_BYTES)?,
        format: Format::Raw,
        visible: Visible::Never,
        separator: None,
        encrypted: None,
    })
}

fn count(field: &Field) -> usize {
    match field {
        Field::One(_) => 1,
        Field::Group(group) => group.fields.iter().map(count).sum(),
    }
}

fn intent(intent: Option<&Intent>) -> Result<Vec<(Option<String>, String)>, DescriptorError> {
    match intent {
        None => Ok(Vec::new()),
        Some(Intent::Sentence(text)) => Ok(vec![(None, plain(text, MAX_SENTENCE_BYTES)?)]),
        Some(Intent::Labeled(lines)) => {
            let line = |(label, text): (&String, &String)| {
                Ok((Some(plain(label, MAX_LABEL_BYTES)?), plain(text, MAX_SENTENCE_BYTES)?))
            };
            lines.iter().map(line).collect()
        }
    }
}

/// Version 1 may leave names to an ABI that is part of the file.
fn function(key: &str, abi: Option<&Json>, version: Version) -> Result<Function, DescriptorError> {
    let bad = || DescriptorError::Signature { found: key.chars().take(MAX_LABEL_BYTES).collect() };
    let parsed = Function::parse(key);
    match (parsed, version) {
        (Ok(function), _) if function.is_named() => Ok(function),
        (parsed, Version::One) => {
            let entries = abi.and_then(Json::as_array).ok_or_else(bad)?.iter().filter_map(abi_function);
            let wanted = |it: &Function| match &parsed {
                Ok(function) => function.selector == it.selector,
                Err(_) => key == const_hex::encode_prefixed(it.selector),
            };
            entries.into_iter().find(wanted).filter(Function::is_named).ok_or_else(bad)
        }
        (_, Version::Two) => Err(bad()),
    }
}

/// An entry of an ABI in JSON as the standard would write it.
fn abi_function(entry: &Json) -> Option<Function> {
    let name =
        entry.get("name")?.as_str().filter(|_| entry.get("type").is_some_and(|it| it == "function"))?;
    Function::parse(&format!("{name}{}", abi_parts(entry.get("inputs")?, 0)?)).ok()
}

fn abi_parts(parts: &Json, depth: usize) -> Option<String> {
    let one = |part: &Json| {
        let (kind, name) = (part.get("type")?.as_str()?, part.get("name")?.as_str()?);
        match kind.strip_prefix("tuple") {
            Some(lists) if depth < 8 => Some(format!(
                "{}{lists} {name}",
                abi_parts(part.get("components")?, depth.saturating_add(1))?
            )),
            Some(_) => None,
            None => Some(format!("{kind} {name}")),
        }
    };
    let parts: Option<Vec<String>> = parts.as_array()?.iter().map(one).collect();
    Some(format!("({})", parts?.join(",")))
}

/// Version 1 may name the primary type of a schema that is part of the file.
fn message_type(key: &str, schemas: Option<&Json>, version: Version) -> Result<String, DescriptorError> {
    let bad = || DescriptorError::Signature { found: key.chars().take(MAX_LABEL_BYTES).collect() };
    if key.contains('(') {
        return Ok(key.to_owned());
    }
    let of_primary = |it: &&Json| it.get("primaryType").is_some_and(|it| it == key);
    let schema = schemas.and_then(Json::as_array).and_then(|them| them.iter().find(of_primary));
    let types = schema.and_then(|it| it.get("types")).filter(|_| version == Version::One).ok_or_else(bad)?;
    typed_data::encode_type(&types.to_string(), key).map_err(|_| bad())
}

fn binding(context: &file::Context) -> Result<Binding, DescriptorError> {
    let (deployments, domain) = match (&context.contract, &context.eip712) {
        (Some(contract), None) => (&contract.deployments, None),
        (None, Some(eip712)) => (&eip712.deployments, Some(domain(eip712)?)),
        _ => return Err(DescriptorError::Unbound),
    };
    if deployments.len() > MAX_DEPLOYMENTS {
        return Err(DescriptorError::TooMany { limit: MAX_DEPLOYMENTS, what: "deployments" });
    }
    let deployments = deployments.iter().map(|it| Ok((ChainId(it.chain_id), parse_address(&it.address)?)));
    Ok(Binding { deployments: deployments.collect::<Result<_, DescriptorError>>()?, domain })
}

fn domain(eip712: &file::Eip712) -> Result<Domain, DescriptorError> {
    let file::Domain { name, version, chain_id, verifying_contract, salt } = &eip712.domain;
    if salt.is_some() {
        return Err(DescriptorError::ForeignPart { part: "a salt" });
    }
    let hash = |text: &String| {
        text.parse::<B256>()
            .map_err(|_| DescriptorError::Shape { reason: "`domainSeparator` is no hash".to_owned() })
    };
    Ok(Domain {
        name: name.clone(),
        version: version.clone(),
        chain: *chain_id,
        contract: verifying_contract.as_deref().map(parse_address).transpose()?,
        separator: eip712.domain_separator.as_ref().map(hash).transpose()?,
    })
}

/// What the contract is called, and by whom it is.
fn title(metadata: &file::Metadata) -> Result<String, DescriptorError> {
    let words = [metadata.contract_name.as_deref(), metadata.owner.as_deref()];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    plain(&words.join(", "), MAX_SENTENCE_BYTES)
}

fn token(metadata: &file::Metadata) -> Result<Option<Token>, DescriptorError> {
    let Some(token) = &metadata.token else { return Ok(None) };
    Ok(Some(Token { ticker: plain(&token.ticker, MAX_LABEL_BYTES)?, decimals: token.decimals }))
}

#[cfg(test)]
mod tests;
