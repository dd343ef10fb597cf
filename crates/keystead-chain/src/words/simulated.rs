//! What a run of a transaction did, in plain words.

use alloy_primitives::Address;
use alloy_sol_types::{Revert, SolError as _};
use keystead_base::{Amount, Timestamp};
use keystead_intent::{
    Asset, BalanceChange, Ending, NotTaken, Right, RightChange, Run, SimulatedBlock, UNLIMITED_ALLOWANCE,
};
use keystead_speech::Phrase;

use super::Speaker;

/// How it ended first, then what changed for the accounts that were watched.
pub(super) fn lines(speaker: &Speaker<'_>, block: &SimulatedBlock, run: &Run) -> Vec<String> {
    let (number, time) =
        (block.number.to_string(), Timestamp(0).plus_seconds(block.time_seconds).to_string());
    let ending = ending(speaker, run);
    let mut lines = vec![speaker.say(Phrase::Simulated { number: &number, time: &time, ending: &ending })];
    if run.cut {
        lines.push(speaker.say(Phrase::RunCut {}));
    }
    match run.ahead {
        0 => {}
        1 => lines.push(speaker.say(Phrase::RunAheadOne {})),
        count => lines.push(speaker.say(Phrase::RunAhead { count: &count.to_string() })),
    }
    lines.extend(run.balances.iter().map(|it| balance(speaker, it)));
    lines.extend(run.rights.iter().map(|it| right(speaker, it)));
    let created = |it: &Address| speaker.say(Phrase::RunCreates { address: &it.to_string() });
    lines.extend(run.created.iter().map(created));
    lines
}

fn ending(speaker: &Speaker<'_>, run: &Run) -> String {
    let gas = &run.gas_used.to_string();
    speaker.say(match &run.ending {
        Ending::Succeeded => Phrase::RunSucceeds { gas },
        Ending::Reverted { data } if data.is_empty() => Phrase::RunReverts { gas },
        Ending::Reverted { data } => return reverted(speaker, data, gas),
        Ending::Halted => Phrase::RunHalts { gas },
        Ending::NotTaken(NotTaken::Nonce) => Phrase::RunNotTakenNonce {},
        Ending::NotTaken(NotTaken::Funds) => Phrase::RunNotTakenFunds {},
        Ending::NotTaken(NotTaken::Fee) => Phrase::RunNotTakenFee {},
        Ending::NotTaken(NotTaken::Gas) => Phrase::RunNotTakenGas {},
        Ending::NotTaken(NotTaken::Rule) => Phrase::RunNotTakenRule {},
    })
}

/// What a contract gives as its reason is a stranger's text: quoted, with everything escaped that is not plain.
fn reverted(speaker: &Speaker<'_>, data: &[u8], gas: &str) -> String {
    let reason = match Revert::abi_decode(data) {
        Ok(revert) => format!("{:?}", revert.reason),
        Err(_) => const_hex::encode_prefixed(data),
    };
    speaker.say(Phrase::RunRevertsWith { reason: &reason, gas })
}

fn balance(speaker: &Speaker<'_>, it: &BalanceChange) -> String {
    let lost = it.lost() != Amount::ZERO;
    let amount = if lost { it.lost() } else { it.gained() };
    let what = &match (it.asset, it.id) {
        (Asset::Token(token), Some(id)) => speaker.say(Phrase::RunPieces {
            amount: &amount.to_string(),
            token: &speaker.token(token),
            id: &id.to_string(),
        }),
        (asset, _) => speaker.amount(asset, amount),
    };
    match lost {
        true => speaker.say(Phrase::RunLoses { whose: &speaker.loser(it.account), what }),
        false => speaker.say(Phrase::RunGains { whose: &speaker.who(it.account), what }),
    }
}

fn right(speaker: &Speaker<'_>, it: &RightChange) -> String {
    let (holder, owner, token) =
        (&speaker.who(it.holder), &speaker.loser(it.owner), &speaker.token(it.token));
    let amount = |after: Amount| match after.0 >= UNLIMITED_ALLOWANCE {
        true => speaker.say(Phrase::All { token }),
        false => speaker.amount(Asset::Token(it.token), after),
    };
    match it.right {
        Right::Allowance { after, .. } => {
            speaker.say(Phrase::RunMayTake { holder, amount: &amount(after), owner })
        }
        Right::Nft { id, after, .. } => {
            let id = &id.to_string();
            speaker.say(match after {
                true => Phrase::RunMayTakeNft { holder, token, id, owner },
                false => Phrase::RunMayNotTakeNft { holder, token, id, owner },
            })
        }
        Right::Operator { after, .. } => speaker.say(match after {
            true => Phrase::RunMayTakeEvery { holder, token, owner },
            false => Phrase::RunMayNotTakeEvery { holder, token, owner },
        }),
    }
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
    /// Of ours, too, and without a name.
    const OURS: Address = Address::repeat_byte(0xcc);

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
                balance(OURS, Asset::Token(TOKEN), 1, 0),
                balance(OURS, Asset::Native, 0, 1),
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
                format!("In the simulation another account of ours ({OURS}) loses 0.000001 USDC"),
                format!("In the simulation {OURS} NOT IN ADDRESS BOOK gains 1 wei"),
                format!("After the simulation {other} may take ALL USDC from {own}"),
                format!("After the simulation {other} may no longer take EVERY USDC from {own}"),
                format!("A contract is created at {OTHER}"),
            ]
        );
    }
}
