//! Vectors of everything that a run is written in: read by the product here, and by the second implementation.
//!
//! `KEYSTEAD_BLESS=1 cargo test -p keystead-tests --test spec_vectors simulation_vectors` writes them anew: a change of wire
//! form, which needs a new version in its domain.

use keystead_base::{Canonical as _, Digest, RequestId, Signed};
use keystead_decision::{Decision, Entry, Outcome, SeenRun, Simulation, Strict};
use keystead_intent::DangerClass;
use keystead_policy::{PolicyRef, PolicyVersion};
use keystead_tests::fixture::{BIRTH, Desk};
use keystead_tests::vectors::{Vector, check, vector};
use keystead_tests::world::World;
use keystead_tests::{rehearsals, root};

fn vectors() -> Vec<Vector> {
    let world = World::new(Strict::default());
    let (cluster, subject) = (world.state.cluster(), RequestId(Digest([2; 32])));
    let [ran, failed] = rehearsals::examples(cluster, subject);
    let node = &world.desk.nodes[0];
    let entry = Entry::Simulation(Signed::new(ran.clone(), node.name.clone(), &node.signer).unwrap());
    let signing_digest = Digest([5; 32]);
    let mut policy: PolicyVersion = Desk::default().policy();
    rehearsals::demanded(&mut policy);
    let mut vectors = vec![
        vector("a policy that demands runs", &policy),
        vector("a run", &ran),
        vector("a run that failed", &failed),
        vector("a run that was seen", &SeenRun { signing_digest, run: ran.run.clone() }),
        vector("a run as an entry", &entry),
    ];
    let outcomes = [
        Outcome::Simulate { class: DangerClass::Opaque, signing_digest, until: BIRTH },
        Outcome::Simulated,
        Outcome::Deny { class: None, reasons: rehearsals::reasons(subject) },
    ];
    let policy = PolicyRef { number: 1, digest: policy.digest() };
    vectors.extend(outcomes.map(|outcome| {
        let word = outcome.word();
        vector(word, &Decision { cluster, height: 9, subject, policy, rules: Vec::new(), outcome })
    }));
    vectors
}

#[test]
fn the_product_reads_every_vector_both_ways() {
    let path = root().join("specs/vectors/simulations.json");
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&vectors()).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let text = std::fs::read_to_string(path).unwrap();
    let stored: Vec<Vector> = serde_json::from_str(&text).unwrap();
    // A signature is another one each time.
    let unsigned = |vectors: Vec<Vector>| {
        vectors.into_iter().filter(|it| it.domain != Entry::DOMAIN).collect::<Vec<_>>()
    };
    assert_eq!(unsigned(serde_json::from_str(&text).unwrap()), unsigned(vectors()));
    let checked = check::<PolicyVersion>(&stored)
        + check::<Simulation>(&stored)
        + check::<SeenRun>(&stored)
        + check::<Entry>(&stored)
        + check::<Decision>(&stored);
    assert_eq!(checked, stored.len());
}
