//! Bitcoin in the enclave: what it derives, what it signs, and what it refuses although its parent asks.

use bitcoin::NetworkKind;
use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::Secp256k1;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute};
use keystead_base::Canonical as _;
use keystead_bitcoin::{
    Branch, Completed, Descriptor, Draft, DraftInput, DraftOutput, Owned, Place, PsbtVersion, Spend, compose,
    read_wallet, shared_wallet,
};
use keystead_decision::{Certificate, Grant, Outcome};
use keystead_intent::{AccountRef, BitcoinWallet, ChainId, DangerClass, PsbtSpend};
use keystead_policy::{BitcoinTerms, SharedWallet};
use keystead_signing::{BatchItem, ClientError, EnclaveClient, ItemResult, ReleasedSpend, WalletOf};

use super::Test;
use super::fixture::{Cluster, advance, name, soon};

pub(super) const TESTS: &[Test] = &[
    ("s07_every_form_is_signed_and_makes_a_transaction", every_form),
    ("s03_the_wallet_is_the_seed_s_and_proven_by_its_first_account", proven),
    ("s02_only_the_granted_psbt_of_the_key_s_own_wallet_is_signed", refusals),
    ("s02_a_shared_wallet_is_signed_for_as_policy_has_it", shared),
    ("s02_twin_an_enclave_that_believes_its_parent_signs_another_psbt", twin),
];

const REGTEST: ChainId = ChainId::BITCOIN_REGTEST;

fn wallet(enclave: &mut EnclaveClient) -> BitcoinWallet {
    enclave.wallet(WalletOf { key: name("hot"), chain: REGTEST }).unwrap().wallet
}

/// Pays from one coin of each of these forms.
pub(crate) fn psbt(recorded: &BitcoinWallet, forms: &[usize], sat: u64) -> PsbtSpend {
    let wallet = read_wallet(recorded).unwrap();
    let inputs = forms.iter().zip(1..).map(|(form, number)| {
        let owned = Owned { descriptor: *form, place: Place { branch: Branch::Receive, index: number } };
        let script = wallet.derive(owned).unwrap().script_pubkey;
        let before = OutPoint { txid: Txid::from_byte_array([7; 32]), vout: number };
        let input = TxIn {
            previous_output: before,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        };
        let output = TxOut { value: Amount::from_sat(100_000), script_pubkey: script };
        let lock_time = absolute::LockTime::ZERO;
        let previous =
            Transaction { version: Version::TWO, lock_time, input: vec![input], output: vec![output] };
        DraftInput { previous, output: 0, owned, sequence: Sequence::MAX }
    });
    let payee = ScriptBuf::from_hex("0014751e76e8199196d454941c45d1b3a323f1433bd6").unwrap();
    let output = TxOut { value: Amount::from_sat(sat), script_pubkey: payee };
    let outputs = vec![DraftOutput { output, owned: None }];
    let psbt = compose(&wallet, &Draft { lock_time: 0, inputs: inputs.collect(), outputs }).unwrap();
    let account = AccountRef { key: name("hot"), index: 0 };
    PsbtSpend {
        account,
        chain: REGTEST,
        psbt: psbt.to_bytes(PsbtVersion::Two).into(),
        replaces: None,
        shared: None,
    }
}

pub(crate) fn grant(recorded: &BitcoinWallet, it: &PsbtSpend) -> Grant {
    Grant {
        account: it.account.clone(),
        address: recorded.id(),
        epoch: 0,
        chain: it.chain,
        signing_digest: Spend::read(recorded, &it.psbt).unwrap().signing_digest(),
        slot: None,
        class: DangerClass::Transfer,
        expires: soon(),
    }
}

