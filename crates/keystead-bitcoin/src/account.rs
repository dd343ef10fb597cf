//! A wallet as the log records it: the four descriptors of one key's account, and no other.

use bitcoin::NetworkKind;
use bitcoin::bip32::{ChainCode, ChildNumber, DerivationPath, Fingerprint, Xpub};
use bitcoin::secp256k1::PublicKey;
use keystead_base::{Blame, Coded, Name, PublicAccount};
use keystead_intent::BitcoinWallet;

use crate::checksum::checksum;
use crate::{Descriptor, DescriptorError, Form, Network, Wallet, WalletError};

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

/// The wallet of an account, from the fingerprint of its master key and its keys in the order of [`PURPOSES`].
///
/// # Errors
///
/// [`AccountError`] where a key is not on the curve, or the account is not below 2^31.
pub fn record_wallet(
    network: Network,
    account: u32,
    master: [u8; 4],
    keys: &[AccountKey; 4],
) -> Result<BitcoinWallet, AccountError> {
    let descriptors = FORMS.into_iter().zip(PURPOSES).zip(keys).map(|((form, purpose), key)| {
        let origin = Origin { network, purpose, account };
        let body = wrapped(form, &origin.key(master, key)?);
        Ok(format!("{body}#{}", checksum(&body).unwrap_or_default()))
    });
    let descriptors = descriptors.collect::<Result<_, AccountError>>()?;
    Ok(BitcoinWallet { chain: network.chain(), account, descriptors })
}

/// Reads a recorded wallet: exactly the four forms in their order, at the paths of their BIPs, of one master key.
///
/// # Errors
///
/// [`AccountError`] says what is not so.
pub fn read_wallet(recorded: &BitcoinWallet) -> Result<Wallet, AccountError> {
    let network = Network::of(recorded.chain).ok_or(AccountError::NotBitcoin)?;
    let found = recorded.descriptors.len();
    if found != FORMS.len() {
        return Err(AccountError::Count { expected: FORMS.len(), found });
    }
    let mut master = None;
    let mut named = Vec::with_capacity(found);
    for ((form, purpose), text) in FORMS.into_iter().zip(PURPOSES).zip(&recorded.descriptors) {
        let descriptor = Descriptor::parse(text, network)?;
        let origin = Origin { network, purpose, account: recorded.account };
        let fingerprint = origin.check(form, &descriptor, text)?;
        if *master.get_or_insert(fingerprint) != fingerprint {
            return Err(AccountError::Form { expected: form.as_str() });
        }
        named.push((name(form)?, descriptor));
    }
    Ok(Wallet::new(network, named)?)
}

/// Where a key of an account stands.
struct Origin {
    network: Network,
    purpose: u32,
    account: u32,
}

impl Origin {
    fn path(&self) -> Result<DerivationPath, AccountError> {
        let hardened = |it| ChildNumber::from_hardened_idx(it).map_err(|_| AccountError::Key);
        let steps = [self.purpose, self.network.coin_type(), self.account];
        steps.into_iter().map(hardened).collect::<Result<Vec<_>, _>>().map(DerivationPath::from)
    }

    /// `[fingerprint/path]xpub/<0;1>/*`.
    fn key(&self, master: [u8; 4], key: &AccountKey) -> Result<String, AccountError> {
        let xpub = Xpub {
            network: match self.network {
                Network::Mainnet => NetworkKind::Main,
                Network::Testnet4 | Network::Signet | Network::Regtest => NetworkKind::Test,
            },
            depth: 3,
            parent_fingerprint: Fingerprint::from(key.parent),
            child_number: ChildNumber::from_hardened_idx(self.account).map_err(|_| AccountError::Key)?,
            public_key: PublicKey::from_slice(&key.public.compressed()).map_err(|_| AccountError::Key)?,
            chain_code: ChainCode::from(key.public.chain_code.0),
        };
        let (coin, account) = (self.network.coin_type(), self.account);
        let origin = format!("{}/{}h/{coin}h/{account}h", Fingerprint::from(master), self.purpose);
        Ok(format!("[{origin}]{xpub}/<0;1>/*"))
    }

    /// The form, the path, and the one spelling; gives the fingerprint of the master key.
    fn check(&self, form: Form, found: &Descriptor, text: &str) -> Result<Fingerprint, AccountError> {
        let wrong = AccountError::Form { expected: form.as_str() };
        let [key] = found.keys() else { return Err(wrong) };
        let fits = found.form() == form && key.path() == &self.path()? && found.to_string() == text;
        if fits { Ok(key.fingerprint()) } else { Err(wrong) }
    }
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
