//! Instructions to a message: the keys in their groups, as every wallet orders them.

use std::collections::BTreeMap;

use crate::message::KeyGroups;
use crate::{Instruction, Message, MessageError, Pubkey, Version};

/// What is to be done, before its keys have places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The form.
    pub version: Version,
    /// Who pays the fee.
    pub payer: Pubkey,
    /// A recent blockhash, or the value of the nonce account that the first instruction advances.
    pub blockhash: [u8; 32],
    /// The orders.
    pub instructions: Vec<Instruction>,
}

/// Signer and writable, or less.
type Rights = (bool, bool);

/// Makes the message of a draft: the payer first, then signers before others and what can be changed before what cannot,
/// each group ascending. A key has the most of the rights that any instruction gives it.
///
/// # Errors
///
/// [`MessageError`] where the message would not be read back: too long, or nothing to do.
pub fn compile(draft: &Draft) -> Result<Message, MessageError> {
    let rights = rights(draft);
    let group = |wanted: Rights| {
        let found = rights.iter().filter(move |(key, it)| **it == wanted && **key != draft.payer);
        found.map(|(key, _)| *key)
    };
    let signers: Vec<_> = std::iter::once(draft.payer).chain(group((true, true))).collect();
    let (readonly_signers, others): (Vec<_>, Vec<_>) =
        (group((true, false)).collect(), group((false, true)).collect());
    let groups =
        KeyGroups { signers, readonly_signers, others, readonly_others: group((false, false)).collect() };
    Message::of_groups(draft.version, &groups, draft.blockhash, draft.instructions.clone())
}

fn rights(draft: &Draft) -> BTreeMap<Pubkey, Rights> {
    let mut rights = BTreeMap::new();
    for it in &draft.instructions {
        rights.entry(it.program).or_insert((false, false));
        for meta in &it.accounts {
            let of_key: &mut Rights = rights.entry(meta.key).or_default();
            *of_key = (of_key.0 || meta.signer, of_key.1 || meta.writable);
        }
    }
    rights
}
