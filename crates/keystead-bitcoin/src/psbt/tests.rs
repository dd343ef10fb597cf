//! The vectors of BIP-174, 370 and 371, two other readers, and every refusal of the parser.

use std::collections::BTreeSet;

use keystead_base::Coded as _;
use serde::Deserialize;

use super::*;
use crate::fixture::{ALL_FORMS, Desk, WPKH, desk};

const BOTH: [PsbtVersion; 2] = [PsbtVersion::Zero, PsbtVersion::Two];

impl Psbt {
    /// The same with a pair of one map put in, or taken out.
    pub(crate) fn edited(&self, scope: Scope, key: &[u8], value: Option<&[u8]>) -> Self {
        let mut psbt = self.clone();
        let (number, data) = key.split_first().unwrap();
        let change = |map: &Map| {
            let mut map = map.clone();
            match value {
                Some(value) => map.put(field::Field(*number), data, value.to_vec()),
                None => map.remove(key),
            }
            map
        };
        match scope {
            Scope::Global => psbt.global = change(&psbt.global),
            Scope::Input(at) => psbt.inputs[at] = Input::parse(change(psbt.inputs[at].map()), scope).unwrap(),
            Scope::Output(at) => {
                psbt.outputs[at] = Output::parse(change(psbt.outputs[at].map()), scope).unwrap()
            }
        }
        psbt
    }

    /// The same with another transaction of as many inputs and outputs.
    pub(crate) fn with_transaction(&self, change: impl FnOnce(&mut Transaction)) -> Self {
        let mut psbt = self.clone();
        change(&mut psbt.transaction);
        psbt
    }
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    valid: bool,
    psbt: String,
    lock_time: Option<u32>,
}

fn vectors(text: &str) -> Vec<(Vector, Vec<u8>)> {
    let vectors: Vec<Vector> = serde_json::from_str(text).unwrap();
    vectors
        .into_iter()
        .map(|it| {
            let bytes = const_hex::decode(&it.psbt).unwrap();
            (it, bytes)
        })
        .collect()
}

fn check(text: &str, expected: usize) {
    let vectors = vectors(text);
    assert_eq!(vectors.len(), expected);
    for (vector, bytes) in vectors {
        let parsed = Psbt::parse(&bytes);
        assert_eq!(parsed.is_ok(), vector.valid, "{}: {parsed:?}", vector.name);
        let Ok(psbt) = parsed else { continue };
        if let Some(lock_time) = vector.lock_time {
            assert_eq!(psbt.transaction().lock_time.to_consensus_u32(), lock_time, "{}", vector.name);
        }
        for version in BOTH {
            assert_eq!(Psbt::parse(&psbt.to_bytes(version)).as_ref(), Ok(&psbt), "{}", vector.name);
        }
    }
}

#[test]
fn s02_the_vectors_of_bip_174() {
    check(include_str!("../../vectors/bip174.json"), 11);
}

#[test]
fn s02_the_vectors_of_bip_370() {
    check(include_str!("../../vectors/bip370.json"), 42);
}

#[test]
fn s02_the_vectors_of_bip_371() {
    check(include_str!("../../vectors/bip371.json"), 16);
}

fn psbts(desk: &Desk) -> Vec<Psbt> {
    ALL_FORMS.iter().map(|form| desk.psbt(&desk.draft(*form))).collect()
}

#[test]
fn s02_a_psbt_is_the_same_in_both_versions_and_as_text() {
    for psbt in psbts(&desk()) {
        for version in BOTH {
            let bytes = psbt.to_bytes(version);
            assert_eq!(Psbt::parse(&bytes).as_ref(), Ok(&psbt));
            assert_eq!(Psbt::parse(&bytes).unwrap().to_bytes(version), bytes);
            assert_eq!(Psbt::parse_text(&psbt.to_text(version)).as_ref(), Ok(&psbt));
        }
    }
}

