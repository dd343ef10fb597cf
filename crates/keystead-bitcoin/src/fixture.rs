//! One wallet for all tests of this crate.

use bitcoin::ScriptBuf;
use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::secp256k1::{All, Secp256k1};

use crate::checksum::checksum;
use crate::{Branch, Descriptor, Network, Owned, Place, Wallet};

/// The descriptors' positions in the wallet.
pub(crate) const PKH: usize = 0;
pub(crate) const SH_WPKH: usize = 1;
pub(crate) const WPKH: usize = 2;
pub(crate) const TR: usize = 3;
pub(crate) const MULTI: usize = 4;
pub(crate) const ALL_FORMS: [usize; 5] = [PKH, SH_WPKH, WPKH, TR, MULTI];

/// A wallet.
pub(crate) struct Desk {
    pub(crate) wallet: Wallet,
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
    let network = Network::Regtest;
    let secp = Secp256k1::new();
    let masters: Vec<Xpriv> =
        (1..=3).map(|it| Xpriv::new_master(network.kind(), &[it; 64]).unwrap()).collect();
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
    Desk { wallet }
}

pub(crate) fn at(descriptor: usize, branch: Branch, index: u32) -> Owned {
    Owned { descriptor, place: Place { branch, index } }
}

pub(crate) fn receive(descriptor: usize) -> Owned {
    at(descriptor, Branch::Receive, 3)
}

impl Desk {
    pub(crate) fn script(&self, owned: Owned) -> ScriptBuf {
        self.wallet.derive(owned).unwrap().script_pubkey
    }
}
