//! What a coordinator could answer that the account did not sign over this very payload: none of it is handed on.

use alloy_consensus::{
    SignableTransaction, Signed, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxEnvelope, TxLegacy,
};
use alloy_dyn_abi::eip712::TypedData;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_eips::eip7702::Authorization;
use alloy_network::TxSigner as _;
use alloy_primitives::{Address, B256, Bytes, Signature, U256, eip191_hash_message, keccak256};
use alloy_rpc_client::RpcClient;
use alloy_signer::{Error, Signer as _, UnsupportedSignerOperation};
use alloy_sol_types::{Eip712Domain, SolStruct as _, eip712_domain, sol};
use alloy_transport::mock::Asserter;
use secp256k1::{Message, PublicKey, Secp256k1, SecretKey};

use crate::{KeysteadSigner, KeysteadSignerError, document};

sol! {
    struct Note { string text; }
}

const CHAIN: u64 = 31_337;

/// What the signer is asked for.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Message,
    Structure,
    Document,
    Transaction,
    Authorization,
}

impl Asked {
    const ALL: [Self; 5] =
        [Self::Message, Self::Structure, Self::Document, Self::Transaction, Self::Authorization];

    fn digest(self) -> B256 {
        match self {
            Self::Message => eip191_hash_message(b"hello"),
            Self::Structure | Self::Document => note().eip712_signing_hash(&domain()),
            Self::Transaction => transaction(1).signature_hash(),
            Self::Authorization => authorization(1).signature_hash(),
        }
    }

    /// A coordinator's answer with this signature in it.
    fn answer(self, signature: Signature) -> Vec<u8> {
        match self {
            Self::Message | Self::Structure | Self::Document => signature.as_bytes().to_vec(),
            Self::Transaction => TxEnvelope::from(transaction(1).into_signed(signature)).encoded_2718(),
            Self::Authorization => alloy_rlp::encode(authorization(1).into_signed(signature)),
        }
    }

    /// The account's own signature over something else of the kind, as a coordinator would tell it.
    fn other(self) -> Vec<u8> {
        match self {
            Self::Message => sign(OURS, eip191_hash_message(b"hullo")).as_bytes().to_vec(),
            Self::Structure | Self::Document => sign(OURS, keccak256(b"another note")).as_bytes().to_vec(),
            Self::Transaction => {
                let signature = sign(OURS, transaction(2).signature_hash());
                TxEnvelope::from(transaction(2).into_signed(signature)).encoded_2718()
            }
            Self::Authorization => {
                let signature = sign(OURS, authorization(2).signature_hash());
                alloy_rlp::encode(authorization(2).into_signed(signature))
            }
        }
    }

    /// What the signer makes of an answer.
    async fn ask(self, answer: Vec<u8>) -> Result<Signature, KeysteadSignerError> {
        let signer = signer(Some(answer)).await;
        match self {
            Self::Message => signer.sign_message(b"hello").await.map_err(inner),
            Self::Structure => signer.sign_typed_data(&note(), &domain()).await.map_err(inner),
            Self::Document => {
                let document: TypedData = document::of(&note(), &domain()).unwrap();
                signer.sign_dynamic_typed_data(&document).await.map_err(inner)
            }
            Self::Transaction => signer.sign_transaction(&mut transaction(1)).await.map_err(inner),
            Self::Authorization => {
                let signed = signer.sign_authorization(authorization(1)).await?;
                assert_eq!(*signed.inner(), authorization(1), "what was asked for, whatever came back");
                Ok(signed.signature().unwrap())
            }
        }
    }
}

#[tokio::test]
async fn s07_only_the_account_s_own_signature_over_this_payload_is_handed_on() {
    for asked in Asked::ALL {
        let own = sign(OURS, asked.digest());
        assert_eq!(asked.ask(asked.answer(own)).await.unwrap(), own, "{asked:?}");
        for (what, answer) in [
            ("somebody else's", asked.answer(sign(THEIRS, asked.digest()))),
            ("of another digest", asked.answer(sign(OURS, keccak256(b"another digest")))),
            ("of another parity", asked.answer(own.with_parity(!own.v()))),
            ("of another payload", asked.other()),
        ] {
            let found = asked.ask(answer).await;
            let expected = |it: &KeysteadSignerError| matches!(it, KeysteadSignerError::Signer { expected, .. } if *expected == account(OURS));
            assert!(found.as_ref().is_err_and(expected), "{what}: {asked:?}: {found:?}");
        }
    }
}

#[tokio::test]
async fn s07_a_high_s_and_what_is_no_whole_answer_are_refused() {
    for asked in Asked::ALL {
        let own = asked.answer(sign(OURS, asked.digest()));
        let (mut short, mut long) = (own.clone(), own.clone());
        short.pop();
        long.push(0);
        for (what, answer) in [
            ("high s", asked.answer(high(sign(OURS, asked.digest())))),
            ("zero", asked.answer(Signature::new(U256::ZERO, U256::ZERO, false))),
            ("short", short),
            ("nothing", Vec::new()),
            ("long", long),
        ] {
            let found = asked.ask(answer).await;
            let refused = matches!(found, Err(KeysteadSignerError::Answer { .. }));
            assert!(refused, "{what}: {asked:?}: {found:?}");
        }
    }
}

