//! The Memo program: words that its signers stand for.

use keystead_intent::{OpaqueReason, is_plain};

use crate::Instruction;
use crate::effects::EffectKind;

/// The program fails unless all accounts sign and the bytes are UTF-8.
pub(super) fn read(it: &Instruction) -> Result<EffectKind, OpaqueReason> {
    if !it.accounts.iter().all(|it| it.signer) {
        return Err(OpaqueReason::MalformedArguments);
    }
    match std::str::from_utf8(&it.data) {
        Ok(text) if text.chars().all(is_plain) => Ok(EffectKind::Memo { text: text.to_owned() }),
        _ => Err(OpaqueReason::NotText),
    }
}
