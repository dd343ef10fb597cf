//! Fields: what is shown of a call or a message, under which label, and how.

use std::collections::BTreeMap;

use alloy_primitives::{Address, I256, U256};
use serde_json::{Map, Value as Json};

use crate::DescriptorError;
use crate::file::{self, Iteration, VisibleWord};
use crate::path::{Path, Step};
use crate::value::{Value, parse_uint};

/// How deep groups may be nested.
const MAX_GROUP_DEPTH: usize = 6;
/// The longest label.
pub(crate) const MAX_LABEL_BYTES: usize = 128;
/// The longest sentence.
pub(crate) const MAX_SENTENCE_BYTES: usize = 512;
/// The most decimals of a unit.
const MAX_UNIT_DECIMALS: u64 = 77;

/// A field, or several that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    One(Box<Leaf>),
    Group(Group),
}

/// Fields that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) label: Option<String>,
    /// Whether lists are shown element by element side by side, and not one after the other.
    pub(crate) bundled: bool,
    pub(crate) fields: Vec<Field>,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) subject: Subject,
    pub(crate) label: String,
    pub(crate) format: Format,
    pub(crate) visible: Visible,
    /// What stands before each element of a list; `{index}` is its number.
    pub(crate) separator: Option<String>,
    /// What to say of a value that is encrypted, which nobody here can read.
    pub(crate) encrypted: Option<String>,
}

/// What a field shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Path(Path),
    Literal(Value),
}

/// When a field is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Visible {
    Always,
    Optional,
    Never,
    /// Unless its value is one of these.
    UnlessIn(Vec<String>),
    /// Never, and its value has to be one of these.
    OnlyIn(Vec<String>),
}

/// How a value is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Raw,
    Amount,
    TokenAmount(Box<TokenAmount>),
    NftName { collection: Source },
    Timestamp,
    BlockHeight,
    Duration,
    Unit { base: String, decimals: u8, prefix: bool },
    Enumeration(BTreeMap<String, String>),
    ChainId,
    AddressName { senders: Vec<Address> },
    TokenTicker { chain: Option<Source> },
    Calldata(Box<Calldata>),
    InteroperableAddress,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenAmount {
    pub(crate) token: Option<Source>,
    /// Addresses that stand for the chain's own coin.
    pub(crate) native: Vec<Address>,
    /// From which amount on `message` is said instead.
    pub(crate) threshold: Option<U256>,
    pub(crate) message: String,
    pub(crate) chain: Option<Source>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Calldata {
    pub(crate) callee: Source,
    pub(crate) selector: Option<Source>,
    pub(crate) amount: Option<Source>,
    pub(crate) spender: Option<Source>,
    pub(crate) chain: Option<Source>,
}

/// Where a parameter comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Path(Path),
    Constant(String),
    /// One of `metadata.maps`, by the value at a path.
    Keyed {
        values: BTreeMap<String, String>,
        key: Path,
    },
}

/// Reads the fields of one file.
pub(crate) struct Reader<'f> {
    pub(crate) metadata: &'f file::Metadata,
    pub(crate) definitions: &'f BTreeMap<String, file::Field>,
}

