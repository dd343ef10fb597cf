//! A transcript in plain words, danger first; and the same for scripts.

use keystead_approver::policy_words::{limits, quorums, registry, unambiguous};
use keystead_base::{Digest, Name};
use keystead_decision::Genesis;
use keystead_decision::ceremony::{CheckedTranscript, Contribution, Part, SignedContribution};
use serde_json::{Value, json};

use super::danger::{dangers, withstands};
use super::grouped;
use crate::output::strong;
use crate::outside;
use crate::table::Table;

/// What somebody is about to sign or has signed.
pub(crate) struct Shown<'a> {
    pub(crate) transcript: &'a CheckedTranscript,
    /// Whose signatures are there; none of a draft.
    pub(crate) signed: Vec<Name>,
    /// The member whose folder this is, and whether its own contribution is in the transcript.
    pub(crate) own: Option<(Name, bool)>,
}

impl Shown<'_> {
    fn genesis(&self) -> &Genesis {
        &self.transcript.transcript().genesis
    }

    fn contributions(&self) -> &[SignedContribution] {
        &self.transcript.transcript().contributions
    }

    fn dangers(&self) -> Vec<String> {
        let own = self.own.as_ref().filter(|(_, holds)| !holds);
        let own = own.map(|(name, _)| {
            format!("what `{name}` contributed from this folder is NOT in it: do not sign, tell the others")
        });
        own.into_iter().chain(self.ahead()).chain(dangers(self.genesis())).collect()
    }

    /// The log's time begins with the genesis and never goes back.
    fn ahead(&self) -> Option<String> {
        let created = self.genesis().created;
        let ahead = created > outside::now().plus_seconds(CLOCK_SECONDS);
        ahead.then(|| {
            format!("drafted at {created}, ahead of this machine's clock: nothing is decided before then")
        })
    }

    pub(crate) fn text(&self) -> String {
        let mut parts = vec![strong(&self.headline())];
        let dangers: Vec<String> = self.dangers().iter().map(|it| format!("  ! {it}")).collect();
        if !dangers.is_empty() {
            parts.push(format!("DANGER\n{}", dangers.join("\n")));
        }
        parts.push(self.overview());
        parts.push(self.members());
        let policy = &self.genesis().policy;
        for (title, lines) in
            [("Limits", limits(policy)), ("Who must approve", quorums(policy)), ("Rules", registry(policy))]
        {
            let lines = lines.iter().map(|line| format!("  {}", unambiguous(line)));
            parts.push(format!("{title}\n{}", lines.collect::<Vec<_>>().join("\n")));
        }
        parts.join("\n\n")
    }

    fn headline(&self) -> String {
        let (genesis, members) = (self.genesis(), self.contributions().len());
        let state = match self.signed.len() {
            0 => "draft".to_owned(),
            signed => format!("signed by {signed} of {members}"),
        };
        format!("The founding of `{}`: {members} members, {state}", genesis.name)
    }

    fn overview(&self) -> String {
        let roster = &self.genesis().policy.roster;
        let mut table = Table::pairs();
        table
            .pair("fingerprint", grouped(&self.transcript.fingerprint()))
            .pair("cluster", self.genesis().cluster())
            .pair("drafted", self.genesis().created)
            .pair("quorum", format!("{} of {} nodes commit", roster.quorum, roster.nodes.len()))
            .pair("withstands", withstands(roster));
        let own = match &self.own {
            Some((name, true)) => format!("what `{name}` contributed is in it, byte for byte"),
            Some((name, false)) => format!("what `{name}` contributed is NOT in it"),
            None => "not compared: name the folder of `keystead ceremony join` with --dir".to_owned(),
        };
        table.pair("own part", own);
        table.render().trim_end().to_owned()
    }

    fn members(&self) -> String {
        let said = self.contributions().iter().map(|it| contribution(it.body()));
        said.collect::<Vec<_>>().join("\n\n")
    }

    /// What to do with it.
    pub(crate) fn next(&self) -> &'static str {
        match self.signed.is_empty() {
            true => {
                "next: every member runs `keystead ceremony show` on its own machine; on a call, all read out the \
                 fingerprint that they see;\n  then each signs: keystead ceremony sign FILE --dir FOLDER --fingerprint \
                 'AS READ OUT'"
            }
            false => "next: every member runs `keystead ceremony install BUNDLE --dir FOLDER`",
        }
    }

    pub(crate) fn json(&self) -> Value {
        let (genesis, policy) = (self.genesis(), &self.genesis().policy);
        let members = self.contributions().iter().map(|it| member(it.body()));
        json!({
            "name": genesis.name,
            "fingerprint": self.transcript.fingerprint(),
            "cluster": genesis.cluster(),
            "created": genesis.created,
            "dangers": self.dangers(),
            "quorum": policy.roster.quorum,
            "withstands": withstands(&policy.roster),
            "members": members.collect::<Vec<_>>(),
            "signed": self.signed,
            "own": self.own.as_ref().map(|(name, holds)| json!({"name": name, "holds": holds})),
            "limits": limits(policy),
            "quorums": quorums(policy),
            "rules": registry(policy),
            "policy": policy,
        })
    }
}

