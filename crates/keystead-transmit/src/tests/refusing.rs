//! An endpoint that answers for accounts and refuses what is asked of a token.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// One that has a coin for every account, no code, and this error for every call.
async fn refusing(code: i64, message: &'static str) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(answer(socket, code, message));
        }
    });
    (url, task)
}

async fn answer(mut socket: TcpStream, code: i64, message: &'static str) {
    let (mut read, mut part) = (Vec::new(), [0; 4096]);
    let questions: Vec<Value> = loop {
        let count = socket.read(&mut part).await.unwrap();
        read.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        match serde_json::from_str(body) {
            Ok(questions) => break questions,
            Err(_) => assert_ne!(count, 0, "half a question"),
        }
    };
    let answer = |question: &Value| match question["method"].as_str() {
        Some("eth_getBalance") => json!({"jsonrpc": "2.0", "id": question["id"], "result": "0x7"}),
        Some("eth_getCode") => json!({"jsonrpc": "2.0", "id": question["id"], "result": "0x"}),
        _ => json!({"jsonrpc": "2.0", "id": question["id"], "error": {"code": code, "message": message}}),
    };
    let body = Value::Array(questions.iter().map(answer).collect()).to_string();
    socket.write_all(broken::http("200 OK", &body).as_bytes()).await.unwrap();
}

async fn held(code: i64, message: &'static str) -> Result<Holdings, Unknown> {
    let ((one, first), (two, second)) = (refusing(code, message).await, refusing(code, message).await);
    let view = view(&[one, two], 2, Finality::Confirmations(1));
    let tokens = BTreeSet::from([TO]);
    let held = view.holdings_at(&[account()], &tokens, B256::repeat_byte(1)).await;
    first.abort();
    second.abort();
    held
}

/// All endpoints refuse to read a token for load: nothing is known, and it is asked again. It is neither a token that
/// nobody has nor a state that everybody forgot.
#[tokio::test]
async fn l03_a_token_that_is_not_read_for_load_is_unknown() {
    for (code, message) in [(-32005, "limit exceeded"), (-32000, "too many requests"), (429, "slow down")] {
        let unknown = held(code, message).await.unwrap_err();
        assert_eq!((unknown.answers, unknown.failures.len()), (0, 2), "{message}");
        assert!(!unknown.is_had_by_nobody(), "{message}");
    }
}

#[tokio::test]
async fn l03_a_token_without_a_balance_has_none_and_a_pruned_state_is_had_by_nobody() {
    let coins = Holdings::from([((account(), None), U256::from(7))]);
    for (code, message) in [(3, "execution reverted"), (-32000, "invalid opcode: INVALID")] {
        assert_eq!(held(code, message).await, Ok(coins.clone()), "{message}");
    }
    assert!(held(-32000, "missing trie node").await.unwrap_err().is_had_by_nobody());
}
