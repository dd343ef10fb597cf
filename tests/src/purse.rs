//! Coins of a recorded wallet, and PSBTs that spend them. Nothing here knows a secret.

use bitcoin::bip32::DerivationPath;
use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use bitcoin::sighash::SighashCache;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute};
use bitcoinconsensus::Utxo;
use keystead_base::Secret;
use keystead_bitcoin::{
    AccountKey, Branch, DerivedKey, Draft, DraftInput, DraftOutput, Network, Owned, Place, Psbt, PsbtVersion,
    Scheme, Spend, SpendSignature, SpendSignatures, Wallet, account_paths, compose, cosigner_path,
    read_wallet, record_wallet,
};
use keystead_intent::{BitcoinDestination, BitcoinWallet, ChainId};
use keystead_keys::{HdRoot, HdSeed};
use keystead_policy::{AddressEntry, PolicyVersion};

use crate::fixture::BIRTH;

/// Where these coins are.
pub const REGTEST: ChainId = ChainId::BITCOIN_REGTEST;
/// The forms of a wallet, in its order.
pub const FORMS: [usize; 4] = [0, 1, 2, 3];
/// `wpkh` among the forms.
pub const WPKH: usize = 2;
/// `tr` among the forms.
pub const TR: usize = 3;

/// A wallet with as many coins as anybody asks for.
pub struct Purse {
    /// The wallet, as the log records it.
    pub recorded: BitcoinWallet,
    wallet: Wallet,
}

impl Purse {
    /// The coins of a wallet that somebody recorded.
    ///
    /// # Panics
    ///
    /// When it is no wallet.
    #[must_use]
    pub fn of(recorded: BitcoinWallet) -> Self {
        let wallet = read_wallet(&recorded).expect("a wallet");
        Self { recorded, wallet }
    }

    /// The wallet of a seed whose entropy is one byte all over, as an enclave would record it.
    ///
    /// # Panics
    ///
    /// For one seed in 2^127.
    #[must_use]
    pub fn of_seed(byte: u8) -> Self {
        let root = HdSeed::from_entropy(Secret::new([byte; 32])).root().expect("a root");
        let key = |path: &[u32]| {
            let node = root.descend(path).expect("a path");
            AccountKey { parent: node.parent_fingerprint(), public: node.public() }
        };
        let keys = account_paths(Network::Regtest, 0).map(|path| key(&path));
        let cosigner = key(&cosigner_path(Network::Regtest, 0));
        let (network, master) = (Network::Regtest, root.fingerprint());
        let recorded = record_wallet(network, 0, master, &keys, &cosigner).expect("a wallet");
        Self::of(recorded)
    }

    /// A place of the wallet.
    #[must_use]
    pub fn place(form: usize, branch: Branch, index: u32) -> Owned {
        Owned { descriptor: form, place: Place { branch, index } }
    }

    /// The script at a place.
    #[must_use]
    pub fn script(&self, owned: Owned) -> ScriptBuf {
        self.wallet.derive(owned).expect("a place").script_pubkey
    }

