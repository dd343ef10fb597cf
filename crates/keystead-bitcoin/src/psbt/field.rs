//! The key types that the BIPs have given out: names, key data, versions, and whether anything here reads them.

use super::{PsbtVersion, Scope};

/// A key type that code here names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field(pub(crate) u8);

/// What a key type is.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    number: u8,
    pub(super) name: &'static str,
    pub(super) data: KeyData,
    versions: Versions,
    pub(super) read: bool,
}

/// What follows the type in a key.
#[derive(Clone, Copy)]
pub(crate) enum KeyData {
    Nothing,
    PublicKey,
    XOnly,
    Length(usize),
    ControlBlock,
    Free,
}

#[derive(Clone, Copy)]
enum Versions {
    Both,
    Zero,
    Two,
}

impl Known {
    pub(super) fn is_in(&self, version: PsbtVersion) -> bool {
        match self.versions {
            Versions::Both => true,
            Versions::Zero => version == PsbtVersion::Zero,
            Versions::Two => version == PsbtVersion::Two,
        }
    }
}

/// The type of a key, when a BIP has given it out.
pub(super) fn known(scope: Scope, key: &[u8]) -> Option<&'static Known> {
    let number = *key.first()?;
    let table = match scope {
        Scope::Global => GLOBAL,
        Scope::Input(_) => INPUT,
        Scope::Output(_) => OUTPUT,
    };
    table.iter().find(|it| it.number == number)
}

/// What the BIPs call a key's type.
pub(super) fn name(scope: Scope, key: &[u8]) -> &'static str {
    known(scope, key).map_or("unknown", |it| it.name)
}

pub(super) const UNSIGNED_TX: Field = Field(0x00);
pub(super) const TX_VERSION: Field = Field(0x02);
pub(super) const FALLBACK_LOCKTIME: Field = Field(0x03);
pub(super) const INPUT_COUNT: Field = Field(0x04);
pub(super) const OUTPUT_COUNT: Field = Field(0x05);
pub(super) const TX_MODIFIABLE: Field = Field(0x06);
pub(super) const VERSION: Field = Field(0xfb);

pub(super) const NON_WITNESS_UTXO: Field = Field(0x00);
pub(super) const WITNESS_UTXO: Field = Field(0x01);
pub(super) const PARTIAL_SIG: Field = Field(0x02);
pub(super) const SIGHASH_TYPE: Field = Field(0x03);
pub(super) const IN_REDEEM_SCRIPT: Field = Field(0x04);
pub(super) const IN_WITNESS_SCRIPT: Field = Field(0x05);
pub(super) const IN_BIP32_DERIVATION: Field = Field(0x06);
pub(super) const FINAL_SCRIPTSIG: Field = Field(0x07);
pub(super) const FINAL_SCRIPTWITNESS: Field = Field(0x08);
pub(super) const PREVIOUS_TXID: Field = Field(0x0e);
pub(super) const OUTPUT_INDEX: Field = Field(0x0f);
pub(super) const SEQUENCE: Field = Field(0x10);
pub(super) const REQUIRED_TIME_LOCKTIME: Field = Field(0x11);
pub(super) const REQUIRED_HEIGHT_LOCKTIME: Field = Field(0x12);
pub(super) const TAP_KEY_SIG: Field = Field(0x13);
pub(super) const TAP_SCRIPT_SIG: Field = Field(0x14);
pub(super) const TAP_LEAF_SCRIPT: Field = Field(0x15);
pub(super) const IN_TAP_BIP32_DERIVATION: Field = Field(0x16);
pub(super) const IN_TAP_INTERNAL_KEY: Field = Field(0x17);
pub(super) const TAP_MERKLE_ROOT: Field = Field(0x18);

pub(super) const OUT_REDEEM_SCRIPT: Field = Field(0x00);
pub(super) const OUT_WITNESS_SCRIPT: Field = Field(0x01);
pub(super) const OUT_BIP32_DERIVATION: Field = Field(0x02);
pub(super) const AMOUNT: Field = Field(0x03);
pub(super) const SCRIPT: Field = Field(0x04);
pub(super) const OUT_TAP_INTERNAL_KEY: Field = Field(0x05);
pub(super) const OUT_TAP_BIP32_DERIVATION: Field = Field(0x07);

const fn row(number: u8, name: &'static str, data: KeyData, versions: Versions, read: bool) -> Known {
    Known { number, name, data, versions, read }
}