/// Types 0 to 4: each comes back in its own envelope.
#[tokio::test]
async fn s07_a_transaction_of_every_type_is_signed_and_no_other_one_is_handed_on() {
    let (gas_limit, value) = (21_000, U256::from(1));
    let (to, max_fee_per_gas) = (Address::repeat_byte(6), 9);
    own_alone(TxLegacy { chain_id: Some(CHAIN), gas_limit, value, ..TxLegacy::default() }).await;
    own_alone(TxEip2930 { chain_id: CHAIN, gas_limit, value, ..TxEip2930::default() }).await;
    own_alone(TxEip1559 { chain_id: CHAIN, gas_limit, value, ..TxEip1559::default() }).await;
    let blob_versioned_hashes = vec![B256::with_last_byte(1)];
    own_alone(TxEip4844 {
        chain_id: CHAIN,
        to,
        blob_versioned_hashes,
        max_fee_per_gas,
        ..TxEip4844::default()
    })
    .await;
    let signature = sign(THEIRS, authorization(1).signature_hash());
    let authorization_list = vec![authorization(1).into_signed(signature)];
    own_alone(TxEip7702 { chain_id: CHAIN, to, authorization_list, ..TxEip7702::default() }).await;
}

async fn own_alone<T>(transaction: T)
where
    T: SignableTransaction<Signature> + Clone + std::fmt::Debug,
    TxEnvelope: From<Signed<T>>,
{
    let raw = |signature| TxEnvelope::from(transaction.clone().into_signed(signature)).encoded_2718();
    let own = sign(OURS, transaction.signature_hash());
    for (answer, expected) in [
        (raw(own), Some(own)),
        (raw(sign(THEIRS, transaction.signature_hash())), None),
        (raw(sign(OURS, keccak256(b"another digest"))), None),
    ] {
        let found =
            signer(Some(answer)).await.sign_transaction(&mut transaction.clone()).await.map_err(inner);
        match expected {
            Some(own) => assert_eq!(found.unwrap(), own, "{transaction:?}"),
            None => assert!(matches!(found, Err(KeysteadSignerError::Signer { .. })), "{found:?}"),
        }
    }
}

#[tokio::test]
async fn s02_a_bare_hash_is_refused_and_asked_of_nobody() {
    // Whoever asked would find no answer, which is another error.
    let found = signer(None).await.sign_hash(&B256::repeat_byte(1)).await;
    let refused = Err(UnsupportedSignerOperation::SignHash);
    let found = found.map_err(|error| match error {
        Error::UnsupportedOperation(what) => what,
        other => panic!("{other}"),
    });
    assert_eq!(found, refused);
}

/// A coordinator of one account that gives this answer to the first question.
async fn signer(answer: Option<Vec<u8>>) -> KeysteadSigner {
    let coordinator = Asserter::new();
    coordinator.push_success(&"0x7a69");
    coordinator.push_success(&[account(OURS)]);
    if let Some(answer) = answer {
        coordinator.push_success(&Bytes::from(answer));
    }
    KeysteadSigner::new(RpcClient::mocked(coordinator), account(OURS), None).await.unwrap()
}

/// Alloy's traits carry errors of others in a box.
fn inner(error: Error) -> KeysteadSignerError {
    match error {
        Error::Other(error) => *error.downcast::<KeysteadSignerError>().unwrap(),
        other => panic!("{other}"),
    }
}

fn sign(key: u8, digest: B256) -> Signature {
    let key = SecretKey::from_byte_array([key; 32]).unwrap();
    let signed = Secp256k1::signing_only().sign_ecdsa_recoverable(Message::from_digest(digest.0), &key);
    let (id, bytes) = signed.serialize_compact();
    Signature::from_bytes_and_parity(&bytes, i32::from(id) == 1)
}

/// The same signature as others would write it (ECDSA is malleable).
fn high(signature: Signature) -> Signature {
    let high = Signature::new(signature.r(), ORDER - signature.s(), !signature.v());
    assert!(high.normalize_s().is_some());
    high
}

fn account(key: u8) -> Address {
    let key = SecretKey::from_byte_array([key; 32]).unwrap();
    let public = PublicKey::from_secret_key(&Secp256k1::signing_only(), &key).serialize_uncompressed();
    Address::from_raw_public_key(&public[1..])
}

fn note() -> Note {
    Note { text: "hello".to_owned() }
}

fn domain() -> Eip712Domain {
    eip712_domain! { chain_id: CHAIN, verifying_contract: Address::repeat_byte(9), }
}

fn transaction(value: u64) -> TxEip1559 {
    TxEip1559 { chain_id: CHAIN, gas_limit: 21_000, value: U256::from(value), ..TxEip1559::default() }
}

fn authorization(nonce: u64) -> Authorization {
    Authorization { chain_id: U256::from(CHAIN), address: Address::repeat_byte(8), nonce }
}

const OURS: u8 = 7;
const THEIRS: u8 = 8;
/// The order of secp256k1 (SEC 2, section 2.4.1).
const ORDER: U256 =
    alloy_primitives::uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
