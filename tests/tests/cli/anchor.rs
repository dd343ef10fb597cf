//! An anchor of a rebuild by commands: keys from words, on machines that know nothing of the cluster; who pinned it follows nothing
//! else.

use std::path::Path;

use keystead_keys::Mnemonic;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::rebuild::{Cluster, NEW};

/// Two of three: one key on hashes alone, and two on lattices.
pub(super) struct Anchor {
    pub(super) digest: String,
    file: String,
    words: [String; 3],
}

impl Anchor {
    pub(super) fn made(cluster: &Cluster) -> Self {
        let words = ["vault", "ana", "ben"].map(|who| cluster.file(&format!("{who}.words")));
        let mut publics = Vec::new();
        for ((file, byte), scheme) in
            words.iter().zip(1..).zip(["SLH-DSA-SHA2-128s", "ML-DSA-65", "ML-DSA-65"])
        {
            let sound = Sha256::digest(format!("nobody guesses the key {byte} of this anchor"));
            std::fs::write(file, Mnemonic::from_entropy(&[byte; 32]).unwrap().words().expose()).unwrap();
            let weak = ["anchor", "public", file, "--out", &format!("{file}.weak")];
            cluster.refused("zoe", &weak, "weak_seed.plain");
            std::fs::write(file, Mnemonic::from_entropy(&sound).unwrap().words().expose()).unwrap();
            let public = format!("{file}.public");
            cluster.ok("zoe", &["anchor", "public", file, "--scheme", scheme, "--out", &public]);
            publics.push(public);
        }
        let file = cluster.file("anchor");
        let publics: Vec<&str> = publics.iter().map(String::as_str).collect();
        let made = cluster
            .ok("zoe", &[&["anchor", "make", "--threshold", "2", "--out", &file], &publics[..]].concat());
        assert_eq!((&made["threshold"], made["keys"].as_array().unwrap().len()), (&json!(2), 3));
        Self { digest: made["anchor"].as_str().unwrap().to_owned(), file, words }
    }

    /// Its word on a rebuild, by the key on hashes and one on lattices, from the backup alone.
    pub(super) fn signs(
        &self,
        cluster: &Cluster,
        (rebuild, log): (&str, &str),
        id: &str,
        heard: &str,
    ) -> String {
        let nobody = cluster.file("without-a-network");
        let sign = |words: &str, part: &str, heard: &str| {
            let start =
                ["--dir", &nobody, "anchor", "sign", rebuild, "--anchor", &self.file, "--words", words];
            let rest = ["--log", log, "--cluster", id, "--fingerprint", heard, "--out", part];
            [&start[..], &rest].concat().iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()
        };
        let run =
            |words: Vec<String>| cluster.ok("zoe", &words.iter().map(String::as_str).collect::<Vec<_>>());
        let refused = |words: Vec<String>, code: &str| {
            cluster.refused("zoe", &words.iter().map(String::as_str).collect::<Vec<_>>(), code)
        };
        let [one, two] = ["one", "two"].map(|it| format!("{rebuild}.{it}"));
        refused(sign(&self.words[0], &one, &"0".repeat(64)), "rebuild.fingerprint");
        let stray = cluster.file("stray.words");
        std::fs::write(&stray, Mnemonic::from_entropy(&[9; 32]).unwrap().words().expose()).unwrap();
        refused(sign(&stray, &one, heard), "quantum_quorum.stranger");
        if rebuild == cluster.file("bundle") {
            let older = sign(&self.words[0], &one, heard).into_iter();
            refused(
                older.map(|it| if it == log { cluster.file("early") } else { it }).collect(),
                "rebuild.place",
            );
        }
        run(sign(&self.words[0], &one, heard));
        let word = format!("{rebuild}.anchor");
        let finish = ["anchor", "finish", &self.file, &one];
        let short = [&finish[..], &["--out", &word]].concat();
        cluster.refused("zoe", &short, "quantum_quorum.count");
        run(sign(&self.words[2], &two, heard));
        cluster.ok("zoe", &[&finish[..], &[&two, "--out", &word]].concat());
        let pinned = ["--pinned", &self.digest, "--cluster", id];
        let check = |heard| [&["anchor", "check", &word, "--fingerprint", heard], &pinned[..]].concat();
        assert_eq!(cluster.ok("zoe", &check(heard))["verified"], true);
        cluster.refused("zoe", &check(&"0".repeat(64)), "anchor.statement");
        word
    }
}

