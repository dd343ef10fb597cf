//! Recorded wallets: what is read is exactly what an account has, and nothing that resembles it.

use bitcoin::bip32::{Xpriv, Xpub};
use bitcoin::secp256k1::Secp256k1;
use keystead_intent::KeyKind;

use super::*;
use crate::address_of;
use crate::{Branch, Owned, Place};

/// The wallet of a master key, as an enclave records it.
pub(crate) fn recorded(network: Network, seed: [u8; 64]) -> BitcoinWallet {
    let secp = Secp256k1::new();
    let master = Xpriv::new_master(network.kind(), &seed).unwrap();
    let key = |path: String| {
        let path: DerivationPath = path.parse().unwrap();
        let xpub = Xpub::from_priv(&secp, &master.derive_priv(&secp, &path).unwrap());
        AccountKey {
            parent: xpub.parent_fingerprint.to_bytes(),
            public: PublicAccount::new(xpub.public_key.serialize(), xpub.chain_code.to_bytes()),
        }
    };
    let keys = PURPOSES.map(|purpose| key(format!("m/{purpose}'/{}'/0'", network.coin_type())));
    let cosigner = key(format!("m/48'/{}'/0'/2'", network.coin_type()));
    record_wallet(network, 0, master.fingerprint(&secp).to_bytes(), &keys, &cosigner).unwrap()
}

