//! Orders: payments of a program that keeps books. Each has a key of its own, is asked for until it is answered, and
//! is paid once, whatever dies in between.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alloy_primitives::{Address, U256};
use keystead_base::Digest;
use keystead_tests::fixture::FRIEND;
use keystead_tests::npm_package;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{interval, timeout};

use crate::load::{Told, WALLET_PATIENCE};
use crate::oracle::Mined;
use crate::people::PATIENCE;

/// An order that was answered: by the hash of its transaction, or by no.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    /// No other payment of a storm has this amount.
    pub(crate) wei: u64,
    pub(crate) hash: Option<Digest>,
}

/// Who keeps the books: `cast`, unmodified, with the coordinator as its endpoint.
pub(crate) struct Books {
    pub(crate) shared: Arc<Told>,
    pub(crate) account: Address,
    pub(crate) coordinator: String,
}

impl Books {
    pub(crate) async fn run(self, stopped: watch::Receiver<bool>) {
        let mut pace = interval(PACE);
        for wei in FIRST_WEI.. {
            pace.tick().await;
            if *stopped.borrow() {
                return;
            }
            self.shared.order_begins();
            let hash = self.answered(wei).await;
            self.shared.order_ends(Order { wei, hash });
        }
    }

    /// Asks for one order until somebody says yes or no.
    async fn answered(&self, wei: u64) -> Option<Digest> {
        let (mut pace, start) = (interval(RETRY), Instant::now());
        loop {
            pace.tick().await;
            if let Some(answer) = self.once(wei).await {
                return answer;
            }
            assert!(start.elapsed() < PATIENCE, "D3: nobody answers the order of {wei} wei");
        }
    }

    async fn once(&self, wei: u64) -> Option<Option<Digest>> {
        let mut cast = tokio::process::Command::new(npm_package("@foundry-rs/cast-linux-amd64/bin/cast"));
        let payment =
            json!({"from": self.account, "to": FRIEND, "value": format!("{wei:#x}"), "gas": "0x5208"});
        cast.args(["rpc", "--rpc-url", &self.coordinator]);
        cast.args(["--rpc-headers", &format!("idempotency-key: order-{wei}")]);
        cast.args(["eth_sendTransaction", &payment.to_string()]);
        let output = cast.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = timeout(WALLET_PATIENCE, output).await.ok()?.ok()?;
        if output.status.success() {
            let hash: String = serde_json::from_slice(&output.stdout).expect("a hash");
            return Some(Some(hash.trim_start_matches("0x").parse().expect("a hash")));
        }
        // Whoever hears nothing, or that it is not signed yet, asks again; a no stays a no.
        String::from_utf8_lossy(&output.stderr).contains(DENIED).then_some(None)
    }
}

/// D4, S5: what was ordered and promised is paid once; what was denied never is, and only a freeze denies.
pub(crate) fn findings(orders: &[Order], mined: &[Mined], frozen: bool) -> Vec<String> {
    let mut findings = Vec::new();
    for Order { wei, hash } in orders {
        let paid: Vec<_> =
            mined.iter().filter(|it| it.to == FRIEND && it.value == U256::from(*wei)).collect();
        match (hash, paid.as_slice()) {
            (Some(hash), [once]) if once.hash == *hash => {}
            (None, []) if frozen => {}
            (None, []) => findings.push(format!("D3: the order of {wei} wei is denied")),
            (_, paid) => findings
                .push(format!("S5: the order of {wei} wei, answered {hash:?}, is paid {} times", paid.len())),
        }
    }
    findings
}

const PACE: Duration = Duration::from_millis(300);
const RETRY: Duration = Duration::from_millis(100);
/// The first order's amount, far above those of the other payments.
const FIRST_WEI: u64 = 1_000_000;
/// The number of a denial in JSON-RPC (specs/json-rpc.md).
const DENIED: &str = "-32003";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_paid_once_or_denied() {
        let mined =
            |hash: u8, wei: u64| Mined { hash: Digest([hash; 32]), to: FRIEND, value: U256::from(wei) };
        let yes = Order { wei: 7, hash: Some(Digest([1; 32])) };
        let no = Order { hash: None, ..yes };
        for (order, mined, frozen, expected) in [
            (yes, vec![mined(1, 7), mined(2, 8)], false, None),
            (no, vec![mined(1, 8)], true, None),
            (yes, vec![mined(1, 7), mined(2, 7)], false, Some("S5: the order of 7 wei")),
            (yes, vec![mined(2, 7)], false, Some("S5: the order of 7 wei")),
            (yes, vec![], false, Some("S5: the order of 7 wei")),
            (no, vec![mined(1, 7)], true, Some("S5: the order of 7 wei")),
            (no, vec![], false, Some("D3: the order of 7 wei")),
        ] {
            let found = findings(&[order], &mined, frozen);
            assert_eq!(
                found.first().map(|it| it.starts_with(expected.unwrap_or("nothing"))),
                expected.map(|_| true),
                "{found:?}"
            );
        }
    }
}
