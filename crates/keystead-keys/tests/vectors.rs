//! Vectors of the files that this crate defines: read by the product here, and by `specs/check.py`.
//!
//! `KEYSTEAD_BLESS=1 cargo test -p keystead-keys --test vectors` writes them anew: a change of wire
//! form, which needs a new version in its domain.

// Helpers of a test are a test, which the lints cannot see outside its functions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use keystead_base::{Canonical as _, ClusterId, Digest, Name, Secret};
use keystead_fixture::vectors::{Vector, hold};
use keystead_keys::{
    BackupFile, BackupSubject, HdSeed, MemberKey, MemberKeyFile, MemberPublic, Purpose, RecipientKey, Sealed,
    SeedShares, ShareCircle, TokenHalf, TokenMemberKeyFile,
};

const PASSPHRASE: &[u8] = b"correct horse";

#[test]
fn the_stored_files_are_what_is_written_today_and_still_open() {
    let stored = hold("keys", &vectors());
    let [sealed, backup, public, member, shares, beside] = stored.as_slice() else { panic!("six vectors") };
    let beside: TokenMemberKeyFile = beside.read();
    assert_eq!(beside.open(PASSPHRASE).unwrap().token_half(), Some(half()));
    sealed.read::<Sealed>();
    let member: MemberKeyFile = member.read();
    assert_eq!(member.public, public.read());
    let ann = member.open(PASSPHRASE).unwrap();
    let restored = backup.read::<BackupFile>().restore(&name("ann"), &ann.recipient().unwrap()).unwrap();
    assert_eq!(restored.entropy().expose(), &[5; 32]);
    let shares = shares.read::<SeedShares>();
    let people = [("ann", 1), ("ben", 4)].map(|(who, byte)| (name(who), recipient(byte)));
    let opened = people.map(|(who, key)| shares.open(&who, &key).unwrap());
    assert_eq!(shares.restore(&opened).unwrap().entropy().expose(), &[5; 32]);
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
    let node = MemberKey::generate_beside(name("node-1"), half(), &mut |bytes| bytes.fill(6));
    let beside = node.seal_beside(PASSPHRASE, &mut |bytes| bytes.fill(7)).unwrap();
    vec![
        Vector::of("an HD seed, sealed", &sealed.unwrap()),
        Vector::of("a backup for one person", &backup),
        Vector::of("a member's public side", &public),
        Vector::of("a member's key file", &file),
        Vector::of("a backup in shares for two people", &shares),
        Vector::of("a node's key file beside a token", &beside),
    ]
}

/// What a token would say of the half that it made.
fn half() -> TokenHalf {
    let whole = MemberKey::generate(name("token"), &mut |bytes| bytes.fill(8));
    TokenHalf { label: "keystead-log-node-1".to_owned(), public: *whole.public().unwrap().signing.ed25519() }
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

fn name(text: &str) -> Name {
    text.parse().unwrap()
}