impl Reader<'_> {
    /// Reads fields whose paths are relative to `base`.
    pub(crate) fn fields(
        &self,
        files: &[file::Field],
        base: &[Step],
        depth: usize,
    ) -> Result<Vec<Field>, DescriptorError> {
        if depth > MAX_GROUP_DEPTH {
            return Err(DescriptorError::TooMany {
                limit: MAX_GROUP_DEPTH,
                what: "groups within one another",
            });
        }
        files.iter().map(|field| self.field(field, base, depth)).collect()
    }

    fn field(&self, field: &file::Field, base: &[Step], depth: usize) -> Result<Field, DescriptorError> {
        match &field.fields {
            Some(fields) => self.group(field, fields, base, depth).map(Field::Group),
            None if field.iteration.is_some() => {
                Err(DescriptorError::ForeignPart { part: "`iteration` of a field" })
            }
            None => self.leaf(field, base).map(|leaf| Field::One(Box::new(leaf))),
        }
    }

    fn group(
        &self,
        group: &file::Field,
        fields: &[file::Field],
        base: &[Step],
        depth: usize,
    ) -> Result<Group, DescriptorError> {
        let field_keys = group.reference.is_some() || group.value.is_some() || group.format.is_some();
        if field_keys || group.params.is_some() || group.visible.is_some() {
            return Err(DescriptorError::ForeignPart { part: "a format of a whole group" });
        }
        let path =
            group.path.as_deref().map_or(Ok(Path::Data(base.to_vec())), |text| Path::parse(text, base))?;
        Ok(Group {
            label: group.label.as_deref().map(|it| plain(it, MAX_LABEL_BYTES)).transpose()?,
            bundled: group.iteration == Some(Iteration::Bundled),
            fields: self.fields(fields, path.steps(), depth.saturating_add(1))?,
        })
    }

    fn leaf(&self, field: &file::Field, base: &[Step]) -> Result<Leaf, DescriptorError> {
        let field = self.defined(field)?;
        let subject = match (&field.path, &field.value) {
            (Some(path), None) => self.subject(path, base)?,
            (None, Some(value)) => Subject::Literal(self.literal(value)?),
            _ => {
                return Err(DescriptorError::ForeignPart {
                    part: "a field with neither or both of path and value",
                });
            }
        };
        let label = field.label.as_deref().or(field.path.as_deref()).unwrap_or_default();
        let params = field.params.clone().unwrap_or_default();
        let encrypted =
            field.encryption.as_ref().map(|it| it.fallback_label.as_deref().unwrap_or("[Encrypted]"));
        Ok(Leaf {
            subject,
            label: plain(label, MAX_LABEL_BYTES)?,
            format: self.format(field.format.as_deref().unwrap_or("raw"), &params, base)?,
            visible: self.visible(field.visible.as_ref())?,
            separator: field.separator.as_deref().map(|it| plain(it, MAX_LABEL_BYTES)).transpose()?,
            encrypted: encrypted.map(|it| plain(it, MAX_LABEL_BYTES)).transpose()?,
        })
    }

    fn subject(&self, path: &str, base: &[Step]) -> Result<Subject, DescriptorError> {
        match Path::parse(path, base)? {
            Path::File(_) => self.constant(path).map(|text| Subject::Literal(literal_text(&text))),
            path => Ok(Subject::Path(path)),
        }
    }

    /// A field with what it refers to; its own keys come first.
    fn defined(&self, field: &file::Field) -> Result<file::Field, DescriptorError> {
        let Some(reference) = &field.reference else { return Ok(field.clone()) };
        let missing = || DescriptorError::Reference { found: reference.clone() };
        let name = reference.strip_prefix("$.display.definitions.").ok_or_else(missing)?;
        let definition = self.definitions.get(name).ok_or_else(missing)?.clone();
        if definition.reference.is_some() || definition.fields.is_some() || field.format.is_some() {
            return Err(missing());
        }
        let mut params = definition.params.unwrap_or_default();
        params.extend(field.params.clone().unwrap_or_default());
        Ok(file::Field {
            reference: None,
            path: field.path.clone().or(definition.path),
            value: field.value.clone().or(definition.value),
            label: field.label.clone().or(definition.label),
            params: Some(params),
            visible: field.visible.clone().or(definition.visible),
            separator: field.separator.clone().or(definition.separator),
            encryption: field.encryption.clone().or(definition.encryption),
            ..definition
        })
    }

    fn format(
        &self,
        name: &str,
        params: &Map<String, Json>,
        base: &[Step],
    ) -> Result<Format, DescriptorError> {
        let it = Params { reader: self, params, base };
        match name {
            "raw" => it.only("raw", &[]).map(|()| Format::Raw),
            "amount" => it.only("amount", &[]).map(|()| Format::Amount),
            "duration" => it.only("duration", &[]).map(|()| Format::Duration),
            "chainId" => it.only("chainId", &[]).map(|()| Format::ChainId),
            "tokenAmount" => it.token_amount(),
            "nftName" => {
                it.only("nftName", &["collection", "collectionPath"])?;
                let collection = it.source("nftName", "collection", "collectionPath")?;
                let missing = DescriptorError::Parameters { format: "nftName", expected: "a collection" };
                Ok(Format::NftName { collection: collection.ok_or(missing)? })
            }
            "date" => it.date(),
            "unit" => it.unit(),
            "enum" => it.enumeration(),
            "addressName" => {
                it.only("addressName", &["types", "sources", "senderAddress"])?;
                Ok(Format::AddressName { senders: it.addresses("senderAddress")? })
            }
            "tokenTicker" => {
                it.only("tokenTicker", &["chainId", "chainIdPath"])?;
                Ok(Format::TokenTicker { chain: it.source("tokenTicker", "chainId", "chainIdPath")? })
            }
            "calldata" => it.calldata(),
            "interoperableAddressName" => Ok(Format::InteroperableAddress),
            other => {
                Err(DescriptorError::Shape { reason: format!("unknown format `{}`", other.escape_default()) })
            }
        }
    }

    fn visible(&self, visible: Option<&file::Visible>) -> Result<Visible, DescriptorError> {
        let list =
            |values: &[Json]| values.iter().map(|value| self.scalar(value)).collect::<Result<Vec<_>, _>>();
        match visible {
            None | Some(file::Visible::Word(VisibleWord::Always)) => Ok(Visible::Always),
            Some(file::Visible::Word(VisibleWord::Optional)) => Ok(Visible::Optional),
            Some(file::Visible::Word(VisibleWord::Never)) => Ok(Visible::Never),
            Some(file::Visible::Rule(rule)) => match (&rule.if_not_in, &rule.must_match) {
                (Some(values), None) => list(values).map(Visible::UnlessIn),
                (None, Some(values)) => list(values).map(Visible::OnlyIn),
                _ => Err(DescriptorError::ForeignPart { part: "a rule with neither or both of its lists" }),
            },
        }
    }

    fn literal(&self, value: &Json) -> Result<Value, DescriptorError> {
        match value {
            Json::Bool(value) => Ok(Value::Bool(*value)),
            Json::Number(number) => match number.as_u64() {
                Some(number) => Ok(Value::Uint(U256::from(number))),
                None => {
                    Ok(Value::Int(I256::try_from(number.as_i64().unwrap_or_default()).unwrap_or_default()))
                }
            },
            other => self.scalar(other).map(|text| literal_text(&text)),
        }
    }

    /// A value of one word as a text; a path into the file stands for what is there.
    fn scalar(&self, value: &Json) -> Result<String, DescriptorError> {
        match value {
            Json::String(text) if text.starts_with("$.") => self.constant(text),
            Json::String(text) => plain(text, MAX_SENTENCE_BYTES),
            Json::Number(number) => Ok(number.to_string()),
            Json::Bool(value) => Ok(value.to_string()),
            other => Err(DescriptorError::Shape { reason: format!("expected one value, found {other}") }),
        }
    }

    fn constant(&self, path: &str) -> Result<String, DescriptorError> {
        let missing = || DescriptorError::Reference { found: path.to_owned() };
        let name = path.strip_prefix("$.metadata.constants.").ok_or_else(missing)?;
        match self.metadata.constants.get(name).ok_or_else(missing)? {
            Json::String(text) if text.starts_with("$.") => Err(missing()),
            value => self.scalar(value),
        }
    }
}

