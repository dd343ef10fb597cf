//! The acts: what is allowed, what waits for people, and what is refused, and why.

use std::time::Instant;

use alloy_primitives::{Address, Bytes, U256, address};
use alloy_sol_types::{SolCall, sol};
use keystead_base::Canonical;
use keystead_decision::{KeyState, Outcome, Strict};
use keystead_intent::{Action, ContractCall, KeyCeremony, KeyKind, TypedData};
use keystead_keys::{BackupFile, MemberKeyFile};
use keystead_ledger::{Auditor, SignedCheckpoint, StoredBlock};
use keystead_policy::Reason;
use keystead_signing::{Drill, EnclaveClient};
use keystead_wire::{DrillReport, RequestStage, RequestView};

use super::desk::{Desk, HOT, account};
use super::sample::{CHAIN, DAY_LIMIT, ETHER, EXCHANGE, SAFE, USDT};
use super::story::Story;
use super::{PATIENCE, Trouble};

sol! {
    interface ISafe {
        function execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures) external payable returns (bool);
    }
}

/// A key is born in the enclave, backed up, and its backup restored before anybody may be paid there.
pub(crate) async fn make_a_key(desk: &mut Desk, story: &mut Story<'_>) -> Result<(), Trouble> {
    let mut act = story.act("A key is born, backed up, and the backup is restored");
    let key: keystead_base::Name = HOT.parse().map_err(Trouble::of("naming a key"))?;
    desk.ceremony(KeyCeremony::Create { key: key.clone(), kind: KeyKind::HdSecp256k1 }).await?;
    in_state(desk, KeyState::Created).await?;
    let early = desk.hot().await?.and_then(|it| it.address);
    act.expect("no address is shown before a backup was restored", early.is_none());
    let recipients = vec!["ana".parse().map_err(Trouble::of("naming a person"))?];
    let view = desk.ceremony(KeyCeremony::Backup { key: key.clone(), recipients }).await?;
    in_state(desk, KeyState::BackedUp).await?;
    let file = backup_of(desk, &view).await?;
    let proof = drill(desk, file)?;
    let report = DrillReport { key, backup: proof.backup, proof: proof.proof };
    desk.client.drill(report).await.map_err(Trouble::of("reporting the drill"))?;
    in_state(desk, KeyState::Active).await?;
    let address = hot_address(desk).await?;
    desk.fund(address);
    act.say(format!("address  {address}, shown only now; the devnet gives it 100 ETH"));
    act.expect("a scratch enclave restored the key from ana's copy and signed with it", true);
    story.tell(act);
    Ok(())
}

/// Inside every limit: signed at once.
pub(crate) async fn small_transfer(desk: &mut Desk, story: &mut Story<'_>) -> Result<(), Trouble> {
    let mut act = story.act("0.5 ETH to the exchange: inside the limits, signed at once");
    let action = desk.pay(EXCHANGE, ETHER / 2)?;
    let start = Instant::now();
    let view = desk.ask("desk", action).await?;
    act.say(format!("decided, durable and signed in {} ms", start.elapsed().as_millis()));
    rules(&mut act, &view);
    act.expect("signed", view.stage == RequestStage::Signed);
    let executed = desk.execute(&view)?;
    act.expect(
        "executed: the exchange has 0.5 ETH",
        executed && desk.balance(EXCHANGE) == U256::from(ETHER / 2),
    );
    story.tell(act);
    Ok(())
}

/// Above the row for one ether: two people, each with an own client that decodes the bytes itself.
pub(crate) async fn large_transfer(desk: &mut Desk, story: &mut Story<'_>) -> Result<(), Trouble> {
    let mut act = story.act("2 ETH: two of three people must approve");
    let action = desk.pay(EXCHANGE, 2 * ETHER)?;
    let asked = desk.ask("desk", action).await?;
    act.expect(
        "nothing is signed before they do",
        asked.stage == RequestStage::Waiting && asked.signed.is_none(),
    );
    let words = desk.approve("ana", &asked.request).await?;
    act.say("ana's own client reads the bytes, and says:");
    words.into_iter().for_each(|line| act.say(format!("  | {line}")));
    let half = desk.client.request(asked.request).await.map_err(Trouble::of("reading a request"))?;
    let waits = half.is_some_and(|detail| detail.view.stage == RequestStage::Waiting);
    act.expect("one approval is not enough", waits);
    desk.approve("ben", &asked.request).await?;
    let view = desk.finished(&asked.request).await?;
    rules(&mut act, &view);
    let executed = desk.execute(&view)?;
    let total = U256::from(ETHER / 2 + 2 * ETHER);
    act.expect("with ben's it is signed and executed", executed && desk.balance(EXCHANGE) == total);
    story.tell(act);
    Ok(())
}

