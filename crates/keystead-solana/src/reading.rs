//! Instructions read by the meaning of their programs, one after the other; what is not read is opaque.

mod associated;
mod fields;
mod memo;
mod system;
mod token;

use std::collections::BTreeMap;

use keystead_base::Canonical as _;
use keystead_intent::OpaqueReason;

use crate::effects::{Effect, EffectKind};
use crate::fee::BudgetTerm;
use crate::program::{ASSOCIATED_TOKEN, COMPUTE_BUDGET, MEMO, SYSTEM, is_token};
use crate::{Instruction, Message, Pubkey, SolanaInstruction};

/// The effects of all instructions.
pub(crate) fn read(message: &Message) -> Vec<Effect> {
    let mut owners = Owners::default();
    let mut budget = Vec::new();
    let numbered = message.instructions().iter().zip(0_u16..);
    let effects = numbered.map(|(it, instruction)| {
        let kind = match kind_of(it, &owners, &mut budget) {
            Ok(kind) => kind,
            Err(reason) => EffectKind::Opaque { reason },
        };
        owners.learn(it.program, &kind);
        let hash = SolanaInstruction::of(it).digest();
        Effect { instruction, program: it.program, selector: selector(it), hash, kind }
    });
    effects.collect()
}

fn kind_of(
    it: &Instruction,
    owners: &Owners,
    budget: &mut Vec<BudgetTerm>,
) -> Result<EffectKind, OpaqueReason> {
    match it.program {
        SYSTEM => system::read(it, owners),
        ASSOCIATED_TOKEN => associated::read(it),
        COMPUTE_BUDGET => set(it, budget),
        MEMO => memo::read(it),
        program if is_token(program) => token::read(it, owners),
        _ => Err(OpaqueReason::UnknownSelector),
    }
}

/// A term that is set twice makes validators refuse the transaction.
fn set(it: &Instruction, budget: &mut Vec<BudgetTerm>) -> Result<EffectKind, OpaqueReason> {
    let term = BudgetTerm::read(it).filter(|term| !budget.iter().any(|other| other.sets_what(term)));
    let term = term.ok_or(OpaqueReason::MalformedArguments)?;
    budget.push(term);
    Ok(EffectKind::Budget(term))
}

/// The number of the order, as the System program writes it: four bytes. Others write one.
fn selector(it: &Instruction) -> Option<[u8; 4]> {
    let one = is_token(it.program) || [ASSOCIATED_TOKEN, COMPUTE_BUDGET].contains(&it.program);
    match one {
        true => Some([it.data.first().copied().unwrap_or(0), 0, 0, 0]),
        false if it.program == MEMO => None,
        false => it.data.first_chunk().copied(),
    }
}

/// What is proven of token accounts by the instructions before.
#[derive(Debug, Default)]
struct Owners {
    accounts: BTreeMap<Pubkey, Owned>,
}

/// A token account that an instruction made, or found to be so.
#[derive(Clone, Copy, Debug)]
struct Owned {
    program: Pubkey,
    wallet: Pubkey,
    mint: Pubkey,
}

impl Owners {
    fn of(&self, account: Pubkey) -> Option<Owned> {
        self.accounts.get(&account).copied()
    }

    /// Whose an account of this token program is, and of which mint.
    fn within(&self, program: Pubkey, account: Pubkey) -> Option<Owned> {
        self.of(account).filter(|it| it.program == program)
    }

    /// An account may change hands in the same transaction: by what is read, or by what nobody understands.
    fn learn(&mut self, program: Pubkey, kind: &EffectKind) {
        match kind {
            EffectKind::NewTokenAccount(it) => {
                let owned = Owned { program: it.token_program, wallet: it.wallet, mint: it.mint };
                self.accounts.insert(it.account, owned);
            }
            EffectKind::Opaque { .. } => self.accounts.clear(),
            EffectKind::Authority { target: account, .. } | EffectKind::Close { account, .. }
                if is_token(program) =>
            {
                self.accounts.remove(account);
            }
            _ => {}
        }
    }
}
