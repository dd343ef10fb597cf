//! Parameters by position, parsed strictly.

use alloy_primitives::{Address, B256, Bytes, U256};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::RpcError;
use crate::{Block, Devnet, Log, Message};

/// The positional parameters of one call.
pub(super) struct Params(Vec<Value>);

impl Params {
    pub(super) fn new(params: Option<Value>) -> Result<Self, RpcError> {
        match params {
            None | Some(Value::Null) => Ok(Self(Vec::new())),
            Some(Value::Array(values)) => Ok(Self(values)),
            Some(_) => Err(RpcError::params("parameters are given by position".to_owned())),
        }
    }

    pub(super) fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T, RpcError> {
        let value = self.0.get(index).cloned().unwrap_or(Value::Null);
        serde_json::from_value(value).map_err(|error| RpcError::params(format!("parameter {index}: {error}")))
    }

    /// A number: hex text or a JSON number.
    pub(super) fn number(&self, index: usize) -> Result<u64, RpcError> {
        u64::try_from(self.get::<U256>(index)?)
            .map_err(|_| RpcError::params(format!("parameter {index} is below 2^64")))
    }

    /// A block by number or tag. Every tag but `earliest` is the head: each block is final here.
    pub(super) fn block<'a>(&self, index: usize, chain: &'a Devnet) -> Result<Option<&'a Block>, RpcError> {
        match self.0.get(index) {
            None | Some(Value::Null) => Ok(Some(chain.head())),
            Some(Value::String(tag)) => match tag.as_str() {
                "latest" | "pending" | "safe" | "finalized" => Ok(Some(chain.head())),
                "earliest" => Ok(chain.block(0)),
                _ => self.number(index).map(|number| chain.block(number)),
            },
            // EIP-1898.
            Some(Value::Object(_)) => match self.get(index)? {
                BlockFields { block_hash: Some(hash), .. } => Ok(chain.block_by_hash(hash)),
                BlockFields { block_number: Some(number), .. } => {
                    Ok(u64::try_from(number).ok().and_then(|number| chain.block(number)))
                }
                BlockFields { .. } => Err(RpcError::params(format!("parameter {index} names no block"))),
            },
            Some(_) => self.number(index).map(|number| chain.block(number)),
        }
    }

    /// For methods that read state: only the head's state is kept.
    pub(super) fn head_only(&self, index: usize, chain: &Devnet) -> Result<(), RpcError> {
        match self.block(index, chain)? {
            Some(block) if block.number() == chain.head().number() => Ok(()),
            _ => Err(RpcError::new(-32000, "only the newest block's state is kept".to_owned())),
        }
    }

    /// The call object of `eth_call` and `eth_estimateGas`.
    pub(super) fn message(&self, index: usize) -> Result<Message, RpcError> {
        let fields: CallFields = self.get(index)?;
        let input = fields.input.or(fields.data).unwrap_or_default();
        let from = fields.from.unwrap_or_default();
        let mut message =
            Message::call(from, Address::ZERO, input).with_value(fields.value.unwrap_or_default());
        message.to = fields.to;
        if let Some(gas) = fields.gas.and_then(|gas| u64::try_from(gas).ok()) {
            message.gas_limit = message.gas_limit.min(gas);
        }
        Ok(message)
    }

    /// What `eth_getLogs` looks for.
    pub(super) fn filter(&self, index: usize) -> Result<Filter, RpcError> {
        self.get(index)
    }

    pub(super) fn address(&self, index: usize) -> Result<Address, RpcError> {
        self.get(index)
    }

    pub(super) fn hash(&self, index: usize) -> Result<B256, RpcError> {
        self.get(index)
    }

    pub(super) fn bytes(&self, index: usize) -> Result<Bytes, RpcError> {
        self.get(index)
    }
}

/// Which logs are asked for: of which blocks, of which contracts, with which topics.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    pub(super) block_hash: Option<B256>,
    from_block: Option<Value>,
    to_block: Option<Value>,
    address: Option<OneOrMany<Address>>,
    #[serde(default)]
    topics: Vec<Option<OneOrMany<B256>>>,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T: PartialEq> OneOrMany<T> {
    fn has(&self, it: &T) -> bool {
        match self {
            Self::One(one) => one == it,
            Self::Many(many) => many.is_empty() || many.contains(it),
        }
    }
}

impl Filter {
    pub(super) fn range(&self, chain: &Devnet) -> Result<(u64, u64), RpcError> {
        let ends = Params([&self.from_block, &self.to_block].map(|it| it.clone().unwrap_or_default()).into());
        let number = |index| Ok(ends.block(index, chain)?.unwrap_or(chain.head()).number());
        Ok((number(0)?, number(1)?))
    }

    pub(super) fn takes(&self, log: &Log) -> bool {
        let topic = |(index, wanted): (usize, &Option<OneOrMany<B256>>)| match wanted {
            None => true,
            Some(wanted) => log.data.topics().get(index).is_some_and(|it| wanted.has(it)),
        };
        self.address.as_ref().is_none_or(|it| it.has(&log.address))
            && self.topics.iter().enumerate().all(topic)
    }
}

/// Every block of this chain is canonical, so nobody needs to ask for that.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockFields {
    block_hash: Option<B256>,
    block_number: Option<U256>,
}

/// Fees and nonce may be given and do not matter; clients send other fields of their own, too.
#[derive(serde::Deserialize)]
struct CallFields {
    from: Option<Address>,
    to: Option<Address>,
    value: Option<U256>,
    input: Option<Bytes>,
    data: Option<Bytes>,
    gas: Option<U256>,
}
