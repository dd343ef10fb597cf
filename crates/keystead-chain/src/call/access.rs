//! Owners, roles and switches of contracts.

use alloy_primitives::Address;
use alloy_sol_types::{SolCall, sol};
use keystead_intent::{AuthorityKind, EffectKind};

use super::{Frame, Function, Malformed, Walk, function};

sol! {
    function transferOwnership(address account);
    function renounceOwnership();
    function acceptOwnership();
    function grantRole(bytes32 role, address account);
    function revokeRole(bytes32 role, address account);
    function renounceRole(bytes32 role, address account);
    function beginDefaultAdminTransfer(address account);
    function acceptDefaultAdminTransfer();
    function cancelDefaultAdminTransfer();
    function addMinter(address account);
    function removeMinter(address account);
    function configureMinter(address account, uint256 allowance);
    function updateMasterMinter(address account);
    function addPauser(address account);
    function removePauser(address account);
    function updatePauser(address account);
    function updateBlacklister(address account);
    function blacklist(address account);
    function unBlacklist(address account);
    function pause();
    function unpause();
}

/// Ownable and Ownable2Step, AccessControl, and the minters, pausers and lists of well-known tokens.
pub(crate) const TABLE: &[Function] = &[
    function::<transferOwnershipCall>(|walk, frame| {
        owner::<transferOwnershipCall>(walk, frame, |it| it.account)
    }),
    function::<renounceOwnershipCall>(|walk, frame| {
        alone::<renounceOwnershipCall>(walk, frame, AuthorityKind::Owner)
    }),
    function::<acceptOwnershipCall>(|walk, frame| {
        alone::<acceptOwnershipCall>(walk, frame, AuthorityKind::Owner)
    }),
    function::<grantRoleCall>(|walk, frame| role::<grantRoleCall>(walk, frame, |it| it.account)),
    function::<revokeRoleCall>(|walk, frame| role::<revokeRoleCall>(walk, frame, |it| it.account)),
    function::<renounceRoleCall>(|walk, frame| role::<renounceRoleCall>(walk, frame, |it| it.account)),
    function::<beginDefaultAdminTransferCall>(|walk, frame| {
        role::<beginDefaultAdminTransferCall>(walk, frame, |it| it.account)
    }),
    function::<acceptDefaultAdminTransferCall>(|walk, frame| {
        alone::<acceptDefaultAdminTransferCall>(walk, frame, AuthorityKind::Role)
    }),
    function::<cancelDefaultAdminTransferCall>(|walk, frame| {
        alone::<cancelDefaultAdminTransferCall>(walk, frame, AuthorityKind::Role)
    }),
    function::<addMinterCall>(|walk, frame| role::<addMinterCall>(walk, frame, |it| it.account)),
    function::<removeMinterCall>(|walk, frame| role::<removeMinterCall>(walk, frame, |it| it.account)),
    function::<configureMinterCall>(|walk, frame| role::<configureMinterCall>(walk, frame, |it| it.account)),
    function::<updateMasterMinterCall>(|walk, frame| {
        role::<updateMasterMinterCall>(walk, frame, |it| it.account)
    }),
    function::<addPauserCall>(|walk, frame| role::<addPauserCall>(walk, frame, |it| it.account)),
    function::<removePauserCall>(|walk, frame| role::<removePauserCall>(walk, frame, |it| it.account)),
    function::<updatePauserCall>(|walk, frame| role::<updatePauserCall>(walk, frame, |it| it.account)),
    function::<updateBlacklisterCall>(|walk, frame| {
        role::<updateBlacklisterCall>(walk, frame, |it| it.account)
    }),
    function::<blacklistCall>(|walk, frame| switch::<blacklistCall>(walk, frame, |it| it.account)),
    function::<unBlacklistCall>(|walk, frame| switch::<unBlacklistCall>(walk, frame, |it| it.account)),
    function::<pauseCall>(|walk, frame| alone::<pauseCall>(walk, frame, AuthorityKind::Switch)),
    function::<unpauseCall>(|walk, frame| alone::<unpauseCall>(walk, frame, AuthorityKind::Switch)),
];

type Subject<C> = fn(&C) -> Address;

fn owner<C: SolCall>(walk: &mut Walk<'_>, frame: &Frame<'_>, subject: Subject<C>) -> Result<(), Malformed> {
    about(walk, frame, AuthorityKind::Owner, subject)
}

fn role<C: SolCall>(walk: &mut Walk<'_>, frame: &Frame<'_>, subject: Subject<C>) -> Result<(), Malformed> {
    about(walk, frame, AuthorityKind::Role, subject)
}

fn switch<C: SolCall>(walk: &mut Walk<'_>, frame: &Frame<'_>, subject: Subject<C>) -> Result<(), Malformed> {
    about(walk, frame, AuthorityKind::Switch, subject)
}

fn about<C: SolCall>(
    walk: &mut Walk<'_>,
    frame: &Frame<'_>,
    change: AuthorityKind,
    subject: Subject<C>,
) -> Result<(), Malformed> {
    let call: C = frame.decode()?;
    let subject = Some(subject(&call));
    walk.push(frame, EffectKind::Authority { change, target: frame.this, subject });
    Ok(())
}

/// Without arguments the one concerned is whoever calls.
fn alone<C: SolCall>(walk: &mut Walk<'_>, frame: &Frame<'_>, change: AuthorityKind) -> Result<(), Malformed> {
    let _: C = frame.decode()?;
    walk.push(frame, EffectKind::Authority { change, target: frame.this, subject: Some(frame.caller) });
    Ok(())
}