fn sign(
    enclave: &mut EnclaveClient,
    certificate: &Certificate,
    it: &PsbtSpend,
) -> Result<ReleasedSpend, String> {
    let (decision, proof) = (certificate.decision.clone(), certificate.proof.clone());
    let item = BatchItem { decision, proof, unsigned: it.to_document() };
    match enclave.sign(&certificate.commit, vec![item]).unwrap().remove(0) {
        ItemResult::Spent(released) => Ok(released),
        ItemResult::Refused(refusal) => Err(refusal.code),
        ItemResult::Signed(_) | ItemResult::Admitted | ItemResult::SignedMessage(_) => {
            panic!("a PSBT is no payload of another chain's")
        }
    }
}

fn every_form() {
    let mut cluster = Cluster::new();
    let (mut enclave, _, _) = cluster.with_hot_key(&[]);
    let recorded = wallet(&mut enclave);
    for forms in [&[0][..], &[1], &[2], &[3], &[0, 1, 2, 3], &[3, 3]] {
        let it = psbt(&recorded, forms, 90_000);
        let certificate = cluster.certificate(Outcome::Allow(grant(&recorded, &it)));
        let released = sign(&mut enclave, &certificate, &it).unwrap();
        assert_eq!(released.signatures.signatures.len(), forms.len());
        let spend = Spend::read(&recorded, &it.psbt).unwrap();
        assert_eq!((released.signing_digest, released.wallet), (spend.signing_digest(), recorded.id()));
        spend.finalize(&released.signatures).unwrap();
    }
}

fn proven() {
    let mut cluster = Cluster::new();
    let (mut enclave, _, held) = cluster.with_hot_key(&[]);
    let it = enclave.wallet(WalletOf { key: name("hot"), chain: REGTEST }).unwrap();
    let challenge = keystead_decision::wallet_challenge(cluster.id(), &name("hot"), &it.wallet.digest());
    assert!(held.account.proves_control(&challenge, &it.proof));
    let code = |enclave: &mut EnclaveClient, key, chain| match enclave
        .wallet(WalletOf { key: name(key), chain })
        .unwrap_err()
    {
        ClientError::Refused(refusal) => refusal.code,
        error => panic!("{error}"),
    };
    assert_eq!(code(&mut enclave, "warm", REGTEST), "vault.unknown");
    for chain in [ChainId::BITCOIN_MAINNET, ChainId(1)] {
        assert_eq!(code(&mut enclave, "hot", chain), "enclave.no_wallet", "{chain}");
    }
}

fn refusals() {
    let mut cluster = Cluster::new();
    let (mut enclave, _, _) = cluster.with_hot_key(&[]);
    let recorded = wallet(&mut enclave);
    let it = psbt(&recorded, &[2], 90_000);
    let right = grant(&recorded, &it);
    let code = |enclave: &mut EnclaveClient, cluster: &mut Cluster, grant: Grant, it: &PsbtSpend| {
        let certificate = cluster.certificate(Outcome::Allow(grant));
        sign(enclave, &certificate, it).unwrap_err()
    };
    let other = psbt(&recorded, &[2], 80_000);
    assert_eq!(code(&mut enclave, &mut cluster, right.clone(), &other), "certificate.digest");
    let chain = Grant { chain: ChainId::BITCOIN_SIGNET, ..right.clone() };
    assert_eq!(code(&mut enclave, &mut cluster, chain, &it), "enclave.chain");
    let address = Grant { address: Default::default(), ..right.clone() };
    assert_eq!(code(&mut enclave, &mut cluster, address, &it), "enclave.account");
    let epoch = Grant { epoch: 1, ..right.clone() };
    assert_eq!(code(&mut enclave, &mut cluster, epoch, &it), "enclave.epoch");
    // An account that nobody recorded, although the log would grant it.
    let account = AccountRef { key: name("hot"), index: 1 };
    let elsewhere = PsbtSpend { account: account.clone(), ..it.clone() };
    let granted = Grant { account, ..right.clone() };
    assert_eq!(code(&mut enclave, &mut cluster, granted, &elsewhere), "enclave.no_wallet");
    let broken = PsbtSpend { psbt: b"psbt".to_vec().into(), ..it.clone() };
    assert_eq!(code(&mut enclave, &mut cluster, right.clone(), &broken), "psbt.magic");
    let certificate = cluster.certificate(Outcome::Allow(right));
    assert!(sign(&mut enclave, &certificate, &it).is_ok());
}