/// The well-known seed "abandon … about", and the first addresses that BIP-49, 84 and 86 print for it.
#[test]
fn s02_the_accounts_of_the_bips_have_the_addresses_of_the_bips() {
    let seed = const_hex::decode_to_array(
        "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1\
         9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4",
    )
    .unwrap();
    let wallet = read_wallet(&recorded(Network::Mainnet, seed)).unwrap();
    let first = |descriptor| {
        let place = Place { branch: Branch::Receive, index: 0 };
        let script = wallet.derive(Owned { descriptor, place }).unwrap().script_pubkey;
        address_of(&script, Network::Mainnet).unwrap()
    };
    assert_eq!(first(0), "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA");
    assert_eq!(first(2), "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu");
    assert_eq!(first(3), "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr");

    // An imported account of that wallet has its addresses: those of the vectors of BIP-86.
    let account = Xpriv::new_master(Network::Mainnet.kind(), &seed).unwrap();
    let account = account.derive_priv(&Secp256k1::new(), &"m/86h/0h/0h".parse::<DerivationPath>().unwrap());
    let account = Xpub::from_priv(&Secp256k1::new(), &account.unwrap());
    let root = PublicAccount::taproot(account.public_key.serialize(), account.chain_code.to_bytes());
    let recorded = wallet_in_shares(ChainId::BITCOIN_MAINNET, KeyKind::ThresholdBip340, &root).unwrap();
    let imported = read_account(&recorded).unwrap();
    for (branch, index, address) in [
        (Branch::Receive, 0, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"),
        (Branch::Receive, 1, "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"),
        (Branch::Change, 0, "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"),
    ] {
        let derived = imported.derive(Owned { descriptor: 0, place: Place { branch, index } }).unwrap();
        assert_eq!(address_of(&derived.script_pubkey, Network::Mainnet).unwrap(), address);
    }
}

#[test]
fn s02_only_the_four_descriptors_of_one_account_in_their_order_are_a_wallet() {
    let good = recorded(Network::Regtest, [1; 64]);
    assert!(read_wallet(&good).is_ok());
    let other = recorded(Network::Regtest, [2; 64]);
    let code = |change: &dyn Fn(&mut BitcoinWallet)| {
        let mut changed = good.clone();
        change(&mut changed);
        read_wallet(&changed).unwrap_err().code()
    };
    assert_eq!(code(&|it| drop(it.descriptors.pop())), "account.count");
    assert_eq!(code(&|it| it.descriptors.push(it.descriptors[0].clone())), "account.count");
    assert_eq!(code(&|it| it.descriptors.swap(0, 2)), "account.form");
    assert_eq!(code(&|it| it.descriptors[3] = other.descriptors[3].clone()), "account.form");
    assert_eq!(code(&|it| it.account = 1), "account.form");
    assert_eq!(code(&|it| it.chain = ChainId(1)), "account.not_bitcoin");
    assert_eq!(code(&|it| it.chain = ChainId::BITCOIN_MAINNET), "descriptor.wrong_network");
    assert_eq!(code(&|it| it.descriptors[0].push('x')), "descriptor.checksum");
    // One descriptor alone is a wallet that others share, and then none of a key alone.
    assert_eq!(code(&|it| it.descriptors.truncate(1)), "account.not_shared");
    let account = |change: &dyn Fn(&mut BitcoinWallet)| {
        let mut changed = good.clone();
        change(&mut changed);
        read_account(&changed).unwrap_err().code()
    };
    assert_eq!(account(&|it| it.descriptors.truncate(1)), "account.count");
    // The key beside others' is of the same master key, at its own path.
    assert_eq!(account(&|it| it.cosigner = other.cosigner.clone()), "account.form");
    assert_eq!(account(&|it| it.cosigner = it.cosigner.replace("48h", "47h")), "account.form");
    assert_eq!(account(&|it| it.cosigner.clear()), "account.count");
    // Another spelling of the same would be another digest of the same.
    let marked = |it: &mut BitcoinWallet| {
        let (origin, key) = it.descriptors[0].rsplit_once('#').unwrap().0.split_once(']').unwrap();
        let body = format!("{}']{key}", origin.trim_end_matches('h').replace("h/", "'/"));
        it.descriptors[0] = format!("{body}#{}", checksum(&body).unwrap());
    };
    assert_eq!(code(&marked), "account.form");
}

/// What everybody derives of the public account is what whoever had the secret would: nothing on the way is hardened.
#[test]
fn s02_the_wallet_of_a_key_in_shares_follows_from_its_public_account() {
    let secp = Secp256k1::new();
    for (chain, network) in
        [(ChainId::BITCOIN_MAINNET, Network::Mainnet), (ChainId::BITCOIN_REGTEST, Network::Regtest)]
    {
        let secret = Xpriv::new_master(network.kind(), &[5; 64]).unwrap();
        let public = Xpub::from_priv(&secp, &secret);
        let root = PublicAccount::new(public.public_key.serialize(), public.chain_code.to_bytes());
        let recorded = wallet_in_shares(chain, KeyKind::ThresholdSecp256k1, &root).unwrap();
        let wallet = read_account(&recorded).unwrap();
        let place = Place { branch: Branch::Change, index: 7 };
        let derived = wallet.derive(Owned { descriptor: 0, place }).unwrap();
        let path: DerivationPath = format!("m/84/{}/0/1/7", network.coin_type()).parse().unwrap();
        let child = Xpub::from_priv(&secp, &secret.derive_priv(&secp, &path).unwrap());
        let script = bitcoin::ScriptBuf::new_p2wpkh(&child.to_pub().wpubkey_hash());
        assert_eq!((derived.script_pubkey, &derived.keys[0].path), (script, &path));
        let taproot = wallet_in_shares(chain, KeyKind::ThresholdBip340, &root).unwrap();
        let derived = read_account(&taproot).unwrap().derive(Owned { descriptor: 0, place }).unwrap();
        let path: DerivationPath = format!("m/86/{}/0/1/7", network.coin_type()).parse().unwrap();
        let child = Xpub::from_priv(&secp, &secret.derive_priv(&secp, &path).unwrap()).to_x_only_pub();
        assert_eq!(derived.script_pubkey, bitcoin::ScriptBuf::new_p2tr(&secp, child, None));
        assert_eq!(derived.keys[0].fingerprint, secret.fingerprint(&secp));
        assert_eq!(wallet_in_shares(chain, KeyKind::HdSecp256k1, &root), Err(AccountError::Kind));
    }
}

#[test]
fn s02_nothing_but_that_one_descriptor_is_the_wallet_of_a_key_in_shares() {
    let root =
        Xpub::from_priv(&Secp256k1::new(), &Xpriv::new_master(Network::Regtest.kind(), &[5; 64]).unwrap());
    let root = PublicAccount::new(root.public_key.serialize(), root.chain_code.to_bytes());
    let good = wallet_in_shares(ChainId::BITCOIN_REGTEST, KeyKind::ThresholdSecp256k1, &root).unwrap();
    let hardened = recorded(Network::Regtest, [1; 64]);
    let code = |change: &dyn Fn(&mut BitcoinWallet)| {
        let mut changed = good.clone();
        change(&mut changed);
        read_wallet(&changed).unwrap_err().code()
    };
    assert_eq!(code(&|it| it.descriptors.push(it.descriptors[0].clone())), "account.count");
    assert_eq!(code(&|it| it.descriptors[0] = hardened.descriptors[2].clone()), "account.form");
    assert_eq!(code(&|it| it.descriptors[0] = hardened.descriptors[3].clone()), "account.form");
    assert_eq!(code(&|it| it.descriptors[0] = hardened.descriptors[0].clone()), "account.kind");
    assert_eq!(code(&|it| it.account = 1), "account.form");
    assert_eq!(code(&|it| it.cosigner = hardened.cosigner.clone()), "account.not_shared");
    assert_eq!(shared_wallet(&good, &good.descriptors[0]), Ok(good.clone()));
    let body =
        format!("wsh(sortedmulti(1,{},{}))", hardened.cosigner, recorded(Network::Regtest, [2; 64]).cosigner);
    let vault = Descriptor::with_checksum(&body).unwrap();
    assert_eq!(shared_wallet(&good, &vault).unwrap_err().code(), "account.form", "it signs beside nobody");
}
