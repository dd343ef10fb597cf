//! A wallet of every form with the secrets behind it, random payments of it, and PSBTs as lists of pairs.

use bitcoin::absolute::LockTime;
use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::hashes::Hash as _;
use bitcoin::key::TapTweak as _;
use bitcoin::secp256k1::{All, Keypair, Message, Secp256k1, SecretKey};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, NetworkKind, OutPoint, PubkeyHash, ScriptBuf, ScriptHash, Sequence, Transaction, TxIn, TxOut,
    Txid, WPubkeyHash, WScriptHash, Witness, XOnlyPublicKey,
};
use keystead_bitcoin::{
    Branch, Descriptor, DescriptorError, Draft, DraftInput, DraftOutput, InputSignature, Network, Owned,
    Place, Scheme, Sighash, SigningDigest, Terms, Wallet,
};
use keystead_tests::fixture::name;

use crate::dice::Dice;

/// A wallet, and its secrets.
pub(crate) struct Purse {
    pub(crate) wallet: Wallet,
    secp: Secp256k1<All>,
    masters: Vec<Xpriv>,
}

/// `pkh`, `sh(wpkh)`, `wpkh`, `tr`, and 2 of 3 keys in a `wsh`.
const FORMS: usize = 5;

/// What an ordinary payment needs, and lock times: this is about bytes, not about what policy permits.
pub(crate) fn terms() -> Terms {
    Terms {
        lock_time_height: u32::MAX,
        lock_time_seconds: u32::MAX,
        relative_locks: true,
        ..Terms::default()
    }
}

impl Purse {
    pub(crate) fn open() -> Self {
        let secp = Secp256k1::new();
        let master = |it: u8| Xpriv::new_master(NetworkKind::Test, &[it; 64]).expect("a master");
        let masters: Vec<Xpriv> = (1..=3).map(master).collect();
        let single = |path| key(&masters[0], path, &secp);
        let three: Vec<String> = masters.iter().map(|it| key(it, "48h/1h/0h/2h", &secp)).collect();
        let texts = [
            ("legacy", format!("pkh({})", single("44h/1h/0h"))),
            ("nested", format!("sh(wpkh({}))", single("49h/1h/0h"))),
            ("hot", format!("wpkh({})", single("84h/1h/0h"))),
            ("tap", format!("tr({})", single("86h/1h/0h"))),
            ("vault", format!("wsh(sortedmulti(2,{}))", three.join(","))),
        ];
        let descriptors = texts.iter().map(|(named, body)| (name(named), descriptor(body))).collect();
        let wallet = Wallet::new(Network::Regtest, descriptors).expect("a wallet");
        Self { wallet, secp, masters }
    }

    /// One to three coins of any form, one to four outputs to us or to others of any form, and a fee.
    pub(crate) fn draft(&self, dice: &mut Dice) -> Draft {
        let inputs: Vec<DraftInput> = (0..1 + dice.below(3)).map(|_| self.coin(dice)).collect();
        let spent = |it: &DraftInput| it.previous.output[it.output as usize].value.to_sat();
        let total: u64 = inputs.iter().map(spent).sum();
        let outputs = 1 + dice.below(4);
        let share = (total - 200 - dice.next() % 20_000) / outputs as u64;
        let mut outputs: Vec<DraftOutput> = (0..outputs).map(|_| self.output(dice, share)).collect();
        if dice.once_in(6) {
            let (value, data) = (Amount::ZERO, dice.array::<8>());
            let output = TxOut { value, script_pubkey: ScriptBuf::new_op_return(data) };
            outputs.push(DraftOutput { output, owned: None });
        }
        let lock_time = if dice.once_in(3) { (dice.next() >> 33) as u32 } else { 0 };
        Draft { lock_time, inputs, outputs }
    }

    fn place(dice: &mut Dice) -> Owned {
        let branch = if dice.once_in(2) { Branch::Receive } else { Branch::Change };
        let place = Place { branch, index: u32::try_from(dice.below(100_000)).expect("a small index") };
        Owned { descriptor: dice.below(FORMS), place }
    }

    fn script(&self, owned: Owned) -> ScriptBuf {
        self.wallet.derive(owned).expect("a place").script_pubkey
    }

