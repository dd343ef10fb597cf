//! A wallet as the log records it: the four descriptors of one key's account, and no other.

mod in_shares;

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use bitcoin::NetworkKind;
use bitcoin::bip32::{ChainCode, ChildNumber, DerivationPath, Fingerprint, Xpub};
use bitcoin::secp256k1::PublicKey;
use keystead_base::{Blame, Coded, Name, PublicAccount};
use keystead_intent::{BitcoinWallet, ChainId};

pub use self::in_shares::{first_in_shares, wallet_in_shares};
use crate::checksum::checksum;
use crate::memo::Memo;
use crate::{Descriptor, DescriptorError, Form, Key, Network, Wallet, WalletError};

/// The purposes of BIP-44, 49, 84 and 86, in the order in which a wallet lists their descriptors.
pub const PURPOSES: [u32; 4] = [44, 49, 84, 86];

/// The public side of `m/purpose'/coin'/account'`, as BIP-32 serializes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountKey {
    /// The fingerprint of `m/purpose'/coin'`.
    pub parent: [u8; 4],
    /// The point and its chain code.
    pub public: PublicAccount,
}

/// The path `m/purpose'/coin'/account'` of each of [`PURPOSES`], hardened steps from 2^31 on.
#[must_use]
pub fn account_paths(network: Network, account: u32) -> [[u32; 3]; 4] {
    PURPOSES.map(|purpose| [purpose, network.coin_type(), account].map(|it| it | HARDENED))
}

/// The path `m/48'/coin'/account'/2'` of the key that signs beside those of others behind `wsh` (BIP-48).
#[must_use]
pub fn cosigner_path(network: Network, account: u32) -> [u32; 4] {
    [COSIGNER_PURPOSE, network.coin_type(), account, COSIGNER_SCRIPT].map(|it| it | HARDENED)
}

/// The wallet of an account, from the fingerprint of its master key, its keys in the order of [`PURPOSES`], and the key at
/// [`cosigner_path`].
///
/// # Errors
///
/// [`AccountError`] where a key is not on the curve, or the account is not below 2^31.
pub fn record_wallet(
    network: Network,
    account: u32,
    master: [u8; 4],
    keys: &[AccountKey; 4],
    cosigner: &AccountKey,
) -> Result<BitcoinWallet, AccountError> {
    let descriptors = FORMS.into_iter().zip(PURPOSES).zip(keys).map(|((form, purpose), key)| {
        let origin = Origin { network, purpose, account, script: None };
        Ok(with_checksum(&wrapped(form, &origin.key(master, key)?)))
    });
    let descriptors = descriptors.collect::<Result<_, AccountError>>()?;
    let cosigner = Origin::of_cosigner(network, account).key(master, cosigner)?;
    Ok(BitcoinWallet { chain: network.chain(), account, descriptors, cosigner })
}

/// Reads a recorded wallet: a key's own ([`read_account`]), or one that it shares.
///
/// # Errors
///
/// [`AccountError`] says what is not so.
pub fn read_wallet(recorded: &BitcoinWallet) -> Result<Wallet, AccountError> {
    read_with_own(recorded).map(|(wallet, _)| wallet)
}

/// The same, and which of a script's keys is ours.
pub(crate) fn read_with_own(recorded: &BitcoinWallet) -> Result<(Wallet, usize), AccountError> {
    static READ: LazyLock<Memo<BitcoinWallet, (Wallet, usize)>> = LazyLock::new(|| Memo::of(WALLETS));
    READ.get(recorded, || read_anew(recorded))
}

fn read_anew(recorded: &BitcoinWallet) -> Result<(Wallet, usize), AccountError> {
    match recorded.descriptors.as_slice() {
        [shared] if !recorded.cosigner.is_empty() => read_shared(recorded, shared),
        _ => Ok((read_account(recorded)?, 0)),
    }
}

