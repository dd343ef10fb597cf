//! The signed registry: which contract is which token, and which other contracts are known.

use std::collections::BTreeMap;

use alloy_primitives::{Address, address};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Amount, Blame, Coded, Digest, Name};
use serde::{Deserialize, Serialize};

use crate::{Asset, ChainId};

/// The longest symbol.
pub const MAX_SYMBOL_BYTES: usize = 16;
/// The most digits after the point; 10^36 is still far below 2^256.
pub const MAX_DECIMALS: u8 = 36;
/// The most assets and contracts of one registry, each.
pub const MAX_REGISTRY_ENTRIES: usize = 10_000;
/// Permit2. The address is the CREATE2 hash of its own init code: on every chain it has this code or none.
pub const PERMIT2: Address = address!("000000000022D473030F116dDEE9F6B43aC78BA3");

/// One asset, as the policy version that lists it was signed.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct AssetEntry {
    /// The chain.
    pub chain: ChainId,
    /// The chain's own coin, or the token at an address.
    pub asset: Asset,
    /// What people call it, for instance `USDC`.
    pub symbol: String,
    /// Digits after the point; zero for NFTs.
    pub decimals: u8,
    /// The standard that the contract keeps; the coin is fungible.
    pub kind: AssetKind,
}

/// The token standards.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum AssetKind {
    /// ERC-20, and the chain's own coin.
    Fungible,
    /// ERC-721.
    NonFungible,
    /// ERC-1155.
    MultiToken,
}

/// One known contract that is not a token.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct ContractEntry {
    /// The chain.
    pub chain: ChainId,
    /// Its address.
    pub address: Address,
    /// What people call it.
    pub name: Name,
    /// What it is.
    pub kind: ContractKind,
}

/// What a contract is: this, and not the selector, says what a call of it means.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ContractKind {
    /// A token of this standard.
    Token(AssetKind),
    /// A Safe multisig account.
    Safe,
    /// Safe's MultiSend or MultiSendCallOnly.
    MultiSend,
    /// Multicall3 and its elders: inner calls come from the contract itself.
    Multicall,
    /// Permit2.
    Permit2,
    /// A contract with owner, roles, proxy or `multicall(bytes[])`, and nothing else that is understood.
    Governed,
    /// A contract that people read the words of this descriptor (ERC-7730) for. They say nothing of what its bytes
    /// do: to policy it is an unknown contract with a name.
    Described(Digest),
}

/// Assets and contracts by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssetIndex {
    assets: BTreeMap<(ChainId, Asset), AssetEntry>,
    contracts: BTreeMap<(ChainId, Address), ContractEntry>,
}

impl AssetIndex {
    /// Indexes a registry. An address means one thing: listed twice, it is an error.
    ///
    /// # Errors
    ///
    /// [`AssetError`] names the entry.
    pub fn new(assets: &[AssetEntry], contracts: &[ContractEntry]) -> Result<Self, AssetError> {
        let found = assets.len().max(contracts.len());
        if found > MAX_REGISTRY_ENTRIES {
            return Err(AssetError::TooMany { limit: MAX_REGISTRY_ENTRIES, found });
        }
        let mut index = Self::default();
        for entry in assets {
            index.add_asset(entry)?;
        }
        for entry in contracts {
            index.add_contract(entry)?;
        }
        Ok(index)
    }

    /// The entry of an asset.
    #[must_use]
    pub fn asset(&self, chain: ChainId, asset: Asset) -> Option<&AssetEntry> {
        self.assets.get(&(chain, asset))
    }

    /// The entry of a contract that is not a token.
    #[must_use]
    pub fn contract(&self, chain: ChainId, address: Address) -> Option<&ContractEntry> {
        self.contracts.get(&(chain, address))
    }

    /// Every token and contract of a chain, with its symbol or name.
    pub fn known(&self, chain: ChainId) -> impl Iterator<Item = (Address, &str)> {
        let tokens = self.assets.values().filter(|it| it.asset != Asset::Native);
        let tokens = tokens.map(|it| (it.chain, it.address(), it.symbol.as_str()));
        let contracts = self.contracts.values().map(|it| (it.chain, it.address, it.name.as_str()));
        tokens.chain(contracts).filter(move |it| it.0 == chain).map(|(_, address, name)| (address, name))
    }

    /// What stands at an address, where the registry or the address itself says so.
    #[must_use]
    pub fn kind(&self, chain: ChainId, address: Address) -> Option<ContractKind> {
        if let Some(entry) = self.asset(chain, Asset::Token(address)) {
            return Some(ContractKind::Token(entry.kind));
        }
        match self.contract(chain, address) {
            Some(ContractEntry { kind: ContractKind::Described(_), .. }) => None,
            Some(entry) => Some(entry.kind),
            None => (address == PERMIT2).then_some(ContractKind::Permit2),
        }
    }