    fn coin(&self, dice: &mut Dice) -> DraftInput {
        let (owned, count) = (Self::place(dice), 1 + dice.below(3));
        let output = dice.below(count);
        let mut outputs: Vec<TxOut> =
            (0..count).map(|_| TxOut { value: sat(dice), script_pubkey: stranger(dice) }).collect();
        outputs[output].script_pubkey = self.script(owned);
        let before = OutPoint { txid: Txid::from_byte_array(dice.array()), vout: (dice.next() >> 60) as u32 };
        let witness = if dice.once_in(2) { Witness::from_slice(&[dice.bytes(64)]) } else { Witness::new() };
        let script_sig = ScriptBuf::from_bytes(if dice.once_in(2) { vec![] } else { dice.bytes(30) });
        let previous = Transaction {
            version: if dice.once_in(3) { Version::ONE } else { Version::TWO },
            lock_time: LockTime::from_consensus((dice.next() >> 40) as u32),
            input: vec![TxIn { previous_output: before, script_sig, sequence: Sequence::MAX, witness }],
            output: outputs,
        };
        let sequence = Sequence(*dice.pick(&[0xffff_ffff, 0xffff_fffe, 0xffff_fffd, 0, 144]));
        DraftInput { previous, output: u32::try_from(output).expect("small"), owned, sequence }
    }

    fn output(&self, dice: &mut Dice, sat: u64) -> DraftOutput {
        let owned = dice.once_in(2).then(|| Self::place(dice));
        let script_pubkey = match owned {
            Some(owned) => self.script(owned),
            None => stranger(dice),
        };
        DraftOutput { output: TxOut { value: Amount::from_sat(sat), script_pubkey }, owned }
    }

    /// The secret keys of each digest, as many as its input takes.
    pub(crate) fn secrets(&self, digest: &SigningDigest) -> Vec<SecretKey> {
        let enough = if digest.keys.len() == 1 { 1 } else { 2 };
        let secret = |key: &keystead_bitcoin::DerivedKey| {
            let master = self
                .masters
                .iter()
                .find(|it| it.fingerprint(&self.secp) == key.fingerprint)
                .expect("a master");
            master.derive_priv(&self.secp, &key.path).expect("a path").private_key
        };
        digest.keys.iter().take(enough).map(secret).collect()
    }

    pub(crate) fn sign(&self, digest: &SigningDigest) -> Vec<InputSignature> {
        let secrets = self.secrets(digest);
        let signed = digest.keys.iter().zip(&secrets).map(|(key, secret)| {
            let bytes = self.signature(digest, secret);
            InputSignature { input: digest.input, key: key.public, bytes }
        });
        signed.collect()
    }

    /// As anybody signs: RFC 6979 for ECDSA, and Schnorr without fresh randomness (BIP-340).
    fn signature(&self, digest: &SigningDigest, secret: &SecretKey) -> Vec<u8> {
        let message = Message::from_digest(digest.digest.0);
        match digest.scheme {
            Scheme::Ecdsa => [self.secp.sign_ecdsa(&message, secret).serialize_der().as_ref(), &[1]].concat(),
            Scheme::Schnorr => {
                let pair = Keypair::from_secret_key(&self.secp, secret).tap_tweak(&self.secp, None);
                let signature = self.secp.sign_schnorr_with_aux_rand(&message, &pair.to_keypair(), &[0; 32]);
                let suffix: &[u8] = if digest.sighash == Sighash::All { &[1] } else { &[] };
                [signature.as_ref(), suffix].concat()
            }
        }
    }
}

/// Origin, extended key, branches.
fn key(master: &Xpriv, path: &str, secp: &Secp256k1<All>) -> String {
    let steps: DerivationPath = path.replace('h', "'").parse().expect("a path");
    let xpub = Xpub::from_priv(secp, &master.derive_priv(secp, &steps).expect("a key"));
    format!("[{}/{path}]{xpub}/<0;1>/*", master.fingerprint(secp))
}

/// A descriptor, with the checksum that its parser asks for.
fn descriptor(body: &str) -> Descriptor {
    let Err(DescriptorError::Checksum { expected, .. }) =
        Descriptor::parse(&format!("{body}#"), Network::Regtest)
    else {
        panic!("a checksum that is missing")
    };
    Descriptor::parse(&format!("{body}#{expected}"), Network::Regtest).expect("a descriptor")
}

fn sat(dice: &mut Dice) -> Amount {
    Amount::from_sat(50_000 + dice.next() % 5_000_000_000)
}

/// A standard script of somebody else.
fn stranger(dice: &mut Dice) -> ScriptBuf {
    let (short, long): ([u8; 20], [u8; 32]) = (dice.array(), dice.array());
    match dice.below(5) {
        0 => ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array(short)),
        1 => ScriptBuf::new_p2sh(&ScriptHash::from_byte_array(short)),
        2 => ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(short)),
        3 => ScriptBuf::new_p2wsh(&WScriptHash::from_byte_array(long)),
        _ => {
            let secret = SecretKey::from_slice(&long).expect("a scalar");
            let key: XOnlyPublicKey = secret.x_only_public_key(&Secp256k1::new()).0;
            ScriptBuf::new_p2tr(&Secp256k1::new(), key, None)
        }
    }
}