/// INVARIANT S13: a new node that is pinned to an anchor is set up by its word on this rebuild, and starts by it.
pub(super) fn a_new_node_is_pinned(
    cluster: &Cluster,
    anchor: &Anchor,
    install: &[&str],
    word: &str,
    other: &str,
) {
    let zeros = "0".repeat(64);
    for (more, code) in [
        (vec!["--anchored", word], "anchor.unpinned"),
        (vec!["--anchored", word, "--anchor", &zeros], "anchor.other"),
        (vec!["--anchored", other, "--anchor", &anchor.digest], "anchor.statement"),
    ] {
        cluster.refused("ana", &[install, &more[..]].concat(), code);
    }
    cluster.ok("ana", &[install, &["--anchored", word, "--anchor", &anchor.digest]].concat());
    let machine = cluster.file(NEW[0]);
    let (kept, aside) = (Path::new(&machine).join("rebuild.anchor"), Path::new(&machine).join("aside"));
    std::fs::rename(&kept, &aside).unwrap();
    cluster.refused("ana", &["--dir", &machine, "node", "--check"], "anchor.missing");
    // Whoever pins it later brings the word later, too.
    let bundle = cluster.file("bundle");
    cluster.refused("ana", &["--dir", &machine, "rebuild", "install", &bundle], "rebuild.installed");
    cluster.ok("ana", &["--dir", &machine, "rebuild", "install", &bundle, "--anchored", word]);
    assert_eq!(std::fs::read(&kept).unwrap(), std::fs::read(&aside).unwrap());
    a_ledger_leads_nowhere_without_the_word(cluster);
}

/// INVARIANT S13: whoever takes the rebuild out of a node's folder does not take it out of its log, whether the block is still to come or
/// was committed long ago.
pub(super) fn a_ledger_leads_nowhere_without_the_word(cluster: &Cluster) {
    let machine = cluster.file(NEW[0]);
    let aside = cluster.file("taken");
    std::fs::create_dir(&aside).unwrap();
    let moved =
        ["rebuild", "rebuild.anchor"].map(|it| (Path::new(&machine).join(it), Path::new(&aside).join(it)));
    moved.iter().for_each(|(here, there)| std::fs::rename(here, there).unwrap());
    cluster.refused("ana", &["--dir", &machine, "node", "--check"], "anchor.missing");
    moved.iter().for_each(|(here, there)| std::fs::rename(there, here).unwrap());
    std::fs::remove_dir(&aside).unwrap();
}

/// INVARIANT S13: a log in which people rebuilt the cluster is followed by its anchor's word alone, whoever shows it.
pub(super) fn a_log_is_followed_by_the_word(cluster: &Cluster) {
    let reads = ["--through", cluster.url.as_str(), "device", "show"];
    cluster.ok("ben", &reads);
    let (desk, aside) = (cluster.desk(), cluster.file("aside"));
    std::fs::create_dir(&aside).unwrap();
    let moved = ["rebuild", "rebuild.anchor"].map(|it| (desk.join(it), Path::new(&aside).join(it)));
    moved.iter().for_each(|(here, there)| std::fs::rename(here, there).unwrap());
    cluster.refused("ben", &reads, "anchor.missing");
    moved.iter().for_each(|(here, there)| std::fs::rename(there, here).unwrap());
}

/// INVARIANT S13: so is a folder of before, whatever people signed.
pub(super) fn a_folder_of_before_is_pinned(cluster: &Cluster, anchor: &Anchor, install: &[&str], word: &str) {
    cluster.refused("ana", &[install, &["--anchored", word]].concat(), "anchor.unpinned");
    let file = cluster.desk().join("keystead.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("anchor = \"{}\"\n{text}", anchor.digest)).unwrap();
    cluster.refused("ana", install, "anchor.missing");
    assert!(!cluster.desk().join("rebuild").exists(), "nothing was written");
    cluster.ok("ana", &[install, &["--anchored", word]].concat());
    let kept = cluster.desk().join("rebuild.anchor");
    assert_eq!(std::fs::read(&kept).unwrap(), std::fs::read(word).unwrap());
    // Without it this folder knows no new nodes, and takes none for them.
    std::fs::remove_file(&kept).unwrap();
    cluster.refused("ana", &["status"], "anchor.missing");
    cluster.ok("ana", &[install, &["--anchored", word]].concat());
}
