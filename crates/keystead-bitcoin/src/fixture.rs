//! One wallet for all tests of this crate, with the secrets that sign for it.

use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::hashes::Hash as _;
use bitcoin::key::TapTweak as _;
use bitcoin::secp256k1::{All, Keypair, Message, Secp256k1, SecretKey};
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute};

use crate::checksum::checksum;
use crate::finalize::InputSignature;
use crate::sighash::{Scheme, SigningDigest};
use crate::{
    Branch, Descriptor, Draft, DraftInput, DraftOutput, Network, Owned, Place, Psbt, Sighash, Terms, View,
    Wallet, compose,
};

/// The descriptors' positions in the wallet.
pub(crate) const PKH: usize = 0;
pub(crate) const SH_WPKH: usize = 1;
pub(crate) const WPKH: usize = 2;
pub(crate) const TR: usize = 3;
pub(crate) const MULTI: usize = 4;
pub(crate) const ALL_FORMS: [usize; 5] = [PKH, SH_WPKH, WPKH, TR, MULTI];

/// A wallet and its secrets.
pub(crate) struct Desk {
    pub(crate) wallet: Wallet,
    pub(crate) secp: Secp256k1<All>,
    masters: Vec<Xpriv>,
}

/// `KEY` of a descriptor: origin, extended key, branches.
pub(crate) fn key_text(master: &Xpriv, path: &str, secp: &Secp256k1<All>) -> String {
    let steps: DerivationPath = path.replace('h', "'").parse().unwrap();
    let xpub = Xpub::from_priv(secp, &master.derive_priv(secp, &steps).unwrap());
    format!("[{}/{path}]{xpub}/<0;1>/*", master.fingerprint(secp))
}

/// A descriptor's text with its checksum.
pub(crate) fn with_checksum(body: &str) -> String {
    format!("{body}#{}", checksum(body).unwrap())
}

pub(crate) fn desk() -> Desk {
    desk_with(3)
}

/// The same with another third co-signer.
pub(crate) fn desk_with(third: u8) -> Desk {
    let network = Network::Regtest;
    let secp = Secp256k1::new();
    let masters: Vec<Xpriv> =
        [1, 2, third].iter().map(|it| Xpriv::new_master(network.kind(), &[*it; 64]).unwrap()).collect();
    let single = |path| key_text(&masters[0], path, &secp);
    let three: Vec<String> = masters.iter().map(|it| key_text(it, "48h/1h/0h/2h", &secp)).collect();
    let texts = [
        ("legacy", format!("pkh({})", single("44h/1h/0h"))),
        ("nested", format!("sh(wpkh({}))", single("49h/1h/0h"))),
        ("hot", format!("wpkh({})", single("84h/1h/0h"))),
        ("tap", format!("tr({})", single("86h/1h/0h"))),
        ("vault", format!("wsh(sortedmulti(2,{}))", three.join(","))),
    ];
    let parsed = texts.iter().map(|(name, body)| {
        (name.parse().unwrap(), Descriptor::parse(&with_checksum(body), network).unwrap())
    });
    let wallet = Wallet::new(network, parsed.collect()).unwrap();
    Desk { wallet, secp, masters }
}

pub(crate) fn at(descriptor: usize, branch: Branch, index: u32) -> Owned {
    Owned { descriptor, place: Place { branch, index } }
}

pub(crate) fn receive(descriptor: usize) -> Owned {
    at(descriptor, Branch::Receive, 3)
}

pub(crate) fn change(descriptor: usize) -> Owned {
    at(descriptor, Branch::Change, 7)
}

/// Somebody else's script: a witness program of a key hash.
pub(crate) fn stranger() -> ScriptBuf {
    ScriptBuf::from_hex("0014751e76e8199196d454941c45d1b3a323f1433bd6").unwrap()
}

pub(crate) fn pay(sat: u64, script_pubkey: ScriptBuf) -> DraftOutput {
    DraftOutput { output: TxOut { value: Amount::from_sat(sat), script_pubkey }, owned: None }
}

impl Desk {
    pub(crate) fn script(&self, owned: Owned) -> ScriptBuf {
        self.wallet.derive(owned).unwrap().script_pubkey
    }

    /// A transaction that pays this much to a script of ours at output 1.
    pub(crate) fn funding(&self, owned: Owned, sat: u64) -> Transaction {
        let before =
            OutPoint { txid: Txid::from_byte_array([u8::try_from(sat % 251).unwrap(); 32]), vout: 0 };
        let (script_sig, witness) = (ScriptBuf::new(), Witness::new());
        let other = TxOut { value: Amount::from_sat(5_000), script_pubkey: stranger() };
        let ours = TxOut { value: Amount::from_sat(sat), script_pubkey: self.script(owned) };
        Transaction {
            version: Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn { previous_output: before, script_sig, sequence: Sequence::MAX, witness }],
            output: vec![other, ours],
        }
    }

    pub(crate) fn coin(&self, owned: Owned, sat: u64) -> DraftInput {
        let sequence = Sequence::ENABLE_RBF_NO_LOCKTIME;
        DraftInput { previous: self.funding(owned, sat), output: 1, owned, sequence }
    }

    pub(crate) fn back(&self, sat: u64, owned: Owned) -> DraftOutput {
        let output = TxOut { value: Amount::from_sat(sat), script_pubkey: self.script(owned) };
        DraftOutput { output, owned: Some(owned) }
    }

    /// 1 coin of 1,000,000 sat: 600,000 to a stranger, 399,000 back.
    pub(crate) fn draft(&self, descriptor: usize) -> Draft {
        Draft {
            lock_time: 0,
            inputs: vec![self.coin(receive(descriptor), 1_000_000)],
            outputs: vec![pay(600_000, stranger()), self.back(399_000, change(descriptor))],
        }
    }

    pub(crate) fn psbt(&self, draft: &Draft) -> Psbt {
        compose(&self.wallet, draft).unwrap()
    }

    pub(crate) fn view(&self, draft: &Draft) -> View {
        View::read(&self.psbt(draft), &self.wallet, &Terms::default()).unwrap()
    }

    /// Every signature that our secrets can give.
    pub(crate) fn sign(&self, view: &View) -> Vec<InputSignature> {
        let digests = view.digests();
        digests.iter().flat_map(|digest| self.sign_input(digest)).collect()
    }

    fn sign_input(&self, digest: &SigningDigest) -> Vec<InputSignature> {
        let signed = digest.keys.iter().map(|key| {
            let master =
                self.masters.iter().find(|it| it.fingerprint(&self.secp) == key.fingerprint).unwrap();
            let secret = master.derive_priv(&self.secp, &key.path).unwrap().private_key;
            InputSignature { input: digest.input, key: key.public, bytes: self.signature(digest, &secret) }
        });
        signed.collect()
    }

    fn signature(&self, digest: &SigningDigest, secret: &SecretKey) -> Vec<u8> {
        let message = Message::from_digest(digest.digest.0);
        let byte = [0x01];
        match digest.scheme {
            Scheme::Ecdsa => {
                let signature = self.secp.sign_ecdsa(&message, secret);
                [signature.serialize_der().as_ref(), &byte].concat()
            }
            Scheme::Schnorr => {
                let pair = Keypair::from_secret_key(&self.secp, secret).tap_tweak(&self.secp, None);
                let signature = self.secp.sign_schnorr_no_aux_rand(&message, &pair.to_keypair());
                let suffix: &[u8] = if digest.sighash == Sighash::All { &byte } else { &[] };
                [signature.as_ref(), suffix].concat()
            }
        }
    }
}
