//! What is remembered of one network's wallets between two looks: who they are, where their scripts are, and of which the
//! sources have more to tell than is listened to.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::Address;
use bitcoin::ScriptBuf;
use keystead_transmit::Unknown;

use super::wallets::{OurWallet, Places};

/// One network's.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) wallets: Vec<Arc<OurWallet>>,
    pub(crate) places: Places,
    /// Wallets that are not watched.
    refused: BTreeMap<Address, Refused>,
    /// Wallets with coins of which nobody says whether they are left.
    uncompared: BTreeMap<Address, String>,
}

#[derive(Debug)]
struct Refused {
    /// When it was tried.
    height: u32,
    words: String,
}

impl Watched {
    /// Whether a wallet's history is asked for: never yet, or so many blocks ago.
    pub(crate) fn is_due(&self, wallet: &Address, height: u32) -> bool {
        self.refused.get(wallet).is_none_or(|it| height >= it.height.saturating_add(AGAIN_BLOCKS))
    }

    /// An address that was paid oftener than is listened to keeps its own wallet out, and no other.
    pub(crate) fn refuse(&mut self, wallet: &OurWallet, height: u32, why: &Unknown) {
        let words = format!("wallet {} of key `{}` is not watched: {why}", wallet.id, wallet.account.key);
        self.refused.insert(wallet.id, Refused { height, words });
    }

    /// It is watched from now on.
    pub(crate) fn accept(&mut self, wallet: &Address) {
        self.refused.remove(wallet);
    }

    /// Takes down of which wallets nobody says what is left at these scripts, and why.
    pub(crate) fn compared_but(&mut self, untold: &BTreeMap<ScriptBuf, String>) {
        let owners =
            untold.iter().flat_map(|(script, why)| self.places.owners(script).map(move |it| (it.0, why)));
        let words = |it: &OurWallet, why: &String| {
            format!("coins of wallet {} of key `{}` are not compared: {why}", it.id, it.account.key)
        };
        self.uncompared = owners.map(|(it, why)| (it.id, words(it, why))).collect();
    }

    /// Forgets what is nobody's by now.
    pub(crate) fn keep(&mut self, is_ours: impl Fn(&Address) -> bool) {
        self.refused.retain(|id, _| is_ours(id));
        self.uncompared.retain(|id, _| is_ours(id));
    }

    /// What is not looked at, for status.
    pub(crate) fn words(&self) -> Option<String> {
        let all = || self.refused.values().map(|it| &it.words).chain(self.uncompared.values());
        let first = all().next()?;
        Some(match all().count() {
            1 => first.clone(),
            count => format!("{first}; and {} more", count.saturating_sub(1)),
        })
    }
}

/// After so many blocks a wallet is tried again: each time its whole history is read.
const AGAIN_BLOCKS: u32 = 32;
