//! Execution: what is taken, what is refused, and what the outcome shows.

use alloy_consensus::{TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{address, hex};
use keystead_base::Coded as _;

use super::*;
use crate::{BASE_FEE_WEI, Changed, DevnetError, Frame, FrameKind, Message as Call, Status};

const TO: Address = address!("00000000000000000000000000000000000a11ce");

#[test]
fn a_transfer_moves_value_and_fee_exactly() {
    let (mut chain, account) = funded();
    let receipt = send(&mut chain, &account.sign(transfer(0, TO, ETHER)));

    assert_eq!((receipt.from, receipt.to, receipt.block), (account.address, Some(TO), 1));
    assert_eq!(receipt.fee(), U256::from(21_000 * 2 * GWEI));
    assert_eq!(chain.balance(TO), U256::from(ETHER));
    let left = U256::from(9 * ETHER) - receipt.fee();
    assert_eq!(chain.balance(account.address), left);
    let change = &receipt.outcome.changes[&account.address];
    assert_eq!(change.balance, Some(Changed { before: U256::from(10 * ETHER), after: left }));
    assert_eq!(change.nonce, Some(Changed { before: 0, after: 1 }));
    assert_eq!(receipt.outcome.changes[&TO].nonce, None);
    assert_eq!(receipt.outcome.frames.len(), 1);
}

#[test]
fn every_signable_form_executes() {
    let (mut chain, account) = funded();
    let gas_price = 2 * GWEI;
    let to = TxKind::Call(TO);
    let value = U256::from(1);
    let legacy = |nonce, chain_id| TxLegacy {
        chain_id,
        nonce,
        gas_price,
        gas_limit: 21_000,
        to,
        value,
        input: Bytes::new(),
    };
    send(&mut chain, &account.sign(legacy(0, Some(CHAIN))));
    send(&mut chain, &account.sign(legacy(1, None)));
    let tx = TxEip2930 {
        chain_id: CHAIN,
        nonce: 2,
        gas_price,
        gas_limit: 30_000,
        to,
        value,
        ..Default::default()
    };
    send(&mut chain, &account.sign(tx));
    send(&mut chain, &account.sign(transfer(3, TO, 1)));
    assert_eq!(chain.balance(TO), U256::from(4));
    assert_eq!(chain.receipts().map(|receipt| receipt.nonce).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let nonces = (0..6).map(|block| chain.nonce_at(account.address, block));
    assert_eq!(nonces.collect::<Vec<_>>(), [0, 1, 2, 3, 4, 4]);
}

#[test]
fn a_delegation_is_a_change_of_code() {
    let (mut chain, account) = funded();
    let delegate = chain.deploy(TO, init(&[0x00])).unwrap();
    for chain_id in [CHAIN, 0] {
        let authority = Account::new(40 + u8::try_from(chain_id % 7).unwrap());
        let authorization = Authorization { chain_id: U256::from(chain_id), address: delegate, nonce: 0 };
        let signature = authority.sign_hash(authorization.signature_hash());
        let nonce = chain.nonce(account.address);
        let receipt = send(
            &mut chain,
            &account.sign(TxEip7702 {
                chain_id: CHAIN,
                nonce,
                gas_limit: 100_000,
                max_fee_per_gas: 2 * GWEI,
                to: TO,
                authorization_list: vec![authorization.into_signed(signature)],
                ..Default::default()
            }),
        );
        assert!(receipt.outcome.changes[&authority.address].code.is_some());
        assert_eq!(chain.code(authority.address)[..3], hex!("ef0100"));
        assert_eq!(chain.code(authority.address)[3..], delegate.0[..]);
    }
}

#[test]
fn what_a_real_chain_refuses_is_refused() {
    let (chain, account) = funded();
    let good = transfer(0, TO, 1);
    let cases: [(&str, Vec<u8>); 9] = [
        ("devnet.decode", b"garbage".to_vec()),
        ("devnet.decode", [account.sign(good.clone()), vec![0]].concat()),
        ("devnet.too_long", vec![0; crate::MAX_RAW_TRANSACTION_BYTES + 1]),
        ("devnet.chain_id", account.sign(TxEip1559 { chain_id: 1, ..good.clone() })),
        ("devnet.nonce", account.sign(TxEip1559 { nonce: 1, ..good.clone() })),
        ("devnet.funds", account.sign(transfer(0, TO, 10 * ETHER))),
        ("devnet.funds", Account::new(9).sign(good.clone())),
        ("devnet.invalid", account.sign(TxEip1559 { max_fee_per_gas: 1, ..good.clone() })),
        ("devnet.invalid", account.sign(TxEip1559 { gas_limit: (1 << 24) + 1, ..good })),
    ];
    for (code, raw) in cases {
        let mut chain = chain.clone();
        let error = chain.execute_raw(&raw).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!((chain.head().number(), chain.balance(TO)), (0, U256::ZERO));
    }
}

#[test]
fn s04_a_nonce_is_used_once() {
    let (mut chain, account) = funded();
    let raw = account.sign(transfer(0, TO, 1));
    let hash = send(&mut chain, &raw).hash;
    assert_eq!(chain.execute_raw(&raw).unwrap_err(), DevnetError::AlreadyKnown { hash, block: 1 });
    let twin = account.sign(transfer(0, TO, 2));
    assert_eq!(chain.execute_raw(&twin).unwrap_err(), DevnetError::Nonce { expected: 1, found: 0 });
}

#[test]
fn s07_a_signature_with_a_high_s_is_refused() {
    let (mut chain, account) = funded();
    let tx = transfer(0, TO, 1);
    let signature = account.sign_hash(tx.signature_hash());
    let order = U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
    let high = Signature::new(signature.r(), order - signature.s(), !signature.v());
    let raw = TxEnvelope::from(tx.into_signed(high)).encoded_2718();
    assert_eq!(chain.execute_raw(&raw).unwrap_err(), DevnetError::Signature);
}

#[test]
fn storage_logs_and_inner_calls_are_shown() {
    let (mut chain, account) = funded();
    // PUSH1 42, PUSH1 1, SSTORE; PUSH1 7, PUSH1 0, PUSH1 0, LOG1.
    let writer = chain.deploy(TO, init(&hex!("602a600155600760006000a1"))).unwrap();
    // DELEGATECALL(gas, writer, 0, 0, 0, 0).
    let caller = [&hex!("600060006000600073")[..], writer.as_slice(), &hex!("5af4")].concat();
    let proxy = chain.deploy(TO, init(&caller)).unwrap();

    let message = Call::call(account.address, proxy, Bytes::new());
    let preview = chain.call(&message).unwrap();
    assert_eq!(chain.storage(proxy, U256::from(1)), U256::ZERO, "a call leaves nothing behind");
    let receipt = chain.execute(&message).unwrap();
    assert_eq!(receipt.outcome.changes, preview.changes);

    let slot = receipt.outcome.changes[&proxy].storage[&U256::from(1)];
    assert_eq!(slot, Changed { before: U256::ZERO, after: U256::from(42) });
    assert_eq!(chain.storage(proxy, U256::from(1)), U256::from(42));
    assert!(!receipt.outcome.changes.contains_key(&writer));
    assert_eq!(receipt.outcome.logs[0].address, proxy);
    let Frame { depth, kind, from, to, returned, .. } = receipt.outcome.frames[1].clone();
    assert_eq!((depth, kind, from, to, returned), (1, FrameKind::DelegateCall, proxy, Some(writer), true));
}

#[test]
fn a_revert_is_mined_and_changes_only_nonce_and_fee() {
    let (mut chain, account) = funded();
    // MSTORE8(0, 0xaa), REVERT(0, 1).
    let target = chain.deploy(TO, init(&hex!("60aa60005360016000fd"))).unwrap();
    let mut tx = transfer(0, target, 0);
    tx.gas_limit = 50_000;
    let receipt = send(&mut chain, &account.sign(tx));
    assert_eq!(receipt.outcome.status, Status::Reverted);
    assert_eq!(receipt.outcome.output[..], hex!("aa"));
    let touched: Vec<_> = receipt.outcome.changes.keys().filter(|a| !a.is_zero()).collect();
    assert_eq!(touched, [&account.address]);
    assert_eq!(chain.nonce(account.address), 1);

    let failed = chain.deploy(TO, hex!("60006000fd").to_vec()).unwrap_err();
    assert_eq!(failed.code(), "devnet.failed");
}

#[test]
fn gas_estimates_are_the_least_that_works() {
    let (mut chain, account) = funded();
    let writer = chain.deploy(TO, init(&hex!("602a600155"))).unwrap();
    let message = Call::call(account.address, writer, Bytes::new());
    let least = chain.estimate_gas(&message).unwrap();
    let with = |gas_limit| chain.call(&Call { gas_limit, ..message.clone() }).unwrap().status;
    assert_eq!(with(least), Status::Success);
    assert!(matches!(with(least - 1), Status::Halted { .. }));
}

#[test]
fn osaka_rules_hold() {
    let (chain, account) = funded();
    let p256 = address!("0000000000000000000000000000000000000100");
    // EIP-7951's first vector (Wycheproof, ecdsa_secp256r1_sha256).
    let input = hex!(
        "4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4d
         a73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac
         36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d60
         4aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff3
         7618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e"
    );
    let outcome = chain.call(&Call::call(account.address, p256, input)).unwrap();
    assert_eq!(outcome.output.last(), Some(&1));
}

#[test]
fn a_clone_is_a_snapshot_and_equal_histories_have_equal_hashes() {
    let (mut chain, account) = funded();
    let (before, raw) = (chain.clone(), account.sign(transfer(0, TO, 1)));
    send(&mut chain, &raw);
    assert_eq!(before.balance(TO), U256::ZERO);
    let mut twin = before.clone();
    send(&mut twin, &raw);
    assert_eq!(twin.head().hash(), chain.head().hash());
    let mut other = before;
    send(&mut other, &account.sign(transfer(0, TO, 2)));
    assert_ne!(other.head().hash(), chain.head().hash());
}

#[test]
fn time_is_handed_in_and_never_goes_back() {
    let (mut chain, _) = funded();
    assert_eq!(chain.head().time_seconds(), GENESIS_SECONDS);
    chain.set_time(GENESIS_SECONDS + 3600);
    assert_eq!(chain.mine().time_seconds(), GENESIS_SECONDS + 3600);
    chain.set_time(5);
    assert_eq!(chain.mine().time_seconds(), GENESIS_SECONDS + 3601);
    assert_eq!(chain.head().header().base_fee_per_gas, Some(BASE_FEE_WEI));
}
