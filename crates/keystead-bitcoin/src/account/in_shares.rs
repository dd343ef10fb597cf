//! The wallet of a key in shares: no step of its path is hardened, so that everybody derives it of the public account.

use bitcoin::bip32::{ChainCode, ChildNumber, DerivationPath, Fingerprint, Xpub};
use bitcoin::secp256k1::PublicKey;
use keystead_base::PublicAccount;
use keystead_intent::{BitcoinWallet, ChainId, KeyKind};

use super::{AccountError, name, with_checksum, wrapped};
use crate::derive::CURVE;
use crate::{Branch, Descriptor, Form, Network, Owned, Place, Wallet, address_of};

/// The wallet that a key in shares has on a network: `wpkh` at `m/84/c/0` or, of BIP-340, `tr` at `m/86/c/0`, where `m` is the shared key itself.
/// An imported taproot account is `m` of its own wallet, which has the addresses that it had.
///
/// # Errors
///
/// [`AccountError`]: another kind of chain or of key, or a point that is not on the curve.
pub fn wallet_in_shares(
    chain: ChainId,
    kind: KeyKind,
    root: &PublicAccount,
) -> Result<BitcoinWallet, AccountError> {
    let network = Network::of(chain).ok_or(AccountError::NotBitcoin)?;
    let form = form_of(kind).ok_or(AccountError::Kind)?;
    let path = match (form, root.is_taproot()) {
        (Form::Tr, true) => DerivationPath::default(),
        (_, true) => return Err(AccountError::Key),
        (_, false) => path(network, form)?,
    };
    let master = master(network, root)?;
    let key = master.derive_pub(&CURVE, &path).map_err(|_| AccountError::Key)?;
    let steps: String = path.into_iter().map(|step| format!("/{step}")).collect();
    let key = format!("[{}{steps}]{key}/<0;1>/*", master.fingerprint());
    let descriptors = vec![with_checksum(&wrapped(form, &key))];
    Ok(BitcoinWallet { chain, account: ACCOUNT, descriptors, cosigner: String::new() })
}

/// The first address that it receives at.
#[must_use]
pub fn first_in_shares(chain: ChainId, kind: KeyKind, root: &PublicAccount) -> Option<String> {
    let wallet = read(&wallet_in_shares(chain, kind, root).ok()?).ok()?;
    let place = Place { branch: Branch::Receive, index: 0 };
    let script = wallet.derive(Owned { descriptor: 0, place })?.script_pubkey;
    address_of(&script, wallet.network())
}

/// Reads such a wallet as the log records it: nobody signs beside the key, which nothing but its own path says.
pub(super) fn read(recorded: &BitcoinWallet) -> Result<Wallet, AccountError> {
    let network = Network::of(recorded.chain).ok_or(AccountError::NotBitcoin)?;
    let [text] = recorded.descriptors.as_slice() else {
        return Err(AccountError::Count { expected: 1, found: recorded.descriptors.len() });
    };
    let descriptor = Descriptor::parse(text, network)?;
    let form = descriptor.form();
    let wrong = AccountError::Form { expected: form.as_str() };
    let [key] = descriptor.keys() else { return Err(wrong) };
    let is_imported = form == Form::Tr && key.path().is_empty();
    let fits = (is_imported || key.path() == &path(network, form)?) && descriptor.to_string() == *text;
    match fits && recorded.account == ACCOUNT {
        true => Ok(Wallet::new(network, vec![(name(form)?, descriptor)])?),
        false => Err(wrong),
    }
}

/// What a key of this kind signs.
fn form_of(kind: KeyKind) -> Option<Form> {
    match kind {
        KeyKind::ThresholdSecp256k1 => Some(Form::Wpkh),
        KeyKind::ThresholdBip340 => Some(Form::Tr),
        KeyKind::HdSecp256k1 | KeyKind::ThresholdEd25519 | KeyKind::TokenSecp256k1 | KeyKind::HdMlDsa65 => {
            None
        }
    }
}

fn path(network: Network, form: Form) -> Result<DerivationPath, AccountError> {
    let purpose = match form {
        Form::Wpkh => 84,
        Form::Tr => 86,
        Form::Pkh | Form::ShWpkh | Form::WshSortedMulti { .. } => return Err(AccountError::Kind),
    };
    let step = |it| ChildNumber::from_normal_idx(it).map_err(|_| AccountError::Key);
    let steps = [purpose, network.coin_type(), ACCOUNT].map(step);
    steps.into_iter().collect::<Result<Vec<_>, _>>().map(DerivationPath::from)
}

fn master(network: Network, root: &PublicAccount) -> Result<Xpub, AccountError> {
    if root.is_lone() {
        return Err(AccountError::Key);
    }
    Ok(Xpub {
        network: network.kind(),
        depth: 0,
        parent_fingerprint: Fingerprint::default(),
        child_number: ChildNumber::Normal { index: 0 },
        public_key: PublicKey::from_slice(&root.compressed()).map_err(|_| AccountError::Key)?,
        chain_code: ChainCode::from(root.chain_code.0),
    })
}

const ACCOUNT: u32 = 0;
