//! The database at the provider is in other hands (S3, L1).
//!
//! Mixin, 23 September 2023, about 200 million dollars: by the network's own announcement the database of its cloud
//! service provider was attacked, and assets were lost. How the one led to the other was not said in detail; what a
//! wallet's database could do there, it cannot do here.
//!
//! The thieves write to the database of the node at which the key lives. The log refused `dora` nine ether for an
//! address of theirs; they turn the row into a yes, with a grant for just these bytes, and let the signer find it there.
//! The product's signer computes the way from the row to the header that a quorum voted for. The twin signs what the
//! database says.

use keystead_base::{Canonical as _, merkle::Inclusion};
use keystead_chain::build;
use keystead_decision::{Certificate, Decision, Grant, Outcome, Strict, leaves};
use keystead_intent::{DangerClass, Slot};
use keystead_ledger::Ledger;
use keystead_wire::RequestStage;

use crate::archive::{Archive, run};
use crate::cluster::{NodeHome, ether};
use crate::fixture::{CHAIN, ETHER, FRIEND};
use crate::nodes::{level, reaches, start_all};
use crate::theft::THIEF;
use crate::world::{World, hot};
use crate::{Loot, Signer};

/// Plays it, with this signer.
pub async fn attack(signer: Signer) -> Loot {
    let mut world = World::new(Strict::default());
    let action = world.ether(THIEF, 9 * ETHER, 0);
    let (id, outcome) = world.ask("dora", action.clone());
    assert_eq!(Loot::decided(&outcome), Loot::refused("deny.destination_unknown"));
    let blocks: Vec<_> = world.log.iter().map(|(commit, block, _)| (commit.clone(), block.clone())).collect();
    let archive = Archive::of(&world.genesis, &blocks).await;
    let unsigned = build(&action, world.account()).expect("a payload");
    let denied = world.certificate(&id).expect("a denial has a certificate").decision;
    archive.run(&rewriting(&denied, &granted(&denied, &unsigned, world.now()))).await;

    let found = found(&archive.ledger, &denied).await;
    match signer.sign(&mut world, &found, &unsigned) {
        Ok(signed) => drop(world.chain.execute_raw(&signed.raw)),
        Err(refused) => return refused,
    }
    Loot::stolen(world.chain.balance(THIEF), "wei that a row allowed")
}

/// The same in a cluster of four, whose real node starts again over the rewritten database: what it says of
/// the request, while it goes on with its work.
pub async fn against_a_home() -> Loot {
    let mut stations = start_all(NodeHome::several(4, |_| {})).await;
    stations[0].make_hot_key().await;
    let nine = ether(THIEF, 9 * ETHER, 0);
    let denied = stations[0].ask("dora", nine.clone()).await;
    assert_eq!(denied.stage, RequestStage::Denied, "{denied:?}");
    let unsigned = build(&nine, stations[0].account().await).expect("a payload");
    let (height, now) = (level(&stations).await, stations[0].now().await);
    let home = stations.remove(0).stop().await;
    let grant = granted(&denied.decision, &unsigned, now);
    run(&home.config.ledger_url(), &rewriting(&denied.decision, &grant)).await;

    let home = home.start().await;
    reaches(&home, height).await;
    let small = stations[0].ask("desk", ether(FRIEND, ETHER / 10, 0)).await;
    assert_eq!(small.stage, RequestStage::Signed, "the home signs what the log allows: {small:?}");
    let view =
        home.client("dora").await.request(denied.request).await.expect("an answer").expect("a request").view;
    match view.signed {
        Some(_) => Loot::Stolen { what: "a signature that a row allowed".to_owned() },
        None => Loot::refused(view.refusal.map_or_else(|| "nothing".to_owned(), |it| it.code)),
    }
}

/// The statement that turns the decision in the database into this one.
fn rewriting(denied: &Decision, granted: &Decision) -> String {
    let (subject, forged) = (denied.subject.0, const_hex::encode(granted.to_document()));
    let row = format!("height = {} AND subject = x'{}'", denied.height, const_hex::encode(subject.0));
    format!("UPDATE decisions SET word = 'allow', document = x'{forged}' WHERE {row}")
}

fn granted(
    denied: &Decision,
    unsigned: &keystead_chain::Unsigned,
    now: keystead_base::Timestamp,
) -> Decision {
    let grant = Grant {
        account: hot(),
        address: unsigned.account(),
        epoch: 0,
        chain: CHAIN,
        signing_digest: unsigned.signing_digest(),
        slot: Some(Slot { chain: CHAIN, account: unsigned.account(), nonce: 0 }),
        class: DangerClass::Transfer,
        expires: now.plus_seconds(60),
    };
    Decision { outcome: Outcome::Allow(grant), ..denied.clone() }
}

/// What a signer finds in the database about a request, with the proof that the rows make.
async fn found(ledger: &Ledger, about: &Decision) -> Certificate {
    let decisions = ledger.decisions(about.height).await.expect("rows that parse");
    let index = decisions.iter().position(|it| it.subject == about.subject).expect("its row");
    let proof = Inclusion::prove(&leaves(&decisions), index).expect("a place");
    let commit = ledger.block(about.height).await.expect("a row").expect("a block").commit;
    Certificate { commit, decision: decisions[index].clone(), proof }
}