/// One member: part, key and labels.
pub(crate) fn contribution(member: &Contribution) -> String {
    let mut table = Table::pairs();
    table.pair(part(&member.part), member.name.as_str()).pair("  key", grouped(&member.key.fingerprint()));
    match &member.part {
        Part::Node(node) => {
            let labels = format!(
                "operator {}, host {}, provider {}, build {}",
                node.operator, node.host, node.provider, node.build
            );
            table.pair("  at", &node.address).pair("  labels", labels);
        }
        Part::Service(service) => drop(table.pair("  roles", roles(&service.roles))),
        Part::Founder(founder) => {
            table.pair("  roles", roles(&founder.roles)).pair("  device", &founder.device);
        }
    }
    table.render().trim_end().to_owned()
}

fn member(member: &Contribution) -> Value {
    json!({
        "name": member.name,
        "part": part(&member.part),
        "key": member.key.fingerprint(),
        "transport": Digest(member.transport.0.0),
        "address": if let Part::Node(node) = &member.part { Some(&node.address) } else { None },
    })
}

fn part(part: &Part) -> &'static str {
    match part {
        Part::Node(_) => "node",
        Part::Service(_) => "service",
        Part::Founder(_) => "founder",
    }
}

/// How far the clock of whoever drafted may be ahead before it is worth a warning.
const CLOCK_SECONDS: u64 = 60;