fn literal_text(text: &str) -> Value {
    match parse_address(text) {
        Ok(address) => Value::Address(address),
        Err(_) => Value::Text(text.to_owned()),
    }
}

/// The parameters of one format.
struct Params<'r, 'f> {
    reader: &'r Reader<'f>,
    params: &'r Map<String, Json>,
    base: &'r [Step],
}

impl Params<'_, '_> {
    fn only(&self, format: &'static str, known: &[&str]) -> Result<(), DescriptorError> {
        match self.params.keys().all(|key| known.contains(&key.as_str())) {
            true => Ok(()),
            false => Err(DescriptorError::Parameters { format, expected: "those of the standard" }),
        }
    }

    fn source(
        &self,
        format: &'static str,
        constant: &str,
        path: &str,
    ) -> Result<Option<Source>, DescriptorError> {
        match (self.params.get(constant), self.params.get(path)) {
            (None, None) => Ok(None),
            (Some(Json::Object(keyed)), None) => self.keyed(format, keyed).map(Some),
            (Some(value), None) => self.reader.scalar(value).map(|text| Some(Source::Constant(text))),
            (None, Some(Json::String(text))) => match Path::parse(text, self.base)? {
                Path::File(_) => self.reader.constant(text).map(|text| Some(Source::Constant(text))),
                path => Ok(Some(Source::Path(path))),
            },
            _ => Err(DescriptorError::Parameters { format, expected: "one of a value and a path" }),
        }
    }

    fn keyed(&self, format: &'static str, keyed: &Map<String, Json>) -> Result<Source, DescriptorError> {
        let bad = || DescriptorError::Parameters { format, expected: "a map and the path of its key" };
        let text = |key: &str| keyed.get(key).and_then(Json::as_str).ok_or_else(bad);
        let (map, key) = (text("map")?, Path::parse(text("keyPath")?, self.base)?);
        let missing = || DescriptorError::Reference { found: map.to_owned() };
        let name = map.strip_prefix("$.metadata.maps.").ok_or_else(missing)?;
        let values = self.reader.metadata.maps.get(name).ok_or_else(missing)?.values.iter();
        let values = values.map(|(key, value)| Ok((key.clone(), self.reader.scalar(value)?)));
        Ok(Source::Keyed { values: values.collect::<Result<_, DescriptorError>>()?, key })
    }

