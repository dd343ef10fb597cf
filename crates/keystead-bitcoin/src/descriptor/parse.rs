//! From text to a descriptor, in one spelling but for the hardened mark.

use std::str::FromStr;

use bitcoin::bip32::{ChildNumber, DerivationPath, Fingerprint, Xpub};

use super::{Descriptor, DescriptorError, Form, Key, MAX_DESCRIPTOR_BYTES, MAX_KEYS};
use crate::Network;
use crate::checksum::{LENGTH, checksum};
use crate::derive::CURVE;

/// Receiving and change, then any index (BIP-389).
pub(super) const BRANCHES: &str = "/<0;1>/*";

pub(super) fn parse(text: &str, network: Network) -> Result<Descriptor, DescriptorError> {
    let body = checked(text)?;
    let (form, keys) = form(body)?;
    let keys: Vec<Key> = keys.into_iter().map(|it| key(it, network)).collect::<Result<_, _>>()?;
    let repeats = |(at, key): (usize, &Key)| keys.iter().skip(at + 1).any(|it| it.xpub == key.xpub);
    match keys.iter().enumerate().any(repeats) {
        true => Err(DescriptorError::DuplicateKey),
        false => Ok(Descriptor { network, form, keys }),
    }
}

/// The text before its checksum.
fn checked(text: &str) -> Result<&str, DescriptorError> {
    if text.len() > MAX_DESCRIPTOR_BYTES {
        return Err(DescriptorError::TooLong { limit: MAX_DESCRIPTOR_BYTES, found: text.len() });
    }
    let (body, found) = text.rsplit_once('#').ok_or(DescriptorError::NoChecksum)?;
    let expected = checksum(body).ok_or(DescriptorError::Letters)?;
    match found == expected {
        true => Ok(body),
        false => {
            // At most as much as a checksum has: the rest may be anything.
            let found = found.chars().take(LENGTH).collect();
            Err(DescriptorError::Checksum { expected, found })
        }
    }
}

fn form(body: &str) -> Result<(Form, Vec<&str>), DescriptorError> {
    let inside = |open: &str, close: &str| body.strip_prefix(open)?.strip_suffix(close);
    if let Some(list) = inside("wsh(sortedmulti(", "))") {
        return multisig(list);
    }
    if inside("tr(", ")").is_some_and(|it| it.contains(',')) {
        return Err(DescriptorError::ScriptPath);
    }
    let single = [
        ("sh(wpkh(", "))", Form::ShWpkh),
        ("wpkh(", ")", Form::Wpkh),
        ("pkh(", ")", Form::Pkh),
        ("tr(", ")", Form::Tr),
    ];
    let found = single.into_iter().find_map(|(open, close, form)| Some((form, inside(open, close)?)));
    let (form, key) = found.ok_or(DescriptorError::Form)?;
    match key.contains(['(', ')', ',']) {
        true => Err(DescriptorError::Form),
        false => Ok((form, vec![key])),
    }
}

fn multisig(list: &str) -> Result<(Form, Vec<&str>), DescriptorError> {
    let (threshold, keys) = list.split_once(',').ok_or(DescriptorError::Form)?;
    let keys: Vec<&str> = keys.split(',').collect();
    if keys.len() > MAX_KEYS {
        return Err(DescriptorError::TooManyKeys { limit: MAX_KEYS, found: keys.len() });
    }
    let threshold = number(threshold).and_then(|it| u8::try_from(it).ok());
    match threshold {
        Some(threshold) if (1..=keys.len()).contains(&usize::from(threshold)) => {
            Ok((Form::WshSortedMulti { threshold }, keys))
        }
        _ => Err(DescriptorError::Threshold { keys: keys.len() }),
    }
}

fn key(text: &str, network: Network) -> Result<Key, DescriptorError> {
    let bare = text.rsplit_once(']').map_or(text, |(_, key)| key);
    if bare.get(1..4) == Some("prv") {
        return Err(DescriptorError::PrivateKey);
    }
    let (origin, rest) =
        text.strip_prefix('[').and_then(|it| it.split_once(']')).ok_or(DescriptorError::NoOrigin)?;
    let (fingerprint, path) = self::origin(origin).ok_or(DescriptorError::Origin)?;
    let xpub = rest.strip_suffix(BRANCHES).ok_or(DescriptorError::Branches)?;
    let xpub = Xpub::from_str(xpub).map_err(|_| DescriptorError::ExtendedKey)?;
    if xpub.network != network.kind() {
        return Err(DescriptorError::WrongNetwork { expected: network });
    }
    if path.len() != usize::from(xpub.depth) {
        return Err(DescriptorError::OriginDepth { expected: path.len(), found: xpub.depth });
    }
    let branch = |index| {
        let step = ChildNumber::from_normal_idx(index).map_err(|_| DescriptorError::InvalidBranch)?;
        xpub.ckd_pub(&CURVE, step).map_err(|_| DescriptorError::InvalidBranch)
    };
    Ok(Key { fingerprint, path, xpub, branches: [branch(0)?, branch(1)?] })
}

fn origin(text: &str) -> Option<(Fingerprint, DerivationPath)> {
    let mut parts = text.split('/');
    let digits = parts.next()?;
    let lower = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
    let fingerprint = match digits.len() == 8 && digits.bytes().all(lower) {
        true => Fingerprint::from_str(digits).ok()?,
        false => return None,
    };
    let steps: Vec<ChildNumber> = parts.map(step).collect::<Option<_>>()?;
    Some((fingerprint, steps.into()))
}

fn step(text: &str) -> Option<ChildNumber> {
    match text.strip_suffix(['h', '\'']) {
        Some(digits) => ChildNumber::from_hardened_idx(number(digits)?).ok(),
        None => ChildNumber::from_normal_idx(number(text)?).ok(),
    }
}

/// A number in its one spelling: no sign, no leading zero.
fn number(text: &str) -> Option<u32> {
    let spelled = text.bytes().all(|it| it.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    spelled.then(|| text.parse().ok()).flatten()
}