/// What we write, `bitcoin` and `psbt-v2` read as the same transaction; what they write we read as the same PSBT.
#[test]
fn s02_two_other_readers_see_the_same_transaction() {
    for psbt in psbts(&desk()) {
        let zero = bitcoin::Psbt::deserialize(&psbt.to_bytes(PsbtVersion::Zero)).unwrap();
        assert_eq!(&zero.unsigned_tx, psbt.transaction());
        assert_eq!(Psbt::parse(&zero.serialize()).as_ref(), Ok(&psbt));
        let two = psbt_v2::v2::Psbt::deserialize(&psbt.to_bytes(PsbtVersion::Two)).unwrap();
        let signer = psbt_v2::v2::Signer::new(two.clone()).unwrap();
        assert_eq!(&signer.unsigned_tx(), psbt.transaction());
        assert_eq!(Psbt::parse(&two.serialize()).as_ref(), Ok(&psbt));
    }
}

#[test]
fn s02_what_nothing_reads_is_kept_and_named() {
    let desk = desk();
    let psbt = desk.psbt(&desk.draft(WPKH));
    assert_eq!(psbt.kept(), []);
    let psbt = psbt
        .edited(Scope::Global, &[0xfc, 3, b'a', b'b', b'c', 0], Some(b"proprietary"))
        .edited(Scope::Input(0), &[0x42, 1], Some(b"unknown"))
        .edited(Scope::Input(0), &[&[0x0b][..], &[7; 32]].concat(), Some(b"preimage"))
        .edited(Scope::Output(1), &[0x06], Some(b"a tree"));
    let named = |kept: &Kept| (kept.scope, kept.name);
    let expected = [
        (Scope::Global, "PROPRIETARY"),
        (Scope::Input(0), "SHA256"),
        (Scope::Input(0), "unknown"),
        (Scope::Output(1), "TAP_TREE"),
    ];
    for version in BOTH {
        let again = Psbt::parse(&psbt.to_bytes(version)).unwrap();
        assert_eq!(again, psbt);
        assert_eq!(again.kept().iter().map(named).collect::<Vec<_>>(), expected);
    }
}

/// The bytes of one map.
fn map(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let sized = |it: &[u8]| [&[u8::try_from(it.len()).unwrap()], it].concat();
    let pairs = pairs.iter().flat_map(|(key, value)| [sized(key), sized(value)].concat());
    pairs.chain([0]).collect()
}

fn raw(maps: &[Vec<u8>]) -> Vec<u8> {
    [MAGIC, &maps.concat()].concat()
}

/// A version 2 of one input, with one pair that is wrong.
fn wrong_input(key: &[u8], value: &[u8]) -> Vec<u8> {
    let global = map(&[(&[0xfb], &[2, 0, 0, 0]), (&[2], &[2, 0, 0, 0]), (&[4], &[1]), (&[5], &[0])]);
    let start: [(&[u8], &[u8]); 2] = [(&[0x0e], &[7; 32]), (&[0x0f], &[0; 4])];
    raw(&[global, map(&[&start[..], &[(key, value)]].concat())])
}

fn wrong_inputs() -> Vec<(&'static str, Vec<u8>)> {
    let input = wrong_input;
    vec![
        ("psbt.value", input(&[0x00], &[1, 2, 3])),
        ("psbt.value", input(&[0x01], &[1, 2, 3])),
        ("psbt.value", input(&[0x03], &[1])),
        ("psbt.value", input(&[&[0x02][..], &[2; 33]].concat(), &[1; 8])),
        ("psbt.value", input(&[&[0x06][..], &[2; 33]].concat(), &[1, 2, 3])),
        ("psbt.value", input(&[&[0x06][..], &[2; 33]].concat(), &[1; 9])),
        ("psbt.value", input(&[&[0x16][..], &[2; 32]].concat(), &[1, 1, 2, 3, 4])),
        ("psbt.value", input(&[0x13], &[1; 63])),
        ("psbt.value", input(&[0x17], &[2; 33])),
        // No point of the curve has this x coordinate.
        ("psbt.value", input(&[0x17], &[0xff; 32])),
        ("psbt.value", input(&[0x18], &[2; 31])),
        ("psbt.key_data", input(&[&[0x02][..], &[9; 33]].concat(), &[1; 71])),
        ("psbt.key_data", input(&[&[0x15][..], &[9; 34]].concat(), &[1; 71])),
    ]
}

