//! A rebuilt cluster and its folders: who takes which place, who comes later, and what happens when all are lost again.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::anchor::{
    Anchor, a_folder_of_before_is_pinned, a_ledger_leads_nowhere_without_the_word,
    a_log_is_followed_by_the_word,
};
use crate::desk::path;
use crate::rebuild::{Cluster, NEW, serve};

/// INVARIANT S13: the rebuild names keys, and a folder with other ones is no node of it, whatever it is called.
pub(super) fn nobody_takes_a_place_that_is_not_theirs(cluster: &Cluster, id: &str) {
    let (bundle, log) = (cluster.file("bundle"), cluster.file("backup"));
    let own =
        ["--part", "node", "--address", "127.0.0.1:1", "--operator", "o", "--host", "h", "--provider", "p"];
    for (name, named, part, code) in [
        ("node-5", "treasury", &own[..], "rebuild.not_mine"),
        ("node-9", "vault", &own[..], "roster.other_cluster"),
        ("zoe", "treasury", &["--part", "founder"][..], "rebuild.part"),
    ] {
        let folder = cluster.file(&format!("stray-{name}"));
        cluster.ok("ana", &[&["ceremony", "join", &folder, name, "--cluster", named], part].concat());
        let install = ["--dir", &folder, "rebuild", "install", &bundle, "--log", &log, "--cluster", id];
        cluster.refused("ana", &install, code);
        assert!(!Path::new(&folder).join("keystead.toml").exists(), "{name}");
    }
    a_node_is_known_by_its_key(cluster);
}

/// The name of a file says nothing: a node of the rebuild keeps its configuration.
fn a_node_is_known_by_its_key(cluster: &Cluster) {
    let machine = PathBuf::from(cluster.file(NEW[3]));
    let members = machine.join("members");
    std::fs::rename(members.join("node-8.key"), members.join("seat.key")).unwrap();
    let file = machine.join("keystead.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("members/node-8.key", "members/seat.key");
    assert!(text.contains("members/seat.key"), "{text}");
    std::fs::write(&file, &text).unwrap();
    // As if the rebuild had come into the folder after its configuration.
    let (rebuild, aside) = (machine.join("rebuild"), machine.join("aside"));
    std::fs::rename(&rebuild, &aside).unwrap();
    let bundle = cluster.file("bundle");
    cluster.refused("ana", &["--dir", path(&machine), "rebuild", "install", &bundle], "rebuild.installed");
    std::fs::rename(&aside, &rebuild).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

/// INVARIANT L2: and then it neither signs nor follows what does not go on from there.
pub(super) fn a_folder_of_before_follows(cluster: &Cluster, anchor: &Anchor, word: &str) {
    let (bundle, log, early) = (cluster.file("bundle"), cluster.file("backup"), cluster.file("early"));
    let install = ["rebuild", "install", &bundle];
    for more in [["--listen", "127.0.0.1:1"], ["--endpoint", "http://localhost:1"], ["--ledger", "sqlite:x"]]
    {
        cluster.refused("ana", &[&install[..], &more].concat(), "cli.usage");
    }
    cluster.refused("ana", &[&install[..], &["--cluster", &"1".repeat(64)]].concat(), "rebuild.cluster");
    cluster.refused("ana", &[&install[..], &["--log", &early]].concat(), "rebuild.place");
    a_folder_of_before_is_pinned(cluster, anchor, &[&install[..], &["--log", &log]].concat(), word);
    // Cleo signed nothing so far.
    let lossy = cluster.file("lossy");
    let print = cluster.ok("cleo", &["rebuild", "show", &lossy])["fingerprint"].as_str().unwrap().to_owned();
    cluster.refused("cleo", &["rebuild", "sign", &lossy, "--fingerprint", &print], "rebuild.rival");
}

/// Nobody of the genesis is left to learn the log from: the machine begins where the rebuild does.
pub(super) fn a_machine_joins_later(cluster: &mut Cluster, id: &str) {
    let contribution = cluster.join("node-9");
    let asked = cluster.until("ana", &["roster", "replace", "node-8", &contribution], |_| true);
    let line = asked["install"].as_str().unwrap().to_owned();
    let start = format!("keystead rebuild install REBUILD --dir FOLDER --log BACKUP --cluster {id}");
    assert!(
        line.starts_with(&start) && line[start.len()..].starts_with(" --anchored WORD --anchor "),
        "{line}"
    );
    let (machine, rebuild) = (cluster.file("node-9"), path(&cluster.desk().join("rebuild")).to_owned());
    let log = cluster.file("backup");
    let install = ["--dir", &machine, "rebuild", "install", &rebuild, "--log", &log, "--cluster", id];
    let installed = cluster.ok("ana", &install);
    assert_eq!((&installed["node"], &installed["votes"]), (&json!("node-9"), &json!(false)));
    // Once more, it would be taken for a folder of before.
    cluster.refused("ana", &install, "rebuild.installed");
    let late = serve(&["node", "--dir", &machine]);
    let request = asked["request"]["request"].as_str().unwrap();
    ["ben", "cleo"].iter().for_each(|who| drop(cluster.ok(who, &["approve", request, "--yes"])));
    // Three of four, and one of them is the machine that came later.
    let coordinator = cluster.parts.pop().unwrap();
    cluster.parts.truncate(2);
    cluster.parts.extend([late, coordinator]);
    assert!(cluster.pay(1)["result"].is_string());
    a_log_is_followed_by_the_word(cluster);
}

/// What people signed the first time is no promise for ever; what they follow never goes back.
pub(super) fn all_are_lost_again(cluster: &mut Cluster, id: &str, anchor: &Anchor) {
    cluster.export("second.checkpoint", "again");
    cluster.parts.clear();
    a_ledger_leads_nowhere_without_the_word(cluster);
    let (draft, log, bundle) = (cluster.file("second"), cluster.file("again"), cluster.file("second-bundle"));
    let contribution = cluster.join("node-10");
    let words = ["rebuild", "draft", "--log", &log, "--out", &draft, &contribution, "--remembered"];
    let drafted = cluster.ok("ana", &[&words[..], &[&cluster.file("second.checkpoint")]].concat());
    let print = drafted["fingerprint"].as_str().unwrap();
    let sign = |who: &str| {
        cluster.ok(who, &["rebuild", "sign", &draft, "--fingerprint", print]);
        path(&cluster.desk().join(format!("{who}.rebuild-assent"))).to_owned()
    };
    let (ana, ben, dora) = (sign("ana"), sign("ben"), sign("dora"));
    cluster.ok("ana", &["rebuild", "finish", &draft, &ana, &ben, &dora, "--out", &bundle]);
    let earlier = (cluster.file("bundle"), cluster.file("bundle.anchor"));
    let install =
        |bundle: &str, word: &str| ["rebuild", "install", bundle, "--anchored", word].map(str::to_owned);
    let stale = install(&bundle, &earlier.1);
    cluster.refused("ana", &stale.each_ref().map(String::as_str), "anchor.statement");
    let word = anchor.signs(cluster, (&bundle, &log), id, print);
    let followed = install(&bundle, &word);
    assert_eq!(cluster.ok("ana", &followed.each_ref().map(String::as_str))["nodes"], json!(["node-10"]));
    let back = install(&earlier.0, &earlier.1);
    cluster.refused("ana", &back.each_ref().map(String::as_str), "rebuild.rival");
    let text = std::fs::read_to_string(cluster.desk().join("keystead.toml")).unwrap();
    assert!(text.contains("node-10") && !text.contains("node-5"), "{text}");
}