/// A signature that would let somebody else take tokens: no transaction, no gas, and no.
pub(crate) async fn permit(desk: &mut Desk, story: &mut Story<'_>) -> Result<(), Trouble> {
    let mut act = story.act("A typed-data permit for all USDT: denied");
    let owner = hot_address(desk).await?;
    let json = PERMIT
        .replace("OWNER", &owner.to_string())
        .replace("TOKEN", &USDT.to_string())
        .replace("SPENDER", &THIEF.to_string());
    let view =
        desk.ask("desk", Action::TypedData(TypedData { account: account()?, chain: CHAIN, json })).await?;
    refused(&mut act, &view, |reason| {
        matches!(reason, Reason::Forbidden { .. } | Reason::NoRulePermits { .. })
    });
    story.tell(act);
    Ok(())
}

/// Bybit's shape: a multisig transaction whose payload runs foreign code in the wallet's place.
pub(crate) async fn delegate_call(desk: &mut Desk, story: &mut Story<'_>) -> Result<(), Trouble> {
    let mut act = story.act("Bybit's shape, a Safe transaction with a delegatecall: refused");
    let call = ISafe::execTransactionCall {
        to: THIEF,
        value: U256::ZERO,
        data: Bytes::from_static(&[0xa9, 0x05, 0x9c, 0xbb]),
        operation: 1,
        safeTxGas: U256::ZERO,
        baseGas: U256::ZERO,
        gasPrice: U256::ZERO,
        gasToken: Address::ZERO,
        refundReceiver: Address::ZERO,
        signatures: Bytes::new(),
    };
    let action = Action::ContractCall(ContractCall {
        account: account()?,
        chain: CHAIN,
        to: SAFE,
        value: 0_u64.into(),
        data: call.abi_encode().into(),
        gas: desk.gas(),
    });
    let view = desk.ask("desk", action).await?;
    act.say("the screen of the day showed a transfer; every node here reads operation = 1 from the bytes");
    refused(&mut act, &view, |reason| {
        matches!(reason, Reason::Forbidden { .. } | Reason::NoRulePermits { .. })
    });
    story.tell(act);
    Ok(())
}

/// The day's limit, exact to one wei, fees included.
pub(crate) async fn limit(desk: &mut Desk, story: &mut Story<'_>) -> Result<(), Trouble> {
    let mut act = story.act("0.9 ETH more would pass the day's limit: refused, with the sum");
    let action = desk.pay(EXCHANGE, ETHER / 10 * 9)?;
    let view = desk.ask("desk", action).await?;
    refused(
        &mut act,
        &view,
        |reason| matches!(reason, Reason::LimitExceeded { limit, .. } if limit.0 == U256::from(DAY_LIMIT)),
    );
    let action = desk.pay(EXCHANGE, ETHER / 10)?;
    let small = desk.ask("desk", action).await?;
    let executed = desk.execute(&small)?;
    act.expect("0.1 ETH still fits, and is signed and executed", executed);
    story.tell(act);
    Ok(())
}

/// Somebody without any key takes the log and checks it from the genesis on.
pub(crate) async fn verify_from_outside(desk: &mut Desk, story: &mut Story<'_>) -> Result<(), Trouble> {
    let mut act = story.act("Somebody outside verifies the log, from genesis to now");
    let genesis = desk.client.genesis().await.map_err(Trouble::of("reading the genesis"))?;
    let pinned = desk.home.genesis.genesis.cluster();
    let note = desk.client.checkpoint().await.map_err(Trouble::of("reading the checkpoint"))?;
    let note = note.ok_or_else(|| Trouble::because("reading the checkpoint", "there is none"))?;
    let checkpoint = SignedCheckpoint::parse(&note).map_err(Trouble::of("reading the checkpoint"))?;
    let strict = Strict::default();
    let mut auditor =
        Auditor::begin(&genesis, pinned, &strict).map_err(Trouble::of("beginning the audit"))?;
    auditor.expect_signed(&checkpoint).map_err(Trouble::of("beginning the audit"))?;
    let mut next = 1;
    loop {
        let blocks = desk.client.blocks(next, 256).await.map_err(Trouble::of("reading the log"))?;
        if blocks.is_empty() {
            break;
        }
        next += blocks.len() as u64;
        for block in blocks {
            let stored = StoredBlock { commit: block.commit, entries: block.entries };
            auditor.block(stored).map_err(Trouble::of("verifying a block"))?;
        }
    }
    let report = auditor.finish().map_err(Trouble::of("ending the audit"))?;
    let words: Vec<String> = report.decisions.iter().map(|(word, count)| format!("{count} {word}")).collect();
    act.say(format!("{} blocks, {} entries; decisions: {}", report.blocks, report.entries, words.join(", ")));
    act.say(format!("root     {}", report.root));
    act.expect("every vote, every rule, every root, and the signed checkpoint", report.checkpoints == 1);
    story.tell(act);
    Ok(())
}