#[test]
fn s02_every_other_byte_is_refused_with_its_code() {
    let desk = desk();
    let psbt = desk.psbt(&desk.draft(WPKH));
    let good = psbt.to_bytes(PsbtVersion::Zero);
    let empty = const_hex::decode("02000000000000000000").unwrap();
    let global = |pairs: &[(&[u8], &[u8])]| {
        raw(&[map(&[[(&[0x00][..], empty.as_slice())].as_slice(), pairs].concat())])
    };
    let two = |pairs: &[(&[u8], &[u8])]| {
        let start: [(&[u8], &[u8]); 2] = [(&[0xfb], &[2, 0, 0, 0]), (&[2], &[2, 0, 0, 0])];
        raw(&[map(&[&start[..], pairs].concat())])
    };
    let many: Vec<[u8; 2]> = (0..=MAX_PAIRS).map(|it| u16::try_from(it).unwrap().to_be_bytes()).collect();
    let many: Vec<Vec<u8>> = many.iter().map(|it| [&[0x77], it.as_slice()].concat()).collect();
    let many: Vec<(&[u8], &[u8])> = many.iter().map(|it| (it.as_slice(), &[][..])).collect();
    let with = |key: &[u8], value: &[u8]| {
        let mut changed = psbt.clone();
        changed.global.put(field::Field(key[0]), &key[1..], value.to_vec());
        changed.to_bytes(PsbtVersion::Zero)
    };
    let cases = [
        ("psbt.too_long", vec![0; MAX_PSBT_BYTES + 1]),
        ("psbt.magic", good[1..].to_vec()),
        ("psbt.magic", b"psbt\n".to_vec()),
        ("psbt.magic", psbt.to_text(PsbtVersion::Zero).into_bytes()),
        ("psbt.truncated", good[..good.len() - 1].to_vec()),
        ("psbt.truncated", MAGIC.to_vec()),
        ("psbt.trailing_bytes", [good.as_slice(), &[0]].concat()),
        ("psbt.trailing_bytes", [good.as_slice(), b"\n"].concat()),
        ("psbt.compact_size", [MAGIC, &[0xfd, 1, 0, 0, 0, 0]].concat()),
        ("psbt.duplicate", global(&[(&[0x42], &[1]), (&[0x42], &[1])])),
        ("psbt.too_many_pairs", global(&many)),
        ("psbt.version", with(&[0xfb], &[1, 0, 0, 0])),
        ("psbt.version", with(&[0xfb], &[3, 0, 0, 0])),
        ("psbt.missing", raw(&[map(&[])])),
        ("psbt.not_in_version", global(&[(&[0x06], &[0])])),
        ("psbt.not_in_version", two(&[(&[0x00], &empty), (&[4], &[0]), (&[5], &[0])])),
        ("psbt.key_data", global(&[(&[0x01, 1], &[1])])),
        ("psbt.value", with(&[0xfb], &[0, 0])),
        ("psbt.value", raw(&[map(&[(&[0x00], &empty[..9])])])),
        ("psbt.value", raw(&[map(&[(&[0x00], &[empty.as_slice(), &[0]].concat())])])),
        ("psbt.value", two(&[(&[4], &[0xfd, 0, 0]), (&[5], &[0])])),
        ("psbt.value", two(&[(&[4], &[0]), (&[5], &[0]), (&[6], &[0, 0])])),
        ("psbt.too_many_inputs", two(&[(&[4], &[0xfd, 0xe9, 3]), (&[5], &[0])])),
        ("psbt.too_many_outputs", two(&[(&[4], &[0]), (&[5], &[0xfd, 0xc5, 9])])),
        ("psbt.too_many_inputs", two(&[(&[4], &[0xff; 9]), (&[5], &[0])])),
    ];
    let mut codes: BTreeSet<&str> = BTreeSet::new();
    for (code, bytes) in cases.into_iter().chain(wrong_inputs()) {
        let error = Psbt::parse(&bytes).expect_err(code);
        assert_eq!(error.code(), code, "{}: {error}", const_hex::encode(bytes.get(..200).unwrap_or(&bytes)));
        codes.insert(error.code());
    }
    for text in ["cHNidP8=\n", " cHNidP8=", "cHNidP8", "cHNidP8=cHNidP8=", "cHNidP_="] {
        assert_eq!(Psbt::parse_text(text), Err(PsbtError::Base64), "{text:?}");
    }
    // Beside these: Base64 above, a signed transaction and mixed lock times among the vectors.
    assert_eq!(codes.len(), 14, "{codes:?}");
}