/// Reads a key's own wallet: exactly the four forms in their order, at the paths of their BIPs, and the key that signs
/// beside others', of one master key; without such a key, that of a key in shares ([`wallet_in_shares`]).
///
/// # Errors
///
/// [`AccountError`] says what is not so.
pub fn read_account(recorded: &BitcoinWallet) -> Result<Wallet, AccountError> {
    if recorded.cosigner.is_empty() {
        return in_shares::read(recorded);
    }
    let network = Network::of(recorded.chain).ok_or(AccountError::NotBitcoin)?;
    let found = recorded.descriptors.len();
    if found != FORMS.len() {
        return Err(AccountError::Count { expected: FORMS.len(), found });
    }
    let master = cosigner(network, recorded)?.fingerprint();
    let mut named = Vec::with_capacity(found);
    for ((form, purpose), text) in FORMS.into_iter().zip(PURPOSES).zip(&recorded.descriptors) {
        let descriptor = Descriptor::parse(text, network)?;
        let origin = Origin { network, purpose, account: recorded.account, script: None };
        if origin.check(form, &descriptor, text)? != master {
            return Err(AccountError::Form { expected: form.as_str() });
        }
        named.push((name(form)?, descriptor));
    }
    Ok(Wallet::new(network, named)?)
}

/// The wallet of a descriptor that people registered, for the key whose own wallet is `own`.
///
/// # Errors
///
/// [`AccountError`]: no `wsh(sortedmulti)` in its canonical text, or the key is none of those that sign.
pub fn shared_wallet(own: &BitcoinWallet, descriptor: &str) -> Result<BitcoinWallet, AccountError> {
    let shared = BitcoinWallet { descriptors: vec![descriptor.to_owned()], ..own.clone() };
    read_wallet(&shared).map(|_| shared)
}

/// Whether a descriptor is one that people can register.
///
/// # Errors
///
/// [`AccountError`]: no `wsh(sortedmulti)` of two keys or more in its canonical text.
pub fn check_shared(chain: ChainId, text: &str) -> Result<Descriptor, AccountError> {
    let network = Network::of(chain).ok_or(AccountError::NotBitcoin)?;
    let descriptor = Descriptor::parse(text, network)?;
    let multi = matches!(descriptor.form(), Form::WshSortedMulti { .. }) && descriptor.keys().len() > 1;
    match multi && descriptor.to_string() == text {
        true => Ok(descriptor),
        false => Err(AccountError::NotShared),
    }
}

fn read_shared(recorded: &BitcoinWallet, text: &str) -> Result<(Wallet, usize), AccountError> {
    let descriptor = check_shared(recorded.chain, text)?;
    let own = cosigner(descriptor.network(), recorded)?;
    let at = descriptor.keys().iter().position(|it| *it == own).ok_or(AccountError::NotOurs)?;
    let shared = "shared".parse().map_err(|_| AccountError::Key)?;
    Ok((Wallet::new(descriptor.network(), vec![(shared, descriptor)])?, at))
}

/// The key that signs beside others', at its path and in its one spelling.
fn cosigner(network: Network, recorded: &BitcoinWallet) -> Result<Key, AccountError> {
    let text = with_checksum(&wrapped(Form::Wpkh, &recorded.cosigner));
    let descriptor = Descriptor::parse(&text, network)?;
    Origin::of_cosigner(network, recorded.account).check(Form::Wpkh, &descriptor, &text)?;
    descriptor.keys().first().cloned().ok_or(AccountError::Key)
}

/// Where a key of an account stands.
struct Origin {
    network: Network,
    purpose: u32,
    account: u32,
    /// The fourth step of BIP-48.
    script: Option<u32>,
}

impl Origin {
    fn of_cosigner(network: Network, account: u32) -> Self {
        Self { network, purpose: COSIGNER_PURPOSE, account, script: Some(COSIGNER_SCRIPT) }
    }

    fn path(&self) -> Result<DerivationPath, AccountError> {
        let hardened = |it| ChildNumber::from_hardened_idx(it).map_err(|_| AccountError::Key);
        let steps = [self.purpose, self.network.coin_type(), self.account].into_iter().chain(self.script);
        steps.map(hardened).collect::<Result<Vec<_>, _>>().map(DerivationPath::from)
    }

