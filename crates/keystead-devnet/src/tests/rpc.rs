//! The server, over a real socket.

use std::sync::Arc;

use alloy_primitives::{address, hex};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::{DevnetServer, MAX_BATCH};

const TO: Address = address!("00000000000000000000000000000000000b0b00");

async fn serve(chain: Devnet) -> DevnetServer {
    DevnetServer::start(([127, 0, 0, 1], 0).into(), chain, Arc::new(|| GENESIS_SECONDS + 100)).await.unwrap()
}

async fn post(server: &DevnetServer, body: &str) -> Value {
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let head =
        format!("POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

async fn call(server: &DevnetServer, method: &str, params: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    post(server, &body.to_string()).await
}

#[tokio::test]
async fn a_signed_transaction_goes_in_and_its_receipt_comes_out() {
    let (chain, account) = funded();
    let server = serve(chain).await;
    let raw = Bytes::from(account.sign(transfer(0, TO, 5)));
    let hash = call(&server, "eth_sendRawTransaction", json!([raw])).await["result"].clone();
    let receipt = call(&server, "eth_getTransactionReceipt", json!([hash])).await["result"].clone();
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(receipt["blockNumber"], "0x1");
    assert_eq!(receipt["effectiveGasPrice"], "0x77359400");
    let transaction = call(&server, "eth_getTransactionByHash", json!([hash])).await["result"].clone();
    assert_eq!((&transaction["type"], &transaction["nonce"]), (&json!("0x2"), &json!("0x0")));
    let block = call(&server, "eth_getBlockByNumber", json!(["latest", false])).await["result"].clone();
    assert_eq!(block["timestamp"], format!("{:#x}", GENESIS_SECONDS + 100));
    assert_eq!(block["transactions"], json!([hash]));
    assert_eq!(block["hash"], receipt["blockHash"]);
    let nonce = call(&server, "eth_getTransactionCount", json!([account.address, "pending"])).await;
    assert_eq!(nonce["result"], "0x1");
    assert_eq!(server.chain().balance(TO), U256::from(5));
}

#[tokio::test]
async fn every_method_answers() {
    let (mut chain, account) = funded();
    let reverts = chain.deploy(TO, init(&hex!("60aa60005360016000fd"))).unwrap();
    let server = serve(chain).await;
    let to_reverting = json!({"to": reverts});
    for (method, params, expected) in [
        ("eth_chainId", json!([]), json!("0x7a69")),
        ("net_version", json!([]), json!("31337")),
        ("eth_blockNumber", json!([]), json!("0x1")),
        ("eth_gasPrice", json!([]), json!("0x77359400")),
        ("eth_maxPriorityFeePerGas", json!([]), json!("0x3b9aca00")),
        ("eth_getBalance", json!([account.address, "latest"]), json!("0x8ac7230489e80000")),
        ("eth_getCode", json!([reverts, "latest"]), json!("0x60aa60005360016000fd")),
        ("eth_getStorageAt", json!([reverts, "0x0", "latest"]), json!(B256::ZERO)),
        ("eth_estimateGas", json!([{"from": account.address, "to": TO, "value": "0x1"}]), json!("0x5208")),
        ("eth_call", json!([{"to": TO}, "latest"]), json!("0x")),
        ("eth_getTransactionReceipt", json!([B256::ZERO]), Value::Null),
        ("eth_getTransactionByHash", json!([B256::ZERO]), Value::Null),
        ("eth_getBlockByHash", json!([B256::ZERO, false]), Value::Null),
        ("eth_getBlockByNumber", json!(["0x63", false]), Value::Null),
    ] {
        assert_eq!(call(&server, method, params).await["result"], expected, "{method}");
    }
    let history =
        call(&server, "eth_feeHistory", json!(["0x5", "latest", [10, 50.5]])).await["result"].clone();
    assert_eq!(history["oldestBlock"], "0x0");
    assert_eq!(history["baseFeePerGas"].as_array().map(Vec::len), Some(3));
    assert_eq!(history["reward"], json!([["0x3b9aca00", "0x3b9aca00"], ["0x3b9aca00", "0x3b9aca00"]]));
    for method in ["eth_call", "eth_estimateGas"] {
        let error = call(&server, method, json!([to_reverting])).await["error"].clone();
        assert_eq!((&error["code"], &error["data"]), (&json!(3), &json!("0xaa")));
    }
}

#[tokio::test]
async fn errors_and_batches_follow_json_rpc_2() {
    let server = serve(funded().0).await;
    for (body, code) in [
        ("not json".to_owned(), -32700),
        ("[]".to_owned(), -32600),
        (json!(vec![1; MAX_BATCH + 1]).to_string(), -32600),
        (json!({"id": 1}).to_string(), -32600),
        (json!({"id": 1, "method": "eth_nothing"}).to_string(), -32601),
        (json!({"id": 1, "method": "eth_getBalance", "params": ["0x00", "latest"]}).to_string(), -32602),
        (json!({"id": 1, "method": "eth_chainId", "params": {"a": 1}}).to_string(), -32602),
        (json!({"id": 1, "method": "eth_sendRawTransaction", "params": ["0x02"]}).to_string(), -32000),
    ] {
        assert_eq!(post(&server, &body).await["error"]["code"], code, "{body}");
    }
    let one = |id| json!({"jsonrpc": "2.0", "id": id, "method": "eth_chainId", "params": []});
    let both = post(&server, &json!([one("a"), one("b")]).to_string()).await;
    assert_eq!((&both[0]["id"], &both[1]["id"]), (&json!("a"), &json!("b")));
}