    /// A coin of ours with this many satoshi; another number is another coin.
    #[must_use]
    pub fn coin(&self, form: usize, sat: u64, number: u8) -> DraftInput {
        let owned = Self::place(form, Branch::Receive, u32::from(number));
        let (script_sig, witness) = (ScriptBuf::new(), Witness::new());
        let before = OutPoint { txid: Txid::from_byte_array([number; 32]), vout: 0 };
        let previous = Transaction {
            version: Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn { previous_output: before, script_sig, sequence: Sequence::MAX, witness }],
            output: vec![TxOut { value: Amount::from_sat(sat), script_pubkey: self.script(owned) }],
        };
        DraftInput { previous, output: 0, owned, sequence: Sequence::ENABLE_RBF_NO_LOCKTIME }
    }

    /// What comes back.
    #[must_use]
    pub fn change(&self, form: usize, sat: u64) -> DraftOutput {
        let owned = Self::place(form, Branch::Change, 1);
        let output = TxOut { value: Amount::from_sat(sat), script_pubkey: self.script(owned) };
        DraftOutput { output, owned: Some(owned) }
    }

    /// A PSBT of coins and outputs.
    ///
    /// # Panics
    ///
    /// When a coin is not ours.
    #[must_use]
    pub fn psbt(&self, inputs: Vec<DraftInput>, outputs: Vec<DraftOutput>) -> Vec<u8> {
        self.composed(inputs, outputs).to_bytes(PsbtVersion::Zero)
    }

    /// The same, parsed.
    ///
    /// # Panics
    ///
    /// When a coin is not ours.
    #[must_use]
    pub fn composed(&self, inputs: Vec<DraftInput>, outputs: Vec<DraftOutput>) -> Psbt {
        compose(&self.wallet, &Draft { lock_time: 0, inputs, outputs }).expect("coins of ours")
    }
}

/// The secrets behind a purse, for what no enclave would sign.
pub struct Secrets(HdRoot);

impl Secrets {
    /// Those of the seed whose entropy is one byte all over.
    ///
    /// # Panics
    ///
    /// For one seed in 2^127.
    #[must_use]
    pub fn of_seed(byte: u8) -> Self {
        Self(HdSeed::from_entropy(Secret::new([byte; 32])).root().expect("a root"))
    }

    /// Those of a seed that somebody has.
    ///
    /// # Panics
    ///
    /// For one seed in 2^127.
    #[must_use]
    pub fn of(seed: &HdSeed) -> Self {
        Self(seed.root().expect("a root"))
    }

    fn key(&self, path: &DerivationPath) -> SecretKey {
        let scalar = self.0.descend(&path.to_u32_vec()).expect("a path").scalar();
        SecretKey::from_slice(scalar.expose()).expect("a scalar")
    }

    /// Signs each input of a spend, of a kind that ECDSA signs.
    ///
    /// # Panics
    ///
    /// Where a Schnorr signature is wanted.
    #[must_use]
    pub fn sign(&self, spend: &Spend) -> SpendSignatures {
        let signed = spend.view().digests().into_iter().map(|digest| {
            assert_eq!(digest.scheme, Scheme::Ecdsa);
            let mine = |key: &&DerivedKey| key.fingerprint.to_bytes() == self.0.fingerprint();
            let key = digest.keys.iter().find(mine).expect("a key of this seed");
            let message = Message::from_digest(digest.digest.0);
            let signature = Secp256k1::new().sign_ecdsa(&message, &self.key(&key.path));
            let bytes = [signature.serialize_der().as_ref(), &[1]].concat();
            let input = u32::try_from(digest.input).expect("few inputs");
            SpendSignature { input, key: key.public.serialize(), bytes }
        });
        SpendSignatures { signatures: signed.collect() }
    }