    /// `[fingerprint/path]xpub/<0;1>/*`.
    fn key(&self, master: [u8; 4], key: &AccountKey) -> Result<String, AccountError> {
        let path = self.path()?;
        let last = path.into_iter().last().copied().ok_or(AccountError::Key)?;
        let xpub = Xpub {
            network: match self.network {
                Network::Mainnet => NetworkKind::Main,
                Network::Testnet4 | Network::Signet | Network::Regtest => NetworkKind::Test,
            },
            depth: u8::try_from(path.len()).map_err(|_| AccountError::Key)?,
            parent_fingerprint: Fingerprint::from(key.parent),
            child_number: last,
            public_key: PublicKey::from_slice(&key.public.compressed()).map_err(|_| AccountError::Key)?,
            chain_code: ChainCode::from(key.public.chain_code.0),
        };
        let origin = path.to_string().replace('\'', "h");
        Ok(format!("[{}/{origin}]{xpub}/<0;1>/*", Fingerprint::from(master)))
    }

    /// The form, the path, and the one spelling; gives the fingerprint of the master key.
    fn check(&self, form: Form, found: &Descriptor, text: &str) -> Result<Fingerprint, AccountError> {
        let wrong = AccountError::Form { expected: form.as_str() };
        let [key] = found.keys() else { return Err(wrong) };
        let fits = found.form() == form && key.path() == &self.path()? && found.to_string() == text;
        if fits { Ok(key.fingerprint()) } else { Err(wrong) }
    }
}

fn with_checksum(body: &str) -> String {
    format!("{body}#{}", checksum(body).unwrap_or_default())
}

fn wrapped(form: Form, key: &str) -> String {
    match form {
        Form::Pkh => format!("pkh({key})"),
        Form::ShWpkh => format!("sh(wpkh({key}))"),
        Form::Tr => format!("tr({key})"),
        Form::Wpkh | Form::WshSortedMulti { .. } => format!("wpkh({key})"),
    }
}

/// What people read beside the form.
fn name(form: Form) -> Result<Name, AccountError> {
    let text = match form {
        Form::Pkh => "bip44",
        Form::ShWpkh => "bip49",
        Form::Tr => "bip86",
        Form::Wpkh | Form::WshSortedMulti { .. } => "bip84",
    };
    text.parse().map_err(|_| AccountError::Key)
}

/// From here on a step is hardened (BIP-32).
const HARDENED: u32 = 1 << 31;

/// BIP-48: keys that sign together, and the script type that stands for `wsh`.
const COSIGNER_PURPOSE: u32 = 48;
const COSIGNER_SCRIPT: u32 = 2;

/// How many wallets stay parsed: some kilobytes each.
const WALLETS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

const FORMS: [Form; 4] = [Form::Pkh, Form::ShWpkh, Form::Wpkh, Form::Tr];

/// Why a record is no wallet of one account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The chain is another kind of chain.
    #[error("the chain is no network of Bitcoin's")]
    NotBitcoin,
    /// Too few descriptors, or too many.
    #[error("an account has {expected} descriptors, found {found}")]
    Count {
        /// How many it has.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Another form, path, master key or spelling.
    #[error("expected {expected} of one key at the path of its BIP, in its canonical text")]
    Form {
        /// The form.
        expected: &'static str,
    },
    /// A key that is none.
    #[error("a key of the account is not on the curve, or the account is not below 2147483648")]
    Key,
    /// A shared wallet of another kind.
    #[error("expected wsh(sortedmulti(k,KEY,…)) of two keys or more, in its canonical text")]
    NotShared,
    /// A wallet in which the key has no part.
    #[error("none of the keys that sign for this wallet is ours at m/48h/…h/…h/2h")]
    NotOurs,
    /// A key whose kind has no such wallet.
    #[error("a key of this kind has no such wallet")]
    Kind,
    /// A text that is no descriptor.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// Descriptors that are no wallet together.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Coded for AccountError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotBitcoin => "account.not_bitcoin",
            Self::Count { .. } => "account.count",
            Self::Form { .. } => "account.form",
            Self::Key => "account.key",
            Self::NotShared => "account.not_shared",
            Self::NotOurs => "account.not_ours",
            Self::Kind => "account.kind",
            Self::Descriptor(error) => error.code(),
            Self::Wallet(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests;