    /// An amount as people say it: `0.5 ETH`; in base units where the registry does not know the asset.
    #[must_use]
    pub fn amount(&self, chain: ChainId, asset: Asset, amount: Amount) -> String {
        match (self.asset(chain, asset), asset) {
            (Some(entry), _) => format!("{} {}", amount.with_decimals(entry.decimals), entry.symbol),
            (None, Asset::Native) => format!("{amount} {}", smallest(chain)),
            (None, Asset::Token(token)) => {
                format!("{amount} base units of the token {token} NOT IN REGISTRY")
            }
        }
    }

    /// The same with its base units beside it, for limits that are exact to one unit:
    /// `0.5 ETH (500000000000000000 wei)`.
    #[must_use]
    pub fn exact_amount(&self, chain: ChainId, asset: Asset, amount: Amount) -> String {
        let said = self.amount(chain, asset, amount);
        match (self.asset(chain, asset), asset) {
            (Some(_), Asset::Native) => format!("{said} ({amount} {})", smallest(chain)),
            (Some(_), Asset::Token(_)) => format!("{said} ({amount} base units)"),
            (None, _) => said,
        }
    }

    fn add_asset(&mut self, entry: &AssetEntry) -> Result<(), AssetError> {
        entry.check()?;
        match self.assets.insert((entry.chain, entry.asset), entry.clone()) {
            None => Ok(()),
            Some(_) => Err(AssetError::Twice { chain: entry.chain, address: entry.address() }),
        }
    }

    fn add_contract(&mut self, entry: &ContractEntry) -> Result<(), AssetError> {
        let twice = AssetError::Twice { chain: entry.chain, address: entry.address };
        entry.check()?;
        if self.asset(entry.chain, Asset::Token(entry.address)).is_some() {
            return Err(twice);
        }
        match self.contracts.insert((entry.chain, entry.address), entry.clone()) {
            None => Ok(()),
            Some(_) => Err(twice),
        }
    }
}

/// The smallest unit of a chain's own coin.
fn smallest(chain: ChainId) -> &'static str {
    match (chain.bitcoin(), chain.solana(), chain.near()) {
        (Some(_), _, _) => "sat",
        (None, Some(_), _) => "lamports",
        (None, None, Some(_)) => "yoctoNEAR",
        (None, None, None) => "wei",
    }
}

impl AssetEntry {
    /// The token's address; zero for the coin.
    #[must_use]
    pub fn address(&self) -> Address {
        match self.asset {
            Asset::Native => Address::ZERO,
            Asset::Token(address) => address,
        }
    }

    fn check(&self) -> Result<(), AssetError> {
        let (chain, address) = (self.chain, self.address());
        let plain = |byte: u8| byte.is_ascii_graphic();
        if self.symbol.is_empty() || self.symbol.len() > MAX_SYMBOL_BYTES || !self.symbol.bytes().all(plain) {
            return Err(AssetError::Symbol { chain, address, limit: MAX_SYMBOL_BYTES });
        }
        if self.decimals > MAX_DECIMALS {
            return Err(AssetError::Decimals { chain, address, limit: MAX_DECIMALS, found: self.decimals });
        }
        let misplaced = self.asset == Asset::Native && self.kind != AssetKind::Fungible;
        if misplaced || self.asset == Asset::Token(PERMIT2) || chain.0 == 0 {
            return Err(AssetError::Misplaced { chain, address });
        }
        Ok(())
    }
}

impl ContractEntry {
    fn check(&self) -> Result<(), AssetError> {
        let token = matches!(self.kind, ContractKind::Token(_));
        let permit2 = self.address == PERMIT2 && self.kind != ContractKind::Permit2;
        match token || permit2 || self.chain.0 == 0 {
            true => Err(AssetError::Misplaced { chain: self.chain, address: self.address }),
            false => Ok(()),
        }
    }
}

/// Why a registry is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssetError {
    /// More entries than a registry may have.
    #[error("a registry has at most {limit} assets and as many contracts, found {found}")]
    TooMany {
        /// The limit.
        limit: usize,
        /// The count found.
        found: usize,
    },
    /// One address twice.
    #[error("{address} on {chain} is in the registry twice")]
    Twice {
        /// The chain.
        chain: ChainId,
        /// The address.
        address: Address,
    },
    /// A symbol that is empty, long or not plain.
    #[error("the symbol of {address} on {chain} is 1 to {limit} visible ASCII characters")]
    Symbol {
        /// The chain.
        chain: ChainId,
        /// The address.
        address: Address,
        /// The limit.
        limit: usize,
    },
    /// Too many digits after the point.
    #[error("{address} on {chain} has at most {limit} decimals, found {found}")]
    Decimals {
        /// The chain.
        chain: ChainId,
        /// The address.
        address: Address,
        /// The limit.
        limit: u8,
        /// The count found.
        found: u8,
    },
    /// A coin that is not fungible, a token among the contracts, another meaning for Permit2, or chain zero.
    #[error("{address} on {chain} cannot have the kind that the registry gives it")]
    Misplaced {
        /// The chain.
        chain: ChainId,
        /// The address.
        address: Address,
    },
}

