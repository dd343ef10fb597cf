//! What a run of a transaction did, in plain words.

use alloy_sol_types::{Revert, SolError as _};
use keystead_base::{Amount, Timestamp};
use keystead_intent::{
    Asset, BalanceChange, Ending, NotTaken, Right, RightChange, Run, SimulatedBlock, UNLIMITED_ALLOWANCE,
};

use super::Speaker;

/// How it ended first, then what changed for the accounts that were watched.
pub(super) fn lines(speaker: &Speaker<'_>, block: &SimulatedBlock, run: &Run) -> Vec<String> {
    let time = Timestamp(0).plus_seconds(block.time_seconds);
    let mut lines = vec![format!("Simulated after block {} of {time}: {}", block.number, ending(run))];
    if run.cut {
        lines.push("IT CHANGES MORE THAN CAN BE SHOWN; this is not all".to_owned());
    }
    if run.ahead > 0 {
        let come = if run.ahead == 1 { "transaction comes" } else { "transactions come" };
        lines.push(format!("{} {come} before it and may change what it does", run.ahead));
    }
    lines.extend(run.balances.iter().map(|it| balance(speaker, it)));
    lines.extend(run.rights.iter().map(|it| right(speaker, it)));
    lines.extend(run.created.iter().map(|it| format!("A contract is created at {it}")));
    lines
}

fn ending(run: &Run) -> String {
    let gas = run.gas_used;
    match &run.ending {
        Ending::Succeeded => format!("it succeeds, with {gas} gas"),
        Ending::Reverted { data } => format!("IT REVERTS{}, with {gas} gas", reason(data)),
        Ending::Halted => format!("IT FAILS AND SPENDS ALL ITS GAS, {gas}"),
        Ending::NotTaken(reason) => format!("IT WOULD NOT BE TAKEN: {}", not_taken(*reason)),
    }
}

/// What a contract gives as its reason is a stranger's text: quoted, with everything escaped that is not plain.
fn reason(data: &[u8]) -> String {
    match Revert::abi_decode(data) {
        Ok(revert) => format!(" with {:?}", revert.reason),
        Err(_) if data.is_empty() => String::new(),
        Err(_) => format!(" with 0x{}", const_hex::encode(data)),
    }
}

fn not_taken(reason: NotTaken) -> &'static str {
    match reason {
        NotTaken::Nonce => "its nonce is used",
        NotTaken::Funds => "the account has too few coins",
        NotTaken::Fee => "it offers too little for gas",
        NotTaken::Gas => "its gas limit does not fit",
        NotTaken::Rule => "it breaks a rule of the chain",
    }
}

fn balance(speaker: &Speaker<'_>, it: &BalanceChange) -> String {
    let lost = it.lost() != Amount::ZERO;
    let (verb, amount) = if lost { ("loses", it.lost()) } else { ("gains", it.gained()) };
    let what = match (it.asset, it.id) {
        (Asset::Token(token), Some(id)) => format!("{amount} pieces of {} no. {id}", speaker.token(token)),
        (asset, _) => speaker.amount(asset, amount),
    };
    let whose = if lost { speaker.giver(it.account) } else { speaker.who(it.account) };
    format!("In the simulation {whose} {verb} {what}")
}

fn right(speaker: &Speaker<'_>, it: &RightChange) -> String {
    let (holder, owner, token) = (speaker.who(it.holder), speaker.giver(it.owner), speaker.token(it.token));
    let what = match it.right {
        Right::Allowance { after, .. } if after.0 >= UNLIMITED_ALLOWANCE => format!("may take ALL {token}"),
        Right::Allowance { after, .. } => {
            format!("may take {}", speaker.amount(Asset::Token(it.token), after))
        }
        Right::Nft { id, after, .. } => format!("{} {token} no. {id}", may(after)),
        Right::Operator { after, .. } => format!("{} EVERY {token}", may(after)),
    };
    format!("After the simulation {holder} {what} from {owner}")
}

