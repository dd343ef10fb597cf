//! The table of methods.

use alloy_primitives::U256;
use serde_json::{Value, json};

use super::RpcError;
use super::encode::{self, quantity};
use super::params::Params;
use crate::{Devnet, DevnetError, PRIORITY_FEE_WEI, Status};

/// The most blocks of one question for logs.
const MAX_LOG_BLOCKS: usize = 1024;
/// The most blocks of one fee history.
const MAX_FEE_HISTORY: u64 = 1024;

type Reply = Result<Value, RpcError>;

pub(super) fn call(chain: &mut Devnet, method: &str, params: &Params) -> Reply {
    match method {
        "eth_chainId" => Ok(quantity(chain.chain_id())),
        "net_version" => Ok(json!(chain.chain_id().to_string())),
        "web3_clientVersion" => Ok(json!(concat!("keystead-devnet/", env!("CARGO_PKG_VERSION")))),
        "eth_syncing" => Ok(json!(false)),
        "eth_accounts" => Ok(json!([])),
        "eth_blockNumber" => Ok(quantity(chain.head().number())),
        "eth_gasPrice" => Ok(quantity(chain.base_fee().saturating_add(PRIORITY_FEE_WEI))),
        "eth_maxPriorityFeePerGas" => Ok(quantity(PRIORITY_FEE_WEI)),
        "eth_feeHistory" => fee_history(chain, params),
        "eth_getBalance" => read(chain, params, 1, |chain| Ok(quantity(chain.balance(params.address(0)?)))),
        "eth_getTransactionCount" => transaction_count(chain, params),
        "eth_getCode" => read(chain, params, 1, |chain| Ok(json!(chain.code(params.address(0)?)))),
        "eth_getStorageAt" => read(chain, params, 2, |chain| storage_at(chain, params)),
        "eth_call" => read(chain, params, 1, |chain| eth_call(chain, params)),
        "eth_estimateGas" => read(chain, params, 1, |chain| {
            Ok(quantity(chain.estimate_gas(&params.message(0)?).map_err(refused)?))
        }),
        "eth_getBlockByNumber" => block_by_number(chain, params),
        "eth_getBlockByHash" => block_by_hash(chain, params),
        "eth_getLogs" => logs(chain, params),
        "eth_sendRawTransaction" => send_raw(chain, params),
        "eth_getTransactionReceipt" => {
            Ok(chain.receipt(params.hash(0)?).map_or(Value::Null, encode::receipt))
        }
        "eth_getTransactionByHash" => {
            Ok(chain.receipt(params.hash(0)?).map_or(Value::Null, encode::transaction))
        }
        "evm_mine" => Ok(quantity(chain.mine().number())),
        _ => Err(RpcError::new(-32601, format!("the method {method:?} does not exist"))),
    }
}

fn read(chain: &Devnet, params: &Params, block: usize, then: impl FnOnce(&Devnet) -> Reply) -> Reply {
    params.head_only(block, chain)?;
    then(chain)
}

fn transaction_count(chain: &Devnet, params: &Params) -> Reply {
    let Some(block) = params.block(1, chain)? else {
        return Err(RpcError::new(-32000, "header not found".to_owned()));
    };
    Ok(quantity(chain.nonce_at(params.address(0)?, block.number())))
}

fn storage_at(chain: &Devnet, params: &Params) -> Reply {
    let value = chain.storage(params.address(0)?, params.get::<U256>(1)?);
    Ok(json!(alloy_primitives::B256::from(value)))
}

fn eth_call(chain: &Devnet, params: &Params) -> Reply {
    let outcome = chain.call(&params.message(0)?).map_err(refused)?;
    match outcome.status {
        Status::Success => Ok(json!(outcome.output)),
        Status::Reverted | Status::Halted { .. } => Err(reverted(&outcome.output)),
    }
}

fn send_raw(chain: &mut Devnet, params: &Params) -> Reply {
    let receipt = chain.execute_raw(&params.bytes(0)?).map_err(refused)?;
    Ok(json!(receipt.hash))
}

fn block_by_number(chain: &Devnet, params: &Params) -> Reply {
    let full = params.get::<Option<bool>>(1)?.unwrap_or_default();
    Ok(params.block(0, chain)?.map_or(Value::Null, |block| encode::block(chain, block, full)))
}

fn block_by_hash(chain: &Devnet, params: &Params) -> Reply {
    let full = params.get::<Option<bool>>(1)?.unwrap_or_default();
    let block = chain.block_by_hash(params.hash(0)?);
    Ok(block.map_or(Value::Null, |block| encode::block(chain, block, full)))
}

/// The logs of one block, named by its hash, or of a range of few blocks.
fn logs(chain: &Devnet, params: &Params) -> Reply {
    let filter = params.filter(0)?;
    let unknown = || RpcError::new(-32000, "unknown block".to_owned());
    let blocks: Vec<_> = match filter.block_hash {
        Some(hash) => vec![chain.block_by_hash(hash).ok_or_else(unknown)?],
        None => {
            let (first, last) = filter.range(chain)?;
            (first..=last).take(MAX_LOG_BLOCKS).filter_map(|number| chain.block(number)).collect()
        }
    };
    let receipts = blocks.into_iter().filter_map(|block| chain.receipt(block.transaction()?));
    let found = receipts.flat_map(|receipt| encode::logs(receipt, |log| filter.takes(log)));
    Ok(Value::Array(found.collect()))
}

fn fee_history(chain: &Devnet, params: &Params) -> Reply {
    let newest = params.block(1, chain)?.unwrap_or(chain.head()).number();
    let count = params.number(0)?.clamp(1, MAX_FEE_HISTORY).min(newest.saturating_add(1));
    let oldest = newest.saturating_add(1).saturating_sub(count);
    let blocks: Vec<_> = (oldest..=newest).filter_map(|number| chain.block(number)).collect();
    let percentiles = params.get::<Option<Vec<f64>>>(2)?.unwrap_or_default();
    let rewards = vec![quantity(PRIORITY_FEE_WEI); percentiles.len().min(100)];
    let fees = blocks.iter().map(|block| block.header().base_fee_per_gas.unwrap_or_default());
    let ratio = |gas: u64, limit: u64| gas as f64 / limit.max(1) as f64;
    Ok(json!({
        "oldestBlock": quantity(oldest),
        "baseFeePerGas": fees.chain([chain.base_fee()]).map(quantity).collect::<Vec<_>>(),
        "gasUsedRatio":
            blocks.iter().map(|b| ratio(b.header().gas_used, b.header().gas_limit)).collect::<Vec<_>>(),
        "reward": vec![rewards; blocks.len()],
    }))
}

fn refused(error: DevnetError) -> RpcError {
    match error {
        DevnetError::Failed { output } => reverted(&output),
        other => RpcError::new(-32000, other.to_string()),
    }
}

/// The code and shape that geth gives a revert.
fn reverted(output: &alloy_primitives::Bytes) -> RpcError {
    RpcError { code: 3, message: "execution reverted".to_owned(), data: Some(json!(output)) }
}