impl Coded for AssetError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooMany { .. } => "asset.too_many",
            Self::Twice { .. } => "asset.twice",
            Self::Symbol { .. } => "asset.symbol",
            Self::Decimals { .. } => "asset.decimals",
            Self::Misplaced { .. } => "asset.misplaced",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: ChainId = ChainId(1);

    fn token(byte: u8, symbol: &str, decimals: u8) -> AssetEntry {
        let asset = Asset::Token(Address::repeat_byte(byte));
        AssetEntry { chain: CHAIN, asset, symbol: symbol.into(), decimals, kind: AssetKind::Fungible }
    }

    fn safe(address: Address) -> ContractEntry {
        ContractEntry { chain: CHAIN, address, name: "safe".parse().unwrap(), kind: ContractKind::Safe }
    }

    #[test]
    fn an_address_means_one_thing_on_one_chain() {
        let usdc = token(1, "USDC", 6);
        let index = AssetIndex::new(std::slice::from_ref(&usdc), &[safe(Address::repeat_byte(2))]).unwrap();
        let fungible = ContractKind::Token(AssetKind::Fungible);
        for (chain, address, kind) in [
            (CHAIN, usdc.address(), Some(fungible)),
            (ChainId(2), usdc.address(), None),
            (CHAIN, Address::repeat_byte(2), Some(ContractKind::Safe)),
            (CHAIN, PERMIT2, Some(ContractKind::Permit2)),
            (CHAIN, Address::ZERO, None),
        ] {
            assert_eq!(index.kind(chain, address), kind);
        }
    }

    #[test]
    fn amounts_have_symbols_where_the_registry_has_them() {
        let native = AssetEntry { asset: Asset::Native, ..token(1, "ETH", 18) };
        let index = AssetIndex::new(&[native, token(1, "USDC", 6)], &[]).unwrap();
        let (usdc, other) = (Asset::Token(Address::repeat_byte(1)), Asset::Token(Address::repeat_byte(9)));
        for (chain, asset, amount, said, exact) in [
            (
                CHAIN,
                Asset::Native,
                500_000_000_000_000_000_u64,
                "0.5 ETH",
                "0.5 ETH (500000000000000000 wei)",
            ),
            (CHAIN, usdc, 1_500_001, "1.500001 USDC", "1.500001 USDC (1500001 base units)"),
            (ChainId(2), Asset::Native, 7, "7 wei", "7 wei"),
            (ChainId::BITCOIN_REGTEST, Asset::Native, 7, "7 sat", "7 sat"),
            (ChainId::SOLANA_DEVNET, Asset::Native, 7, "7 lamports", "7 lamports"),
            (ChainId::NEAR_TESTNET, Asset::Native, 7, "7 yoctoNEAR", "7 yoctoNEAR"),
            (
                CHAIN,
                other,
                7,
                "7 base units of the token 0x0909090909090909090909090909090909090909 NOT IN REGISTRY",
                "7 base units of the token 0x0909090909090909090909090909090909090909 NOT IN REGISTRY",
            ),
        ] {
            let amount = Amount::from(amount);
            assert_eq!(index.amount(chain, asset, amount), said);
            assert_eq!(index.exact_amount(chain, asset, amount), exact);
        }
    }

    #[test]
    fn a_registry_that_contradicts_itself_is_refused() {
        let native = AssetEntry { asset: Asset::Native, kind: AssetKind::MultiToken, ..token(1, "ETH", 18) };
        for (assets, contracts, code) in [
            (vec![token(1, "A", 0), token(1, "B", 0)], vec![], "asset.twice"),
            (vec![token(1, "A", 0)], vec![safe(Address::repeat_byte(1))], "asset.twice"),
            (vec![], vec![safe(PERMIT2)], "asset.misplaced"),
            (vec![native], vec![], "asset.misplaced"),
            (vec![token(1, "", 0)], vec![], "asset.symbol"),
            (vec![token(1, "US DC", 0)], vec![], "asset.symbol"),
            (vec![token(1, "A", 37)], vec![], "asset.decimals"),
        ] {
            assert_eq!(AssetIndex::new(&assets, &contracts).unwrap_err().code(), code);
        }
    }
}
