//! Proxies: the code behind an address changes, or who may change it.

use alloy_primitives::{Address, Bytes};
use alloy_sol_types::sol;
use keystead_intent::{AuthorityKind, EffectKind};

use super::{Frame, Function, Malformed, Walk, function};

sol! {
    function upgradeTo(address implementation);
    function upgradeToAndCall(address implementation, bytes data);
    function changeAdmin(address admin);
    function upgrade(address proxy, address implementation);
    function upgradeAndCall(address proxy, address implementation, bytes data);
    function changeProxyAdmin(address proxy, address admin);
}

/// ERC-1967 proxies and beacons (UUPS, transparent), and OpenZeppelin's ProxyAdmin.
pub(crate) const TABLE: &[Function] = &[
    function::<upgradeToCall>(upgrade_to),
    function::<upgradeToAndCallCall>(upgrade_to_and_call),
    function::<changeAdminCall>(change_admin),
    function::<upgradeCall>(upgrade),
    function::<upgradeAndCallCall>(upgrade_and_call),
    function::<changeProxyAdminCall>(change_proxy_admin),
];

fn upgrade_to(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: upgradeToCall = frame.decode()?;
    changes(walk, frame, AuthorityKind::Upgrade, frame.this, call.implementation);
    Ok(())
}

/// The new code runs at once, on the proxy's storage, with the same `msg.sender`.
fn upgrade_to_and_call(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: upgradeToAndCallCall = frame.decode()?;
    changes(walk, frame, AuthorityKind::Upgrade, frame.this, call.implementation);
    if !call.data.is_empty() {
        let code = call.implementation;
        walk.delegate_call(&Frame::delegate(frame.caller, frame.this, code, &call.data, frame.below(0)));
    }
    Ok(())
}

fn change_admin(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: changeAdminCall = frame.decode()?;
    changes(walk, frame, AuthorityKind::Owner, frame.this, call.admin);
    Ok(())
}

fn upgrade(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: upgradeCall = frame.decode()?;
    changes(walk, frame, AuthorityKind::Upgrade, call.proxy, call.implementation);
    Ok(())
}

fn upgrade_and_call(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: upgradeAndCallCall = frame.decode()?;
    changes(walk, frame, AuthorityKind::Upgrade, call.proxy, call.implementation);
    foreign(walk, frame, call.proxy, call.implementation, &call.data);
    Ok(())
}

fn change_proxy_admin(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: changeProxyAdminCall = frame.decode()?;
    changes(walk, frame, AuthorityKind::Owner, call.proxy, call.admin);
    Ok(())
}

fn changes(walk: &mut Walk<'_>, frame: &Frame<'_>, change: AuthorityKind, target: Address, subject: Address) {
    walk.push(frame, EffectKind::Authority { change, target, subject: Some(subject) });
}

/// The administrator's coins go on to the proxy, where the new code runs.
fn foreign(walk: &mut Walk<'_>, frame: &Frame<'_>, proxy: Address, code: Address, data: &Bytes) {
    let path = frame.below(0);
    if !frame.value.is_zero() {
        walk.coins(path.clone(), frame.this, proxy, frame.value);
    }
    if !data.is_empty() {
        walk.delegate_call(&Frame::delegate(frame.this, proxy, code, data, path));
    }
}