fn may(may: bool) -> &'static str {
    if may { "may take" } else { "may no longer take" }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, Bytes, U256};
    use keystead_intent::{AccountRef, AssetEntry, AssetIndex, AssetKind, ChainId};

    use super::super::{AddressBook, describe_run};
    use super::*;

    const OWN: Address = Address::repeat_byte(0xaa);
    const OTHER: Address = Address::repeat_byte(0xbb);
    const TOKEN: Address = Address::repeat_byte(0x20);

    fn said(run: &Run) -> Vec<String> {
        let coin = AssetEntry {
            chain: ChainId(1),
            asset: Asset::Token(TOKEN),
            symbol: "USDC".to_owned(),
            decimals: 6,
            kind: AssetKind::Fungible,
        };
        let registry = AssetIndex::new(&[coin], &[]).unwrap();
        let block = SimulatedBlock { number: 7, hash: Default::default(), time_seconds: 1_795_464_902 };
        let account = AccountRef { key: "hot".parse().unwrap(), index: 0 };
        let book = AddressBook::new([(OTHER, "exchange".to_owned())]);
        let speaker = Speaker::new(ChainId(1), &registry, &book).with_own(Some((OWN, &account)));
        describe_run(&block, run, &speaker).iter().map(ToString::to_string).collect()
    }

    fn ended(ending: Ending) -> String {
        said(&Run::without_changes(ending, 21_000, 0)).remove(0)
    }

    #[test]
    fn an_ending_is_said_first() {
        let at = "Simulated after block 7 of 2026-11-23 20:15:02.000 UTC: ";
        let revert = Revert { reason: "no \u{202e} money".to_owned() }.abi_encode();
        for (ending, words) in [
            (Ending::Succeeded, "it succeeds, with 21000 gas"),
            (Ending::Reverted { data: Bytes::new() }, "IT REVERTS, with 21000 gas"),
            (Ending::Reverted { data: vec![7].into() }, "IT REVERTS with 0x07, with 21000 gas"),
            (
                Ending::Reverted { data: revert.into() },
                "IT REVERTS with \"no \\u{202e} money\", with 21000 gas",
            ),
            (Ending::Halted, "IT FAILS AND SPENDS ALL ITS GAS, 21000"),
            (Ending::NotTaken(NotTaken::Funds), "IT WOULD NOT BE TAKEN: the account has too few coins"),
        ] {
            assert_eq!(ended(ending), format!("{at}{words}"));
        }
    }

    #[test]
    fn what_changes_is_said_in_the_units_and_names_of_the_policy() {
        let balance = |account, asset, before: u64, after: u64| BalanceChange {
            account,
            asset,
            id: None,
            before: before.into(),
            after: after.into(),
        };
        let right = |right| RightChange { owner: OWN, token: TOKEN, holder: OTHER, right };
        let all = Right::Allowance { before: Amount::ZERO, after: Amount(U256::MAX) };
        let run = Run {
            balances: vec![
                balance(OWN, Asset::Token(TOKEN), 5_000_000, 1_500_000),
                balance(OTHER, Asset::Token(TOKEN), 0, 3_500_000),
            ],
            rights: vec![right(all), right(Right::Operator { before: true, after: false })],
            created: vec![OTHER],
            cut: true,
            ..Run::without_changes(Ending::Succeeded, 1, 2)
        };
        let own = format!("our own account hot/0 ({OWN})");
        let other = format!("exchange ({OTHER})");
        assert_eq!(
            said(&run)[1..],
            [
                "IT CHANGES MORE THAN CAN BE SHOWN; this is not all".to_owned(),
                "2 transactions come before it and may change what it does".to_owned(),
                format!("In the simulation {own} loses 3.5 USDC"),
                format!("In the simulation {other} gains 3.5 USDC"),
                format!("After the simulation {other} may take ALL USDC from {own}"),
                format!("After the simulation {other} may no longer take EVERY USDC from {own}"),
                format!("A contract is created at {OTHER}"),
            ]
        );
    }
}