fn rules(act: &mut super::story::Playing, view: &RequestView) {
    let names: Vec<&str> = view.decision.rules.iter().map(keystead_base::Name::as_str).collect();
    act.say(format!("rules    {}", names.join(", ")));
}

fn refused(act: &mut super::story::Playing, view: &RequestView, expected: impl Fn(&Reason) -> bool) {
    let Outcome::Deny { class, reasons } = &view.decision.outcome else {
        return act.expect(format!("denied, found {}", view.decision.outcome.word()), false);
    };
    if let Some(class) = class {
        act.say(format!("class    {class}"));
    }
    reasons.iter().for_each(|reason| act.say(format!("because  {reason}")));
    act.expect("denied before any key was touched", view.signed.is_none() && reasons.iter().any(expected));
}

async fn in_state(desk: &Desk, wanted: KeyState) -> Result<(), Trouble> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if desk.hot().await?.is_some_and(|key| key.state == wanted) {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    Err(Trouble::because("waiting for the key", format!("it is not {wanted:?}")))
}

async fn backup_of(desk: &Desk, view: &RequestView) -> Result<BackupFile, Trouble> {
    let digest = match view.file {
        Some(digest) => Some(digest),
        None => desk.hot().await?.and_then(|key| key.backup),
    };
    let digest = digest.ok_or_else(|| Trouble::because("reading the backup", "the key has none"))?;
    let document = desk.client.backup(digest).await.map_err(Trouble::of("reading the backup"))?;
    let document = document.ok_or_else(|| Trouble::because("reading the backup", "the node has none"))?;
    BackupFile::from_document(&document).map_err(Trouble::of("reading the backup"))
}

/// A scratch enclave with ana's key file: what a person would do on a machine of their own.
fn drill(desk: &Desk, file: BackupFile) -> Result<keystead_signing::DrillProof, Trouble> {
    let document = std::fs::read(desk.home.key_file("ana")).map_err(Trouble::of("reading a key file"))?;
    let member = MemberKeyFile::from_document(&document).map_err(Trouble::of("reading a key file"))?;
    let program = std::env::current_exe().map_err(Trouble::of("finding this program"))?;
    let arguments = crate::enclave::scratch_arguments(&desk.home.passphrase_file("ana"));
    let mut enclave =
        EnclaveClient::spawn(program, arguments).map_err(Trouble::of("starting a scratch enclave"))?;
    let recipient = member.public.name.clone();
    enclave.drill(Drill { file, recipient, member }).map_err(Trouble::of("restoring the backup"))
}

async fn hot_address(desk: &Desk) -> Result<Address, Trouble> {
    let address = desk.hot().await?.and_then(|key| key.address);
    address.ok_or_else(|| Trouble::because("reading the address", "it is not shown"))
}

/// Whoever should not be paid.
const THIEF: Address = address!("bad0000000000000000000000000000000000bad");



const PERMIT: &str = r#"{
  "types": {
    "EIP712Domain": [{"name":"name","type":"string"},{"name":"version","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],
    "Permit": [{"name":"owner","type":"address"},{"name":"spender","type":"address"},{"name":"value","type":"uint256"},{"name":"nonce","type":"uint256"},{"name":"deadline","type":"uint256"}]
  },
  "primaryType": "Permit",
  "domain": {"name":"Tether USD","version":"1","chainId":31337,"verifyingContract":"TOKEN"},
  "message": {"owner":"OWNER","spender":"SPENDER","value":"115792089237316195423570985008687907853269984665640564039457584007913129639935","nonce":"0","deadline":"4102444800"}
}"#;