    /// A transaction that spends a coin at the first place of `wpkh`, and allows its replacement.
    ///
    /// # Panics
    ///
    /// Never.
    #[must_use]
    pub fn pays(
        &self,
        purse: &Purse,
        coin: OutPoint,
        held: u64,
        outputs: &[(ScriptBuf, u64)],
    ) -> Transaction {
        let owned = Purse::place(WPKH, Branch::Receive, 0);
        let derived = purse.wallet.derive(owned).expect("a place");
        let (key, script) = (&derived.keys[0], &derived.script_pubkey);
        let (script_sig, witness) = (ScriptBuf::new(), Witness::new());
        let sequence = Sequence::ENABLE_RBF_NO_LOCKTIME;
        let mut transaction = Transaction {
            version: Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn { previous_output: coin, script_sig, sequence, witness }],
            output: outputs.iter().map(|(script, sat)| pay(*sat, script.clone()).output).collect(),
        };
        let mut cache = SighashCache::new(&transaction);
        let kind = bitcoin::EcdsaSighashType::All;
        let hash = cache.p2wpkh_signature_hash(0, script, Amount::from_sat(held), kind).expect("a digest");
        let message = Message::from_digest(hash.to_byte_array());
        let signature = Secp256k1::new().sign_ecdsa(&message, &self.key(&key.path));
        let signature = bitcoin::ecdsa::Signature { signature, sighash_type: kind };
        transaction.input[0].witness = Witness::p2wpkh(&signature, &key.public);
        transaction
    }

    /// The witness of an input of `wpkh`, signed as a PSBT says: over the amount in `WITNESS_UTXO`, with the type that it asks for.
    ///
    /// # Panics
    ///
    /// When the PSBT says too little.
    #[must_use]
    pub fn sign_as_said(&self, psbt: &bitcoin::Psbt, input: usize) -> Witness {
        let said = &psbt.inputs[input];
        let utxo = said.witness_utxo.as_ref().expect("an amount");
        let (public, (_, path)) = said.bip32_derivation.first_key_value().expect("a derivation");
        let kind = said.ecdsa_hash_ty().expect("a type of ECDSA");
        let mut cache = SighashCache::new(&psbt.unsigned_tx);
        let hash =
            cache.p2wpkh_signature_hash(input, &utxo.script_pubkey, utxo.value, kind).expect("a digest");
        let message = Message::from_digest(hash.to_byte_array());
        let signature = Secp256k1::new().sign_ecdsa(&message, &self.key(path));
        Witness::p2wpkh(&bitcoin::ecdsa::Signature { signature, sighash_type: kind }, public)
    }
}

/// Whether Bitcoin Core's consensus code takes every input of a transaction that spends these outputs.
#[must_use]
pub fn consensus_takes(transaction: &Transaction, spent: &[TxOut]) -> bool {
    let bytes = bitcoin::consensus::serialize(transaction);
    let utxos: Vec<Utxo> = spent.iter().map(utxo).collect();
    let takes = |(input, output): (usize, &TxOut)| {
        let (script, sat) = (output.script_pubkey.as_bytes(), output.value.to_sat());
        bitcoinconsensus::verify(script, sat, &bytes, Some(&utxos), input).is_ok()
    };
    transaction.input.len() == spent.len() && spent.iter().enumerate().all(takes)
}

fn utxo(output: &TxOut) -> Utxo {
    let script = output.script_pubkey.as_bytes();
    Utxo {
        script_pubkey: script.as_ptr(),
        script_pubkey_len: u32::try_from(script.len()).expect("a short script"),
        value: i64::try_from(output.value.to_sat()).expect("an amount"),
    }
}

/// A policy that lists Bitcoin, and the payee in its address book.
pub fn lists_payee(policy: &mut PolicyVersion) {
    policy.chains.push(REGTEST);
    let (address, name, usable_from) = (named(&payee()), crate::fixture::name("payee"), BIRTH);
    policy.address_book.push(AddressEntry { chain: REGTEST, address, name, usable_from });
    policy.address_book.sort_by_key(|entry| (entry.chain, entry.address));
}

/// A payment to a script.
#[must_use]
pub fn pay(sat: u64, script_pubkey: ScriptBuf) -> DraftOutput {
    DraftOutput { output: TxOut { value: Amount::from_sat(sat), script_pubkey }, owned: None }
}

/// Somebody whom the address book names: a witness program of a key hash.
///
/// # Panics
///
/// Never.
#[must_use]
pub fn payee() -> ScriptBuf {
    ScriptBuf::from_hex("0014751e76e8199196d454941c45d1b3a323f1433bd6").expect("a script")
}

/// How the address book names a script.
#[must_use]
pub fn named(script: &ScriptBuf) -> alloy_primitives::Address {
    BitcoinDestination { chain: REGTEST, script: script.to_bytes().into() }.id()
}
