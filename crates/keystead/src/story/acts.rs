//! The acts on the chain and after it, each asked for as a wallet asks.

use alloy_primitives::{B256, U256};
use keystead_base::{Amount, Coded as _, RequestId};
use keystead_decision::Strict;
use keystead_ledger::{ExportedLog, Ledger, SignedCheckpoint};
use keystead_transmit::{Endpoint, EndpointError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ending;
use super::cast::{Cast, EXCHANGE, HOME};
use super::payloads;
use crate::config::Config;
use crate::failure::Failure;
use crate::member;
use crate::sample::ETHER;

/// The `data` of an error of the coordinator (specs/json-rpc.md).
#[derive(Debug, Default, Deserialize)]
struct Denial {
    code: String,
    #[serde(default)]
    request: Option<RequestId>,
    #[serde(default)]
    rules: Vec<String>,
    #[serde(default)]
    reasons: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    code: String,
    text: String,
}

impl Cast {
    pub(super) async fn inside_the_limits(&mut self) -> Ending {
        let before = self.devnet.chain().balance(EXCHANGE);
        let hash = sent(&self.wallet, self.transfer(ETHER / 2)).await?;
        let gained = self.devnet.chain().balance(EXCHANGE) - before;
        let found = vec![
            format!("eth_sendTransaction: 0.5 ETH to exchange, transaction {hash}"),
            format!("the exchange's balance grew by {} ETH ({gained} wei)", Amount(gained).with_decimals(18)),
        ];
        Ok((found, gained == U256::from(ETHER / 2) && self.succeeded(hash)))
    }

    pub(super) async fn above_the_limits(&mut self) -> Ending {
        let before = self.devnet.chain().balance(EXCHANGE);
        let (wallet, params) = (self.wallet.clone(), self.transfer(9 * ETHER));
        let asked = tokio::spawn(async move { sent(&wallet, params).await });
        let request = self.waiting().await?;
        let unmoved = self.devnet.chain().balance(EXCHANGE) == before;
        let words = self.approve(request, 0).await?;
        let unsigned = !asked.is_finished();
        self.approve(request, 1).await?;
        let hash = asked.await.unwrap_or_else(|_| Err(bug("the wallet's call ended early")))?;
        let gained = self.devnet.chain().balance(EXCHANGE) - before;
        let mut found = vec![format!("request {request} waited; ana's machine read:")];
        found.extend(words.iter().map(|line| format!("  {line}")));
        found.push(format!("after ana's and ben's approvals: transaction {hash}, 9 ETH moved"));
        let holds = unmoved && unsigned && gained == U256::from(9 * ETHER) && self.succeeded(hash);
        Ok((found, holds))
    }

    pub(super) async fn permit(&self) -> Ending {
        let params = json!([self.account, payloads::permit(self.account)]);
        let denial = denied(&self.wallet, "eth_signTypedData_v4", params).await?;
        let named = denial.rules.iter().any(|rule| rule == "no-signed-rights");
        Ok((denial.lines(), named && denial.has("deny.forbidden")))
    }

    pub(super) async fn bybit(&self) -> Ending {
        let params = payloads::delegate_call(self.account);
        let denial = denied(&self.wallet, "eth_sendTransaction", params).await?;
        let named = denial.rules.iter().any(|rule| rule == "no-delegate-calls");
        Ok((denial.lines(), named && denial.has("deny.forbidden")))
    }

    pub(super) async fn limit_reached(&self) -> Ending {
        let before = self.devnet.chain().balance(EXCHANGE);
        let denial = denied(&self.wallet, "eth_sendTransaction", self.transfer(ETHER * 6 / 10)).await?;
        let unmoved = self.devnet.chain().balance(EXCHANGE) == before;
        Ok((denial.lines(), unmoved && denial.has("deny.limit_exceeded")))
    }

    /// Nothing here asks the node to judge itself: it gives a checkpoint, and the rest is recomputed.
    pub(super) async fn verify(&self) -> Ending {
        let note = self.checkpoint().await?;
        let checkpoint = SignedCheckpoint::parse(&note)?;
        let home = Config::read(&self.folder.join(HOME))?;
        let ledger = Ledger::open(&home.node()?.ledger_url()).await?;
        let folder = self.folder.join("log");
        ledger.export(&folder, &checkpoint).await?;
        let log = ExportedLog::open(&folder)?;
        let report = log.audit(self.config.cluster, None, &Strict::default())?;
        let latest = ledger.latest_requests(1).await?;
        let request =
            latest.first().map(|it| it.intent.id()).ok_or_else(|| bug("the log holds no request"))?;
        let proof =
            ledger.prove(&request, None).await?.ok_or_else(|| bug("no proof for a logged request"))?;
        ledger.close().await;
        let shown = proof.check(&member::genesis(&self.config)?, self.config.cluster, None)?;
        let counts: Vec<_> = report.decisions.iter().map(|(word, count)| format!("{count} {word}")).collect();
        let found = vec![
            format!(
                "{} blocks replayed from the genesis to the same state; root {}",
                report.blocks,
                report.root.short()
            ),
            format!("decisions: {}", counts.join(", ")),
            format!(
                "inclusion proof of request {request}: `{}`, under checkpoint {}",
                shown.decision.outcome.word(),
                shown.size
            ),
        ];
        Ok((found, report.blocks == checkpoint.body().size && shown.size == report.blocks))
    }

    pub(super) fn transfer(&self, wei: u128) -> Value {
        json!([{"from": self.account, "to": EXCHANGE, "value": U256::from(wei)}])
    }

    pub(super) fn succeeded(&self, hash: B256) -> bool {
        self.devnet.chain().receipt(hash).is_some_and(|receipt| receipt.outcome.is_success())
    }
}

impl Denial {
    fn has(&self, code: &str) -> bool {
        self.reasons.iter().any(|reason| reason.code == code)
    }

    fn lines(&self) -> Vec<String> {
        let request = self.request.map(|it| it.to_string()).unwrap_or_default();
        let mut lines = vec![format!("refused ({}), request {request}", self.code)];
        lines.extend(self.reasons.iter().map(|reason| format!("{} [{}]", reason.text, reason.code)));
        if !self.rules.is_empty() {
            lines.push(format!("rules: {}", self.rules.join(", ")));
        }
        lines
    }
}

pub(super) async fn sent(wallet: &Endpoint, params: Value) -> Result<B256, Failure> {
    let raw = wallet.ask("eth_sendTransaction", params).await?;
    serde_json::from_str(raw.get()).map_err(|error| bug(&error.to_string()))
}

/// The refusal; a signature where there must be none is a failure.
async fn denied(wallet: &Endpoint, method: &str, params: Value) -> Result<Denial, Failure> {
    match wallet.ask(method, params).await {
        Ok(raw) => Err(bug(&format!("it was signed: {}", raw.get()))),
        Err(EndpointError::Rpc { data: Some(data), .. }) => {
            serde_json::from_str(&data).map_err(|error| bug(&format!("{error} in {data}")))
        }
        Err(error) => Err(bug(&format!("{error} ({})", error.code()))),
    }
}

pub(super) fn bug(what: &str) -> Failure {
    Failure::new("story.bug", what, "report this as a bug")
}