    fn addresses(&self, name: &str) -> Result<Vec<Address>, DescriptorError> {
        let one = |value: &Json| self.reader.scalar(value).and_then(|text| parse_address(&text));
        match self.params.get(name) {
            None => Ok(Vec::new()),
            Some(Json::Array(values)) => values.iter().map(one).collect(),
            Some(value) => one(value).map(|it| vec![it]),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, DescriptorError> {
        self.params.get(name).map(|value| self.reader.scalar(value)).transpose()
    }

    fn token_amount(&self) -> Result<Format, DescriptorError> {
        let format = "tokenAmount";
        let known =
            ["token", "tokenPath", "nativeCurrencyAddress", "threshold", "message", "chainId", "chainIdPath"];
        self.only(format, &known)?;
        let number = DescriptorError::Parameters { format, expected: "a number as threshold" };
        let threshold = self.text("threshold")?;
        let message = self.text("message")?.unwrap_or_else(|| "Unlimited".to_owned());
        Ok(Format::TokenAmount(Box::new(TokenAmount {
            token: self.source(format, "token", "tokenPath")?,
            native: self.addresses("nativeCurrencyAddress")?,
            threshold: threshold.map(|text| parse_uint(&text).ok_or(number)).transpose()?,
            message: plain(&message, MAX_LABEL_BYTES)?,
            chain: self.source(format, "chainId", "chainIdPath")?,
        })))
    }

    fn date(&self) -> Result<Format, DescriptorError> {
        self.only("date", &["encoding"])?;
        match self.params.get("encoding").and_then(Json::as_str) {
            Some("timestamp") => Ok(Format::Timestamp),
            Some("blockheight") => Ok(Format::BlockHeight),
            _ => Err(DescriptorError::Parameters { format: "date", expected: "an encoding" }),
        }
    }

    fn unit(&self) -> Result<Format, DescriptorError> {
        self.only("unit", &["base", "decimals", "prefix"])?;
        let bad =
            || DescriptorError::Parameters { format: "unit", expected: "a symbol, decimals and a choice" };
        let base = self.text("base")?.ok_or_else(bad)?;
        let decimals = self.params.get("decimals").map_or(Some(0), Json::as_u64).ok_or_else(bad)?;
        let prefix = self.params.get("prefix").map_or(Some(false), Json::as_bool).ok_or_else(bad)?;
        let decimals = u8::try_from(decimals).ok().filter(|it| u64::from(*it) <= MAX_UNIT_DECIMALS);
        Ok(Format::Unit { base: plain(&base, MAX_LABEL_BYTES)?, decimals: decimals.ok_or_else(bad)?, prefix })
    }

    fn enumeration(&self) -> Result<Format, DescriptorError> {
        self.only("enum", &["$ref"])?;
        let bad =
            || DescriptorError::Parameters { format: "enum", expected: "a reference to a list of the file" };
        let reference = self.params.get("$ref").and_then(Json::as_str).ok_or_else(bad)?;
        let name = reference.strip_prefix("$.metadata.enums.").ok_or_else(bad)?;
        let missing = || DescriptorError::Reference { found: reference.to_owned() };
        let list = self.reader.metadata.enums.get(name).and_then(Json::as_object).ok_or_else(missing)?;
        let list = list.iter().map(|(key, value)| {
            let text = value.as_str().ok_or_else(bad)?;
            Ok((key.clone(), plain(text, MAX_LABEL_BYTES)?))
        });
        list.collect::<Result<_, DescriptorError>>().map(Format::Enumeration)
    }

    fn calldata(&self) -> Result<Format, DescriptorError> {
        let format = "calldata";
        let pairs =
            ["callee", "selector", "amount", "spender", "chainId"].map(|name| (name, format!("{name}Path")));
        let known: Vec<&str> = pairs.iter().flat_map(|(name, path)| [*name, path.as_str()]).collect();
        self.only(format, &known)?;
        let [callee, selector, amount, spender, chain] =
            pairs.each_ref().map(|(name, path)| self.source(format, name, path));
        let callee =
            callee?.ok_or(DescriptorError::Parameters { format, expected: "a callee and what it gets" })?;
        let call =
            Calldata { callee, selector: selector?, amount: amount?, spender: spender?, chain: chain? };
        Ok(Format::Calldata(Box::new(call)))
    }
}

/// An address in hex; one with letters of both cases has to have the checksum of ERC-55.
pub(crate) fn parse_address(text: &str) -> Result<Address, DescriptorError> {
    let bad = || DescriptorError::Address { found: text.chars().take(MAX_LABEL_BYTES).collect() };
    let digits = text.strip_prefix("0x").filter(|it| it.len() == 40).ok_or_else(bad)?;
    let address: Address = digits.parse().map_err(|_| bad())?;
    let one_case = digits == digits.to_lowercase() || digits == digits.to_uppercase();
    match one_case || address.to_string() == text {
        true => Ok(address),
        false => Err(bad()),
    }
}

/// A text of one line whose letters are what they look like.
pub(crate) fn plain(text: &str, limit: usize) -> Result<String, DescriptorError> {
    let letter = |c: char| keystead_chain::is_plain(c) && !c.is_control();
    match text.len() <= limit && text.chars().all(letter) {
        true => Ok(text.to_owned()),
        false => Err(DescriptorError::Text { text: text.chars().take(MAX_LABEL_BYTES).collect(), limit }),
    }
}
