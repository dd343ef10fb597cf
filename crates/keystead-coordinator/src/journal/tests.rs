//! The file after crashes, with old lines, and with keys.

use alloy_primitives::Bytes;

use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn id(byte: u8) -> RequestId {
    RequestId(Digest([byte; 32]))
}

fn plain() -> Promise {
    Promise { at: NOW, ..Promise::default() }
}

fn placed(nonce: u64) -> Promise {
    Promise { place: Some(Place { account: Address::ZERO, nonce }), ..plain() }
}

fn keyed(key: &str) -> Promise {
    let keyed = Keyed { key: key.to_owned(), asked: Digest([7; 32]), intent: Bytes::from_static(b"intent") };
    Promise { keyed: Some(keyed), ..plain() }
}

#[test]
fn d4_what_was_promised_survives_and_what_is_over_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broadcast.journal");
    let mut journal = Journal::open(&path, NOW).unwrap();
    journal.promise(id(1), plain()).unwrap();
    journal.promise(id(2), plain()).unwrap();
    journal.step(id(1), Step::Sign).unwrap();
    journal.step(id(2), Step::Deny).unwrap();
    drop(journal);
    // The process died in the middle of a line.
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"request\":\"00").unwrap();
    let journal = Journal::open(&path, NOW).unwrap();
    let pending: Vec<_> = journal.pending().into_iter().map(|(id, entry)| (id, entry.stage)).collect();
    assert_eq!(pending, [(id(1), Stage::Signed)]);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
}

#[test]
fn s05_a_line_that_a_full_disk_cut_off_swallows_no_promise_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broadcast.journal");
    let mut journal = Journal::open(&path, NOW).unwrap();
    journal.file.write_all(b"{\"request\":\"00").unwrap();
    journal.promise(id(1), keyed("order-17")).unwrap();
    drop(journal);
    let journal = Journal::open(&path, NOW).unwrap();
    assert_eq!(journal.keyed("order-17").map(|(request, _)| request), Some(id(1)));
}

#[test]
fn d04_what_no_node_knows_holds_no_nonce_and_is_sent_when_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(&folder.path().join("broadcast.journal"), NOW).unwrap();
    journal.promise(id(1), placed(4)).unwrap();
    journal.lose(&id(1));
    assert!(journal.held(Address::ZERO).is_empty() && journal.pending().len() == 1);
    journal.step(id(1), Step::Sign).unwrap();
    assert_eq!(journal.held(Address::ZERO), BTreeSet::from([4]));
    journal.step(id(1), Step::Send).unwrap();
    assert_eq!(journal.stage(&id(1)), Some(Stage::Broadcast));
}

#[test]
fn d4_lines_of_an_older_program_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broadcast.journal");
    let old = format!(
        "{{\"request\":\"{0}\",\"stage\":\"submitted\"}}\n{{\"request\":\"{0}\",\"stage\":\"signed\"}}\n",
        id(1)
    );
    std::fs::write(&path, old).unwrap();
    let journal = Journal::open(&path, NOW).unwrap();
    assert_eq!(journal.stage(&id(1)), Some(Stage::Signed));
}

#[test]
fn s05_a_key_names_one_request_until_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broadcast.journal");
    let mut journal = Journal::open(&path, NOW).unwrap();
    assert_eq!(journal.promise(id(1), keyed("a")).unwrap(), Promised::New);
    journal.step(id(1), Step::Deny).unwrap();
    let again = |journal: &mut Journal| match journal.promise(id(2), keyed("a")).unwrap() {
        Promised::Earlier(earlier, keyed) => Some((earlier, keyed.intent)),
        Promised::New => None,
    };
    let first = Some((id(1), Bytes::from_static(b"intent")));
    assert_eq!(again(&mut journal), first, "what is over is remembered, too");
    drop(journal);
    let mut journal = Journal::open(&path, NOW).unwrap();
    assert_eq!(again(&mut journal), first, "after a start as before it");
    drop(journal);
    let mut journal = Journal::open(&path, NOW.plus_seconds(KEY_SECONDS)).unwrap();
    assert_eq!(again(&mut journal), None);
}

#[test]
fn a_nonce_is_held_for_as_long_as_its_request_lives() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(&folder.path().join("broadcast.journal"), NOW).unwrap();
    journal.promise(id(1), placed(5)).unwrap();
    journal.promise(id(2), placed(6)).unwrap();
    assert_eq!(journal.held(Address::ZERO), BTreeSet::from([5, 6]));
    journal.step(id(1), Step::Wait).unwrap();
    journal.step(id(1), Step::Deny).unwrap();
    assert_eq!(journal.held(Address::ZERO), BTreeSet::from([6]), "the gap is free again");
    assert_eq!(journal.held(Address::repeat_byte(1)), BTreeSet::new());
}

