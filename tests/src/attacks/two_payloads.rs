//! The coordinator shows each node another payload (S2, S3).
//!
//! Whoever carries a request can carry another one to each of those who are to check it. `dora` asks the coordinator for
//! half an ether to a friend. The thieves, who have its host and its own key, leave her number on it, put their own
//! address and other sums beside it, and hand each of four nodes another version.
//!
//! A request is signed by whoever asks, and named by the digest of what is asked: the changed ones do not verify, and
//! not under the coordinator's own name either. The twin's coordinator asks in its own name for what people tell it: its
//! versions verify. Even then there is one log, and of all that share one number it allows one.

use alloy_primitives::Address;
use keystead_decision::{Entry, Outcome};
use keystead_intent::{Intent, RequestBatch};
use keystead_policy::{AddressEntry, PolicyVersion};
use keystead_wire::{EntryAnswer, RequestStage, RequestView};
use tokio::task::JoinSet;

use crate::Loot;
use crate::cluster::{NodeHome, Station, ether, signed};
use crate::fixture::{BIRTH, CHAIN, ETHER, FRIEND, name};
use crate::nodes::{level, start_all};
use crate::theft::{THIEF, cashed};

/// Who signs what people ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    /// Whoever asks.
    Requester,
    /// The service that they tell it.
    Service,
}

/// The product's way.
#[must_use]
pub fn requester() -> Signs {
    Signs::Requester
}

/// The naive way.
#[must_use]
pub fn service() -> Signs {
    Signs::Service
}

/// Plays it, with requests signed like this.
pub async fn attack(signs: Signs) -> Loot {
    let stations = start_all(NodeHome::several(4, knows_the_thief)).await;
    stations[0].make_hot_key().await;
    level(&stations).await;
    let who = if signs == Signs::Requester { "dora" } else { "desk" };
    let honest = stations[0].intent(who, ether(FRIEND, ETHER / 2, 0), stations[0].now().await);
    let answers = handed_out(&stations, &honest).await;
    let views: Vec<RequestView> = answers.iter().filter_map(first_view).collect();
    if signs == Signs::Requester {
        return refused(&stations, &honest, &answers).await;
    }
    let allowed: Vec<_> = views.iter().filter(|it| it.stage == RequestStage::Signed).collect();
    assert_eq!(allowed.len(), 1, "one log allows one of them: {views:?}");
    match cashed(&stations[0], allowed[0]).await {
        Ok(chain) => Loot::stolen(chain.balance(THIEF), "wei, and half an ether for a friend was asked"),
        Err(refused) => refused,
    }
}

/// Each node gets another version, all at once.
async fn handed_out(stations: &[Station], honest: &Intent) -> Vec<EntryAnswer> {
    let signer = stations[0].member(honest.requester.as_str());
    let genuine = signed(RequestBatch { intents: vec![honest.clone()] }, signer);
    let mut calls = JoinSet::new();
    for (station, tenths) in stations.iter().zip(1_u32..) {
        let action = ether(THIEF, ETHER / 10 * u128::from(tenths), 0);
        let batch = RequestBatch { intents: vec![Intent { action, ..honest.clone() }] };
        let mut versions = vec![match signer.name.as_str() {
            "desk" => signed(batch.clone(), signer),
            _ => keystead_base::Signed { body: batch.clone(), ..genuine.clone() },
        }];
        if signer.name.as_str() != "desk" {
            versions.push(signed(batch, station.member("desk")));
        }
        let client = station.client("desk").await;
        let entries = versions.into_iter().map(Entry::Requests).collect();
        calls.spawn(async move { client.submit(entries).await.expect("answers") });
    }
    calls.join_all().await.into_iter().flatten().collect()
}

/// None of them entered, and what was asked for is signed.
async fn refused(stations: &[Station], honest: &Intent, answers: &[EntryAnswer]) -> Loot {
    let code = |it: &EntryAnswer| match it {
        EntryAnswer::Refused(refused) => refused.code.clone(),
        other => panic!("it entered: {other:?}"),
    };
    let codes: std::collections::BTreeSet<String> = answers.iter().map(code).collect();
    let entry = stations[0].entry(vec![honest.clone()]);
    let view = stations[0].submit_request("desk", entry).await;
    assert_eq!(view.stage, RequestStage::Signed, "what dora asked for: {view:?}");
    assert!(matches!(view.decision.outcome, Outcome::Allow(_)));
    Loot::refused(codes.into_iter().collect::<Vec<_>>().join(", "))
}

fn first_view(answer: &EntryAnswer) -> Option<RequestView> {
    match answer {
        EntryAnswer::Requests(views) => views.first().cloned(),
        EntryAnswer::Decided(_) | EntryAnswer::Refused(_) => None,
    }
}

/// The thieves are a partner whom policy knows.
fn knows_the_thief(policy: &mut PolicyVersion) {
    let address: Address = THIEF;
    let partner = AddressEntry { chain: CHAIN, address, name: name("partner"), usable_from: BIRTH };
    policy.address_book.push(partner);
    policy.address_book.sort_by_key(|entry| (entry.chain, entry.address));
}
