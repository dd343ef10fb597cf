//! A rebuild that everybody's keys signed, and nobody wanted (S13).
//!
//! People's keys lie on machines with a network. Whoever has three of four of them, by whatever way, has the larger quorum: they say that
//! all nodes are lost, and sign a rebuild with four nodes of their own. Nothing is wrong with any signature, and no count is short. Ana,
//! who is told of it, installs it in her folder as she would a real one.
//!
//! Where her folder pins an anchor, whose keys lie in safes, the program of the product asks for its word and refuses. The twin is the
//! same folder without that line: from then on it looks for the thief's nodes, and takes their votes for the cluster's.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use keystead_base::{Canonical as _, Digest};
use keystead_decision::Strict;
use keystead_decision::rebuild::{Basis, FinishedRebuild, RebuildDraft};

use crate::fixture::{Member, name};
use crate::hall::contribution_to;
use crate::rebuilding::four_approvers;
use crate::world::World;
use crate::{Loot, binary};

/// What stands in a folder's configuration before anything else.
pub type Pin = fn() -> String;

/// The digest of an anchor, as it was read out.
pub fn pinned() -> String {
    format!("anchor = \"{}\"\n", Digest([7; 32]))
}

/// No anchor.
pub fn unpinned() -> String {
    String::new()
}

/// Plays it, in a folder with this pin.
///
/// # Panics
///
/// Where the program of the product is not built.
pub fn attack(pin: Pin) -> Loot {
    let world = World::with_policy(Strict::default(), four_approvers);
    let folder = tempfile::tempdir().expect("a folder");
    furnish(folder.path(), &world, pin);
    let bundle = folder.path().join("bundle");
    fs::write(&bundle, by_stolen_keys(&world).bundle().to_document()).expect("a file");
    let mut install = Command::new(binary("keystead"));
    install.args(["--json", "--dir"]).arg(folder.path()).args(["rebuild", "install"]).arg(&bundle);
    let output = install.output().expect("the program of the product");
    let looks_for = fs::read_to_string(folder.path().join("keystead.toml")).expect("a configuration");
    match output.status.success() {
        true => {
            assert!(looks_for.contains("node-201") && !looks_for.contains("node-1"), "{looks_for}");
            Loot::harmed("a folder that looks for the nodes of a thief, and for no others")
        }
        false => {
            assert!(looks_for.contains("node-1") && !looks_for.contains("node-201"), "{looks_for}");
            assert!(!folder.path().join("rebuild").exists(), "nothing was written");
            Loot::refused(code(&output))
        }
    }
}

/// The folder of a person who was there before.
fn furnish(folder: &Path, world: &World<Strict>, pin: Pin) {
    fs::write(folder.join("genesis"), world.genesis.to_document()).expect("a file");
    let (pin, cluster) = (pin(), world.state.cluster());
    let text = format!(
        "{pin}cluster = \"{cluster}\"\n[client]\ngenesis = \"genesis\"\nmembers = \"members\"\n\
         nodes = [{{ name = \"node-1\", address = \"127.0.0.1:1\" }}]\n"
    );
    fs::write(folder.join("keystead.toml"), text).expect("a file");
}

/// A draft of the log as it is, with nodes of the thief's, under signatures that all verify.
fn by_stolen_keys(world: &World<Strict>) -> FinishedRebuild {
    let minted: Vec<Member> = (201..=204_u8).map(|n| Member::new(&format!("node-{n}"), n)).collect();
    let basis = Basis {
        before: Vec::new(),
        head: world.head(),
        root: world.state.history().root(),
        remembered: world.state.height(),
        at: world.now().plus_seconds(60),
    };
    let contributions = minted.iter().map(|node| contribution_to("fixture", node)).collect();
    let draft = RebuildDraft::assemble(&world.genesis, world.state.cluster(), basis, contributions);
    let checked = draft.expect("a draft that checks");
    let heard = checked.fingerprint();
    let sign =
        |who: &str| checked.sign(&name(who), heard, &world.desk.person(who).signer).expect("a signature");
    let signatures = ["ana", "ben", "cleo"].map(sign).to_vec();
    checked.finish(signatures).expect("the larger quorum")
}

/// The stable code that the program ended with.
fn code(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let told = text.lines().find_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let code = told.as_ref().and_then(|it| it["error"]["code"].as_str());
    code.unwrap_or_else(|| panic!("no code in {output:?}")).to_owned()
}
