//! What is passed on to a chain's endpoints: methods that read, by name, and bytes that are signed already.

use alloy_primitives::Bytes;
use keystead_transmit::TransmitError;
use serde_json::{Value, json};

use super::RpcError;
use super::method::{Reply, one};
use crate::RequestError;
use crate::coordinator::Inner;

/// A method that reads and does no more, by its name. An endpoint's other methods sign with its own keys, rewrite its chain,
/// open its files or have it call other machines: whoever may speak to a coordinator may not do that.
pub(super) fn read(method: &str) -> Option<&'static str> {
    READS.binary_search(&method).ok().and_then(|at| READS.get(at).copied())
}

/// In the order of the alphabet.
const READS: &[&str] = &[
    "eth_blobBaseFee",
    "eth_blockNumber",
    "eth_call",
    "eth_createAccessList",
    "eth_estimateGas",
    "eth_feeHistory",
    "eth_gasPrice",
    "eth_getAccount",
    "eth_getAccountInfo",
    "eth_getBalance",
    "eth_getBlockByHash",
    "eth_getBlockByNumber",
    "eth_getBlockReceipts",
    "eth_getBlockTransactionCountByHash",
    "eth_getBlockTransactionCountByNumber",
    "eth_getCode",
    "eth_getFilterChanges",
    "eth_getFilterLogs",
    "eth_getLogs",
    "eth_getProof",
    "eth_getRawTransactionByHash",
    "eth_getStorageAt",
    "eth_getTransactionByBlockHashAndIndex",
    "eth_getTransactionByBlockNumberAndIndex",
    "eth_getTransactionByHash",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
    "eth_getUncleByBlockHashAndIndex",
    "eth_getUncleByBlockNumberAndIndex",
    "eth_getUncleCountByBlockHash",
    "eth_getUncleCountByBlockNumber",
    "eth_maxPriorityFeePerGas",
    "eth_newBlockFilter",
    "eth_newFilter",
    "eth_newPendingTransactionFilter",
    "eth_protocolVersion",
    "eth_simulateV1",
    "eth_syncing",
    "eth_uninstallFilter",
    "net_listening",
    "net_peerCount",
    "net_version",
    "web3_clientVersion",
    "web3_sha3",
];

impl Inner {
    /// Gives somebody's signed bytes to every endpoint, as anybody could.
    pub(super) async fn eth_send_raw_transaction(&self, params: Value) -> Reply {
        let raw: Bytes = one(params, "a signed transaction")?;
        match self.chain()?.send(&raw).await {
            Ok(sent) => Ok(json!(sent.hash)),
            Err(TransmitError::Refused { refusals }) => match refusals.into_iter().next() {
                Some((_, error)) => Err(error.into()),
                None => Err(RequestError::NoChain.into()),
            },
            Err(error) => Err(RpcError::new(-32002, "request.broadcast", error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a05_no_method_is_passed_on_that_signs_or_administrates() {
        assert!(READS.is_sorted() && read("eth_call").is_some() && read("web3_sha3").is_some());
        for method in [
            "eth_sendTransaction",
            "eth_sendUnsignedTransaction",
            "eth_sign",
            "eth_sendRawTransactionConditional",
            "ETH_call",
            "eth_call ",
            "personal_unlockAccount",
            "anvil_setBalance",
            "anvil_impersonateAccount",
            "hardhat_reset",
            "evm_mine",
            "admin_addPeer",
            "debug_traceCall",
            "miner_start",
            "txpool_content",
            "engine_newPayloadV4",
            "",
        ] {
            assert_eq!(read(method), None, "{method}");
        }
    }
}