/// The key of a co-signer that the enclave knows nothing of.
fn stranger(byte: u8) -> String {
    let secp = Secp256k1::new();
    let master = Xpriv::new_master(NetworkKind::Test, &[byte; 64]).unwrap();
    let path: DerivationPath = "48'/1'/0'/2'".parse().unwrap();
    let xpub = Xpub::from_priv(&secp, &master.derive_priv(&secp, &path).unwrap());
    format!("[{}/48h/1h/0h/2h]{xpub}/<0;1>/*", master.fingerprint(&secp))
}

/// Two of three, of which one is the enclave's: its signature is one of those that the network takes, and only for the
/// descriptor that people registered.
fn shared() {
    let mut cluster = Cluster::new();
    let (mut enclave, _, _) = cluster.with_hot_key(&[]);
    let own = wallet(&mut enclave);
    let body = format!("wsh(sortedmulti(2,{},{},{}))", stranger(1), own.cosigner, stranger(2));
    let descriptor = Descriptor::with_checksum(&body).unwrap();
    let of_vault = shared_wallet(&own, &descriptor).unwrap();
    let mut it = psbt(&of_vault, &[0], 90_000);
    it.shared = Some(name("vault"));
    let code = |enclave: &mut EnclaveClient, cluster: &mut Cluster, it: &PsbtSpend| {
        let certificate = cluster.certificate(Outcome::Allow(grant(&of_vault, it)));
        sign(enclave, &certificate, it).map(drop)
    };
    // Nobody registered it yet, whatever the log would grant.
    assert_eq!(code(&mut enclave, &mut cluster, &it), Err("enclave.no_wallet".to_owned()));
    let registered = SharedWallet { chain: REGTEST, name: name("vault"), key: name("hot"), descriptor };
    let transition = cluster.changed_policy(|policy| {
        policy.bitcoin = Some(BitcoinTerms { shared_wallets: vec![registered], ..BitcoinTerms::default() });
    });
    advance(&mut enclave, vec![transition], None);
    cluster.confirm(&mut enclave).unwrap();
    let certificate = cluster.certificate(Outcome::Allow(grant(&of_vault, &it)));
    let released = sign(&mut enclave, &certificate, &it).unwrap();
    assert_eq!(released.wallet, of_vault.id());
    let spend = Spend::read(&of_vault, &it.psbt).unwrap();
    assert!(matches!(spend.complete(&released.signatures), Ok(Completed::Partly(_))));
    // The same coins as those of the key alone, and another name: neither is signed.
    let alone = PsbtSpend { shared: None, ..it.clone() };
    assert_eq!(code(&mut enclave, &mut cluster, &alone), Err("bitcoin.nothing_of_ours".to_owned()));
    let elsewhere = PsbtSpend { shared: Some(name("other")), ..it };
    assert_eq!(code(&mut enclave, &mut cluster, &elsewhere), Err("enclave.no_wallet".to_owned()));
}

fn twin() {
    let mut cluster = Cluster::new();
    let (mut enclave, _, _) = cluster.with_hot_key(&["twin"]);
    let recorded = wallet(&mut enclave);
    let (it, other) = (psbt(&recorded, &[2], 90_000), psbt(&recorded, &[2], 10_000));
    let certificate = cluster.certificate(Outcome::Allow(grant(&recorded, &it)));
    let released = sign(&mut enclave, &certificate, &other).unwrap();
    let spend = Spend::read(&recorded, &other.psbt).unwrap();
    assert!(spend.finalize(&released.signatures).is_ok(), "what was never granted can be spent");
}
