//! A rebuild in plain words, danger first; and the same for scripts.

use keystead_base::Name;
use keystead_decision::ceremony::SignedContribution;
use keystead_decision::rebuild::CheckedRebuild;
use keystead_decision::{Key, Phase, Rebuild, State};
use keystead_policy::{Need, Roster};
use serde_json::{Value, json};

use crate::ceremony::{contribution, grouped, node_dangers, withstands};
use crate::output::strong;
use crate::outside;
use crate::table::Table;

/// What somebody is about to sign or has signed.
pub(crate) struct Shown<'a> {
    pub(crate) rebuild: &'a CheckedRebuild,
    /// Whose signatures are there; none of a draft.
    pub(crate) signed: Vec<Name>,
    /// The state at the end of the backup, where all of it was replayed here and is what the draft says.
    pub(crate) audited: Option<&'a State>,
}

impl Shown<'_> {
    fn body(&self) -> &Rebuild {
        &self.rebuild.draft().rebuild
    }

    fn before(&self) -> &Roster {
        &self.rebuild.in_force().roster
    }

    fn dangers(&self) -> Vec<String> {
        let (rebuild, before) = (self.body(), self.before());
        let old = before.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
        let mut all = vec![
            format!(
                "if {} of {old} still run, or run again, they still decide: two logs, and neither counts what the other \
                 allows. Be sure that they are gone, and destroy what is left of them",
                before.quorum
            ),
            format!(
                "what was decided after block {} is not known here, and no limit counts what was signed then: `keystead \
                 rebuild check` finds it on the chains, before anybody thaws",
                rebuild.height
            ),
        ];
        if rebuild.lost() > 0 {
            all.insert(
                0,
                format!(
                    "{} BLOCKS ARE LOST: somebody remembers a log of {}, this backup has {}; what they allowed counts \
                     in no limit",
                    rebuild.lost(),
                    rebuild.remembered,
                    rebuild.height
                ),
            );
        }
        all.push(format!(
            "a contribution says `{}` and not which cluster of that name: have whoever stands at each new machine read its \
             key's fingerprint out",
            self.contributions().first().map_or("", |it| it.body().ceremony.as_str())
        ));
        if rebuild.at > outside::now().plus_seconds(CLOCK_SECONDS) {
            all.push(format!("drafted at {}, ahead of this machine's clock", rebuild.at));
        }
        if self.audited.is_none() {
            all.push("the backup itself was not replayed here: name its folder with --log".to_owned());
        }
        all.extend(node_dangers(&rebuild.policy.roster));
        all
    }

    pub(crate) fn text(&self) -> String {
        let dangers: Vec<String> = self.dangers().iter().map(|it| format!("  ! {it}")).collect();
        let nodes: Vec<String> = self.contributions().iter().map(|it| contribution(it.body())).collect();
        [
            strong(&self.headline()),
            format!("DANGER\n{}", dangers.join("\n")),
            self.overview(),
            format!("The new nodes\n\n{}", nodes.join("\n\n")),
        ]
        .join("\n\n")
    }

    fn contributions(&self) -> &[SignedContribution] {
        &self.rebuild.draft().contributions
    }

    fn headline(&self) -> String {
        let (rebuild, nodes) = (self.body(), self.contributions().len());
        let state = match self.signed.len() {
            0 => "draft".to_owned(),
            signed => format!("signed by {signed}"),
        };
        format!("The rebuild from block {} on, with {nodes} new nodes, {state}", rebuild.height)
    }

    fn overview(&self) -> String {
        let (rebuild, roster) = (self.body(), &self.body().policy.roster);
        let log = self.rebuild.draft().head.as_ref().map(|it| it.header.time);
        let mut table = Table::pairs();
        table
            .pair("fingerprint", grouped(&self.rebuild.fingerprint()))
            .pair("cluster", rebuild.cluster)
            .pair("drafted", rebuild.at)
            .pair("goes on from", format!("block {}, header {}", rebuild.height, rebuild.last))
            .pair("decided until", log.map_or_else(|| "nothing yet".to_owned(), |it| it.to_string()))
            .pair("root", rebuild.root)
            .pair(
                "policy",
                format!(
                    "version {}, as {} but for the nodes",
                    rebuild.policy.number,
                    self.rebuild.in_force().number
                ),
            )
            .pair("quorum", format!("{} of {} nodes commit", roster.quorum, roster.nodes.len()))
            .pair("withstands", withstands(roster));
        if let Some(state) = self.audited {
            for it in state.keys() {
                table.pair("key", key_words(it));
            }
            table.pair("on their way", format!("{} requests, allowed and not final", unsettled(state)));
        }
        table
            .pair("takes", words(self.rebuild.needs()))
            .pair("begins", "frozen: nothing is signed before the same larger number of people thaws it");
        table.render().trim_end().to_owned()
    }

    /// What to do with it.
    pub(crate) fn next(&self) -> &'static str {
        match self.signed.is_empty() {
            true => {
                "next: on a call, all who sign read out the fingerprint that they see;\n  then each signs: keystead \
                 rebuild sign DRAFT --log BACKUP --fingerprint 'AS READ OUT'"
            }
            false => {
                "next: each new node runs `keystead rebuild install BUNDLE --dir FOLDER --log BACKUP --cluster ID`, \
                 and people and coordinators run it in their own folders"
            }
        }
    }

    pub(crate) fn json(&self) -> Value {
        let rebuild = self.body();
        json!({
            "fingerprint": self.rebuild.fingerprint(),
            "cluster": rebuild.cluster,
            "height": rebuild.height,
            "last": rebuild.last,
            "root": rebuild.root,
            "lost": rebuild.lost(),
            "at": rebuild.at,
            "dangers": self.dangers(),
            "needs": self.rebuild.needs(),
            "nodes": rebuild.policy.roster.nodes,
            "quorum": rebuild.policy.roster.quorum,
            "withstands": withstands(&rebuild.policy.roster),
            "audited": self.audited.is_some(),
            "keys": self.audited.map(|state| state.keys().map(key).collect::<Vec<_>>()),
            "unsettled": self.audited.map(unsettled),
            "signed": self.signed,
        })
    }
}

/// What has to come back from a backup.
fn key((name, key): (&Name, &Key)) -> Value {
    json!({"name": name, "state": key.state, "home": key.home, "backup": key.backup})
}

fn key_words((name, key): (&Name, &Key)) -> String {
    let backup = key.backup.map_or_else(|| "NO BACKUP: it is lost".to_owned(), |it| format!("backup {it}"));
    format!("{name}, {}, was at {}, {backup}", key.state, key.home)
}

fn unsettled(state: &State) -> usize {
    state.requests().filter(|(_, request)| request.phase == Phase::Allowed).count()
}

fn words(needs: &[Need]) -> String {
    let need = |it: &Need| format!("the signatures of {} of role {}", it.count, it.role);
    needs.iter().map(need).collect::<Vec<_>>().join(", ")
}

/// How far the clock of whoever drafted may be ahead before it is worth a warning.
const CLOCK_SECONDS: u64 = 60;