fn roles(roles: &[Name]) -> String {
    roles.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use keystead_approver::policy_words::differences;
    use keystead_base::Timestamp;
    use keystead_policy::{
        BitcoinFinality, BitcoinTerms, FeeCap, HeightLimit, LockTimeRule, PolicyVersion, Roster,
        SharedWallet, Simulate, SimulationRule, Tolerance, WrittenAddress,
    };

    use super::*;
    use crate::sample::{self, World};

    fn policy() -> PolicyVersion {
        let roster =
            Roster { quorum: 1, nodes: Vec::new(), services: Vec::new(), people: Vec::new(), devices: None };
        let world = World {
            chain: 1,
            addresses: vec![("exchange".parse().unwrap(), alloy_primitives::Address::repeat_byte(7))],
            tokens: vec![("USDT".to_owned(), 6, alloy_primitives::Address::repeat_byte(8))],
            ..World::default()
        };
        sample::policy(&world, roster, Timestamp(1_795_467_600_000)).unwrap()
    }

    fn said(policy: &PolicyVersion) -> Vec<String> {
        [limits(policy), quorums(policy), registry(policy)].concat()
    }

    fn shared() -> BitcoinTerms {
        let (name, key) = ("vault".parse().unwrap(), "hot".parse().unwrap());
        let (chain, descriptor) = (keystead_intent::ChainId::BITCOIN_MAINNET, "wsh()".to_owned());
        let shared_wallets = vec![SharedWallet { chain, name, key, descriptor }];
        BitcoinTerms { shared_wallets, ..BitcoinTerms::default() }
    }

    fn lock_times(grows_from: Option<Timestamp>) -> BitcoinTerms {
        let height = Some(HeightLimit { height: 800_000, grows_from });
        let (chain, keys) = (keystead_intent::ChainId::BITCOIN_MAINNET, Vec::new());
        let (ahead_seconds, relative_blocks, relative_seconds) = (None, 0, 0);
        BitcoinTerms {
            shared_wallets: Vec::new(),
            finality: Vec::new(),
            written: Vec::new(),
            lock_times: vec![LockTimeRule {
                chain,
                keys,
                height,
                ahead_seconds,
                relative_blocks,
                relative_seconds,
            }],
        }
    }

    /// Whoever drafts can hide nothing in a part that is not shown.
    #[test]
    fn every_part_of_a_policy_is_said() {
        type Change = fn(&mut PolicyVersion);
        let changes: [Change; 30] = [
            |it| {
                let chain = keystead_intent::ChainId::BITCOIN_MAINNET;
                let finality = vec![BitcoinFinality { chain, confirmations: 3 }];
                it.bitcoin = Some(BitcoinTerms { finality, ..BitcoinTerms::default() });
            },
            |it| {
                let (chain, address) = (keystead_intent::ChainId::BITCOIN_REGTEST, "bcrt1qa".to_owned());
                let written = vec![WrittenAddress { chain, address }];
                it.bitcoin = Some(BitcoinTerms { written, ..BitcoinTerms::default() });
            },
            |it| it.chains.clear(),
            |it| it.rules[0].cedar.push_str(" // more"),
            |it| it.rules[0].id = "other".parse().unwrap(),
            |it| it.windows[0].limit = 1_u64.into(),
            |it| it.windows[0].span_seconds = 1,
            |it| it.windows[0].keys.push("hot".parse().unwrap()),
            |it| it.windows[1].per.clear(),
            |it| it.quorums[0].delay_seconds = 1,
            |it| it.quorums[0].vetoers.clear(),
            |it| it.quorums[0].needs[0].count = 1,
            |it| it.quorums[0].needs[0].factors.push(keystead_policy::Factor::Software),
            |it| it.quorums[0].changes.push(keystead_intent::ChangeKind::Thaw),
            |it| it.quorums.iter_mut().for_each(|row| row.from = None),
            |it| it.address_book[0].usable_from = Timestamp(0),
            |it| it.assets[1].decimals = 18,
            |it| it.assets[1].symbol = "USDC".to_owned(),
            |it| it.caps[0].amount = 1_u64.into(),
            |it| it.fresh_heads.clear(),
            |it| {
                let (chain, asset) = (it.chains[0], keystead_intent::Asset::Native);
                it.tolerances = vec![Tolerance { chain, asset, flow_bps: 1, hold_bps: 0 }];
            },
            |it| {
                it.fee_caps = vec![FeeCap {
                    id: "gas".parse().unwrap(),
                    keys: vec![],
                    chains: vec![],
                    max_fee_per_gas: Some(1_u64.into()),
                    max_priority_fee_per_gas: None,
                    fee: None,
                    fee_fiat: None,
                }];
            },
            |it| {
                it.simulation = Some(SimulationRule {
                    keys: vec![],
                    classes: vec![],
                    chains: vec![],
                    max_age_seconds: 1,
                    wait_seconds: 1,
                    may_fail: true,
                    simulate: Simulate::WhereAsked,
                })
            },
            |it| it.bitcoin = Some(lock_times(None)),
            |it| it.bitcoin = Some(shared()),
            |it| it.bitcoin = Some(lock_times(Some(Timestamp(0)))),
            |it| it.timing.max_lifetime_seconds = 1,
            |it| it.timing.certificate_seconds = 1,
            |it| it.timing.skew_seconds = 1,
            |it| it.timing.cool_off_seconds = 1,
        ];
        for (place, change) in changes.into_iter().enumerate() {
            let mut other = policy();
            change(&mut other);
            assert_ne!(said(&other), said(&policy()), "change {place} is not said");
            let differing = differences(&policy(), &other);
            assert!(differing.iter().any(|it| it.starts_with(['+', '-'])), "change {place}: {differing:?}");
        }
    }

    #[test]
    fn what_could_mislead_a_reader_is_written_out() {
        let mut policy = policy();
        policy.rules[0].cedar = "// all is well:\npermit(principal, action, resource);".to_owned();
        policy.rules[1].cedar = "forbid /*\u{202e}*/ (principal, action, resource);".to_owned();
        policy.assets[0].symbol = "\u{1b}[2JETH".to_owned();
        let lines = registry(&policy);
        assert!(lines.contains(&"    permit(principal, action, resource);".to_owned()), "{lines:?}");
        assert!(
            lines.contains(&"    forbid /*\\u{202e}*/ (principal, action, resource);".to_owned()),
            "{lines:?}"
        );
        assert!(lines.iter().any(|line| line.starts_with("asset `\\u{1b}[2JETH`")), "{lines:?}");
    }
}