/// BIP-174, 370, 375 and 376 as far as they have numbers.
const GLOBAL: &[Known] = &[
    row(0x00, "UNSIGNED_TX", KeyData::Nothing, Versions::Zero, true),
    row(0x01, "XPUB", KeyData::Length(78), Versions::Both, false),
    row(0x02, "TX_VERSION", KeyData::Nothing, Versions::Two, true),
    row(0x03, "FALLBACK_LOCKTIME", KeyData::Nothing, Versions::Two, true),
    row(0x04, "INPUT_COUNT", KeyData::Nothing, Versions::Two, true),
    row(0x05, "OUTPUT_COUNT", KeyData::Nothing, Versions::Two, true),
    row(0x06, "TX_MODIFIABLE", KeyData::Nothing, Versions::Two, true),
    row(0xfb, "VERSION", KeyData::Nothing, Versions::Both, true),
    row(0xfc, "PROPRIETARY", KeyData::Free, Versions::Both, false),
];

/// BIP-174, 370 and 371.
const INPUT: &[Known] = &[
    row(0x00, "NON_WITNESS_UTXO", KeyData::Nothing, Versions::Both, true),
    row(0x01, "WITNESS_UTXO", KeyData::Nothing, Versions::Both, true),
    row(0x02, "PARTIAL_SIG", KeyData::PublicKey, Versions::Both, true),
    row(0x03, "SIGHASH_TYPE", KeyData::Nothing, Versions::Both, true),
    row(0x04, "REDEEM_SCRIPT", KeyData::Nothing, Versions::Both, true),
    row(0x05, "WITNESS_SCRIPT", KeyData::Nothing, Versions::Both, true),
    row(0x06, "BIP32_DERIVATION", KeyData::PublicKey, Versions::Both, true),
    row(0x07, "FINAL_SCRIPTSIG", KeyData::Nothing, Versions::Both, true),
    row(0x08, "FINAL_SCRIPTWITNESS", KeyData::Nothing, Versions::Both, true),
    row(0x09, "POR_COMMITMENT", KeyData::Nothing, Versions::Both, false),
    row(0x0a, "RIPEMD160", KeyData::Length(20), Versions::Both, false),
    row(0x0b, "SHA256", KeyData::Length(32), Versions::Both, false),
    row(0x0c, "HASH160", KeyData::Length(20), Versions::Both, false),
    row(0x0d, "HASH256", KeyData::Length(32), Versions::Both, false),
    row(0x0e, "PREVIOUS_TXID", KeyData::Nothing, Versions::Two, true),
    row(0x0f, "OUTPUT_INDEX", KeyData::Nothing, Versions::Two, true),
    row(0x10, "SEQUENCE", KeyData::Nothing, Versions::Two, true),
    row(0x11, "REQUIRED_TIME_LOCKTIME", KeyData::Nothing, Versions::Two, true),
    row(0x12, "REQUIRED_HEIGHT_LOCKTIME", KeyData::Nothing, Versions::Two, true),
    row(0x13, "TAP_KEY_SIG", KeyData::Nothing, Versions::Both, true),
    row(0x14, "TAP_SCRIPT_SIG", KeyData::Length(64), Versions::Both, true),
    row(0x15, "TAP_LEAF_SCRIPT", KeyData::ControlBlock, Versions::Both, true),
    row(0x16, "TAP_BIP32_DERIVATION", KeyData::XOnly, Versions::Both, true),
    row(0x17, "TAP_INTERNAL_KEY", KeyData::Nothing, Versions::Both, true),
    row(0x18, "TAP_MERKLE_ROOT", KeyData::Nothing, Versions::Both, true),
    row(0xfc, "PROPRIETARY", KeyData::Free, Versions::Both, false),
];

/// BIP-174, 370 and 371. What is behind a hash in the script is not worth a line: ours is derived, and of another
/// one's nobody here needs to know.
const OUTPUT: &[Known] = &[
    row(0x00, "REDEEM_SCRIPT", KeyData::Nothing, Versions::Both, true),
    row(0x01, "WITNESS_SCRIPT", KeyData::Nothing, Versions::Both, true),
    row(0x02, "BIP32_DERIVATION", KeyData::PublicKey, Versions::Both, true),
    row(0x03, "AMOUNT", KeyData::Nothing, Versions::Two, true),
    row(0x04, "SCRIPT", KeyData::Nothing, Versions::Two, true),
    row(0x05, "TAP_INTERNAL_KEY", KeyData::Nothing, Versions::Both, true),
    row(0x06, "TAP_TREE", KeyData::Nothing, Versions::Both, false),
    row(0x07, "TAP_BIP32_DERIVATION", KeyData::XOnly, Versions::Both, true),
    row(0xfc, "PROPRIETARY", KeyData::Free, Versions::Both, false),
];
