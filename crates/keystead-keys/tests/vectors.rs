//! Vectors of the files that this crate defines: read by the product here, and by `specs/check.py`.
//!
//! `KEYSTEAD_BLESS=1 cargo test -p keystead-keys --test vectors` writes them anew: a change of wire
//! form, which needs a new version in its domain.

// Helpers of a test are a test, which the lints cannot see outside its functions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use keystead_base::{Canonical, ClusterId, Digest, Name, Secret};
use keystead_keys::{
    BackupFile, BackupSubject, HdSeed, MemberKey, MemberKeyFile, MemberPublic, Purpose, RecipientKey, Sealed,
    SeedShares, ShareCircle,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/keys.json");
const PASSPHRASE: &[u8] = b"correct horse";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vector {
    name: String,
    domain: String,
    json: serde_json::Value,
    document: String,
    digest: Digest,
}

#[test]
fn the_stored_files_are_what_is_written_today_and_still_open() {
    let today = vectors();
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        std::fs::write(Path::new(FILE), serde_json::to_string_pretty(&today).unwrap() + "\n").unwrap();
    }
    let stored: Vec<Vector> = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    assert_eq!(stored, today);
    let [sealed, backup, public, member, shares] = stored.as_slice() else { panic!("five vectors") };
    read::<Sealed>(sealed);
    let member: MemberKeyFile = read(member);
    assert_eq!(member.public, read(public));
    let ann = member.open(PASSPHRASE).unwrap();
    let restored = read::<BackupFile>(backup).restore(&name("ann"), &ann.recipient().unwrap()).unwrap();
    assert_eq!(restored.entropy().expose(), &[5; 32]);
    let shares = read::<SeedShares>(shares);
    let people = [("ann", 1), ("ben", 4)].map(|(who, byte)| (name(who), recipient(byte)));
    let opened = people.map(|(who, key)| shares.open(&who, &key).unwrap());
    assert_eq!(shares.restore(&opened).unwrap().entropy().expose(), &[5; 32]);
}

fn read<T: Canonical + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(vector: &Vector) -> T {
    let document = const_hex::decode(&vector.document).unwrap();
    let value = T::from_document(&document).unwrap();
    assert_eq!((value.digest(), T::DOMAIN), (vector.digest, vector.domain.as_str()));
    assert_eq!(serde_json::from_value::<T>(vector.json.clone()).unwrap(), value);
    for cut in [document.len() - 1, document.len() / 2, 1, 0] {
        assert!(T::from_document(&document[..cut]).is_err(), "{} cut to {cut} bytes", vector.name);
    }
    value
}

/// Made from fixed bytes instead of random ones, so that they come out the same for ever.
fn vectors() -> Vec<Vector> {
    let sealed =
        Sealed::from_document(&const_hex::decode(include_str!("vectors/sealed-v1.hex").trim()).unwrap());
    let ann = MemberKey::generate(name("ann"), &mut |bytes| bytes.fill(1));
    let file = ann.seal(PASSPHRASE, &mut |bytes| bytes.fill(2)).unwrap();
    let seed = HdSeed::from_entropy(Secret::new([5; 32]));
    let subject = subject_of(&seed);
    let people = [(name("ann"), ann.recipient().unwrap().public())];
    let backup = BackupFile::write(subject, &seed, &people, &mut |bytes| bytes.fill(3)).unwrap();
    let circle = ShareCircle {
        threshold: 2,
        members: [("ann", 1), ("ben", 4)].map(|(who, byte)| (name(who), recipient(byte).public())).into(),
    };
    let shares =
        SeedShares::write(subject_of(&seed), &seed, 1, &[circle], &mut |bytes| bytes.fill(5)).unwrap();
    let public: MemberPublic = file.public.clone();
    vec![
        vector("an HD seed, sealed", &sealed.unwrap()),
        vector("a backup for one person", &backup),
        vector("a member's public side", &public),
        vector("a member's key file", &file),
        vector("a backup in shares for two people", &shares),
    ]
}

fn subject_of(seed: &HdSeed) -> BackupSubject {
    BackupSubject {
        cluster: ClusterId(Digest([1; 32])),
        key: name("hot"),
        purpose: Purpose::HdSeed,
        epoch: 0,
        account: seed.root().unwrap().ethereum().unwrap().public(),
    }
}

fn recipient(byte: u8) -> RecipientKey {
    MemberKey::generate(name("somebody"), &mut |bytes| bytes.fill(byte)).recipient().unwrap()
}

fn vector<T: Canonical + Serialize>(name: &str, value: &T) -> Vector {
    Vector {
        name: name.to_owned(),
        domain: T::DOMAIN.to_owned(),
        json: serde_json::to_value(value).unwrap(),
        document: const_hex::encode(value.to_document()),
        digest: value.digest(),
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}