#[test]
fn a_long_life_does_not_grow_the_file_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broadcast.journal");
    let mut journal = Journal::open(&path, NOW).unwrap();
    for number in 0_u32..3000 {
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&number.to_be_bytes());
        let request = RequestId(Digest(digest));
        journal.promise(request, plain()).unwrap();
        journal.step(request, Step::Deny).unwrap();
    }
    let lines = std::fs::read_to_string(&path).unwrap().lines().count();
    assert!(lines <= MIN_LINES + 1, "{lines}");
}

fn part(index: usize) -> Promise {
    let part = Part { bundle: Digest([9; 32]), index, of: 2, intent: Bytes::from_static(b"intent") };
    Promise { part: Some(part), ..plain() }
}

/// Wherever a crash cuts the file.
#[test]
fn s02_a_crash_leaves_a_bundle_whole_or_none_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broadcast.journal");
    let mut journal = Journal::open(&path, NOW).unwrap();
    journal.promise(id(7), plain()).unwrap();
    let before = std::fs::read(&path).unwrap().len();
    journal.promise_all(vec![(id(2), part(0)), (id(1), part(1))]).unwrap();
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    for cut in before..=whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let journal = Journal::open(&path, NOW).unwrap();
        let (found, others) = (journal.bundle(&Digest([9; 32])).len(), journal.stage(&id(7)));
        assert!(found == 0 && cut < whole.len() || found == 2 && cut + 1 >= whole.len(), "{found} at {cut}");
        assert_eq!((journal.pending().len(), others), (found + 1, Some(Stage::Submitted)), "at {cut}");
    }
}

#[test]
fn s02_of_a_bundle_nothing_is_forgotten_before_all_of_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broadcast.journal");
    let mut journal = Journal::open(&path, NOW).unwrap();
    journal.promise_all(vec![(id(2), part(0)), (id(1), part(1))]).unwrap();
    journal.step(id(2), Step::Deny).unwrap();
    drop(journal);
    let day = NOW.plus_seconds(KEY_SECONDS);
    assert_eq!(Journal::open(&path, day).unwrap().bundle(&Digest([9; 32])).len(), 2);
}

#[test]
fn a04_a_token_s_keys_have_a_bound_of_their_own_and_are_forgotten_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(&folder.path().join("broadcast.journal"), NOW).unwrap();
    let promise = |owner: &str, key: u8, at| {
        let intent = Bytes::from(vec![key; 12 * 1024 * 1024]);
        let keyed = Keyed { key: format!("{owner}{key}"), asked: Digest([key; 32]), intent };
        Promise { at, owner: owner.to_owned(), keyed: Some(keyed), ..Promise::default() }
    };
    for key in [1, 2] {
        journal.promise(id(key), promise("ci", key, NOW)).unwrap();
        journal.step(id(key), Step::Deny).unwrap();
    }
    let refused = journal.promise(id(3), promise("ci", 3, NOW)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::QuotaExceeded);
    assert!(journal.promise(id(4), promise("pay", 4, NOW)).is_ok(), "another one has room");
    let day = NOW.plus_seconds(KEY_SECONDS);
    assert!(journal.promise(id(5), promise("ci", 5, day)).is_ok(), "what is over is forgotten");
}

#[test]
fn d4_a_bundle_is_promised_as_a_whole_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broadcast.journal");
    let mut journal = Journal::open(&path, NOW).unwrap();
    // Their order is that of the calls, not of the ids.
    assert!(journal.promise_all(vec![(id(2), part(0)), (id(1), part(1))]).unwrap());
    assert!(!journal.promise_all(vec![(id(3), part(0)), (id(4), part(1))]).unwrap());
    assert!(journal.is_part(&id(1)) && !journal.is_part(&id(3)));
    journal.step(id(2), Step::Deny).unwrap();
    journal.step(id(1), Step::Fail).unwrap();
    let order = |journal: &Journal| {
        journal.bundle(&Digest([9; 32])).iter().map(|(id, entry)| (*id, entry.stage)).collect::<Vec<_>>()
    };
    let expected = [(id(2), Stage::Denied), (id(1), Stage::Failed)];
    assert_eq!(order(&journal), expected);
    drop(journal);
    let day = NOW.plus_seconds(KEY_SECONDS);
    assert_eq!(order(&Journal::open(&path, NOW).unwrap()), expected, "whoever asks within a day is told");
    assert!(order(&Journal::open(&path, day).unwrap()).is_empty());
}
