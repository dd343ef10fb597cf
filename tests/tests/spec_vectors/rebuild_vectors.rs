//! Vectors of the rebuild: a stored file, read by the product; the second implementation recomputes it with all others.
//!
//! `KEYSTEAD_BLESS=1 cargo test -p keystead-tests --test spec_vectors rebuild_vectors` writes it anew: a change of wire form, which
//! needs a new version in its domain.

use keystead_decision::rebuild::{Basis, RebuildAssent, RebuildBundle, RebuildDraft};
use keystead_decision::{Entry, Header, Rebuild, SignedRebuild, Strict};
use keystead_tests::fixture::{Member, name};
use keystead_tests::hall::contribution_to;
use keystead_tests::root;
use keystead_tests::vectors::{Vector, check, vector};
use keystead_tests::world::World;

#[test]
fn the_product_reads_every_vector_of_a_rebuild_both_ways() {
    let path = root().join("specs/vectors/rebuild.json");
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&rebuilds()).unwrap() + "\n";
        std::fs::write(&path, text).unwrap();
    }
    let vectors: Vec<Vector> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let counts = [
        check::<Rebuild>(&vectors),
        check::<SignedRebuild>(&vectors),
        check::<RebuildAssent>(&vectors),
        check::<RebuildDraft>(&vectors),
        check::<RebuildBundle>(&vectors),
        check::<Header>(&vectors),
        check::<Entry>(&vectors),
    ];
    assert_eq!(counts, [1, 2, 1, 1, 1, 1, 1], "a domain that this test does not know");
}

/// One node is lost, and one comes in its place.
fn rebuilds() -> Vec<Vector> {
    let mut world = World::new(Strict::default());
    let (genesis, cluster) = (world.genesis.clone(), world.state.cluster());
    let basis = Basis {
        before: Vec::new(),
        head: world.head(),
        root: world.state.history().root(),
        remembered: world.state.height() + 2,
        at: world.now().plus_seconds(60),
    };
    let contributions = vec![contribution_to("fixture", &Member::new("node-9", 9))];
    let checked = || RebuildDraft::assemble(&genesis, cluster, basis.clone(), contributions.clone()).unwrap();
    let sign = |who| {
        let draft = checked();
        draft.sign(&name(who), draft.fingerprint(), &world.desk.person(who).signer).unwrap()
    };
    let assents: Vec<RebuildAssent> = ["ana", "ben", "cleo"].map(sign).into();
    let (draft, assent) = (checked().draft().clone(), assents[0].clone());
    let finished = checked().finish(assents).unwrap();
    let signed = world.rebuild(vec![Member::new("node-9", 9)]);
    let (commit, block, _) = world.log.last().unwrap();
    vec![
        vector("a rebuild", &draft.rebuild),
        vector("a draft", &draft),
        vector("a person signs", &assent),
        vector("signed by enough", finished.signed()),
        vector("what is installed", &finished.bundle()),
        vector("nothing is known to be lost", &signed),
        vector("the header of its block", &commit.header),
        vector("its entry", &block.entries[0]),
    ]
}
