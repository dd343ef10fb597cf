//! SLIP-39: the specification's own vectors, and its authors' program in both directions.

use std::io::Write as _;
use std::process::{Command, Stdio};

use keystead_base::Secret;
use keystead_keys::{Slip39Error, Slip39Group, Slip39Share, slip39_combine, slip39_split};
use keystead_tests::{npm_package, python_program, root};
use serde_json::{Value, json};

use crate::tally::Tally;

/// The vectors of slip-0039, as the npm package slip39 0.1.9 (MIT) carries them.
#[test]
fn d2_the_vectors_of_slip39_hold() {
    let text = std::fs::read_to_string(npm_package("slip39/test/vectors.json")).unwrap();
    let vectors: Vec<(String, Vec<String>, String, Value)> = serde_json::from_str(&text).unwrap();
    let mut tally = Tally::default();
    for (called, words, secret, _) in &vectors {
        match (combined(words, b"TREZOR"), secret.as_str()) {
            (Err(_), "") => tally.reject(),
            (found, secret) => {
                assert_eq!(const_hex::encode(found.expect(called).expose()), secret, "{called}");
                tally.pass();
            }
        }
    }
    tally.close("SLIP-39", 15, 30);
}

/// What the authors' program splits this product puts together, and the other way round.
#[test]
fn d2_shares_go_to_and_fro_between_this_product_and_the_authors_program() {
    for (bytes, group_threshold, groups) in
        [(32_u8, 1, vec![(2, 3)]), (16, 2, vec![(1, 1), (2, 3), (3, 5)]), (32, 2, vec![(3, 5), (2, 2)])]
    {
        let secret: Vec<u8> = (0..bytes).map(|it| it.wrapping_mul(37).wrapping_add(11)).collect();
        let asked =
            json!({"split": const_hex::encode(&secret), "threshold": group_threshold, "groups": groups});
        let theirs: Vec<Vec<String>> = serde_json::from_value(told(&asked)).unwrap();
        assert_eq!(combined(&enough(&theirs, &groups), b"").unwrap().expose(), &secret);

        let shape: Vec<_> =
            groups.iter().map(|&(threshold, count)| Slip39Group { threshold, count }).collect();
        let mut next = 0_u32;
        let fill = &mut |bytes: &mut [u8]| {
            next += 1;
            let drawn = keystead_base::tagged_hash("bytes of a test", &next.to_le_bytes());
            bytes.iter_mut().zip(drawn.0).for_each(|(to, from)| *to = from);
        };
        let ours = slip39_split(&Secret::new(secret.clone()), b"", group_threshold, &shape, fill).unwrap();
        let ours: Vec<Vec<String>> = ours
            .iter()
            .map(|group| group.iter().map(|share| share.words().expose().clone()).collect())
            .collect();
        assert_eq!(told(&json!({"combine": enough(&ours, &groups)})), json!(const_hex::encode(&secret)));
    }
}

/// Of each group the last shares, as many as it takes: in a group of the digest none of them is the first.
fn enough(shares: &[Vec<String>], groups: &[(u8, u8)]) -> Vec<String> {
    let of = |(group, (threshold, _)): (&Vec<String>, &(u8, u8))| {
        group.iter().rev().take(usize::from(*threshold)).cloned().collect::<Vec<_>>()
    };
    let needed = if groups.len() > 1 { 2 } else { 1 };
    shares.iter().zip(groups).rev().take(needed).flat_map(of).collect()
}

fn combined(words: &[String], passphrase: &[u8]) -> Result<Secret<Vec<u8>>, Slip39Error> {
    let shares = words.iter().map(|it| Slip39Share::from_words(it)).collect::<Result<Vec<_>, _>>()?;
    // What is read is written the same again.
    assert!(shares.iter().zip(words).all(|(share, words)| share.words().expose() == words));
    slip39_combine(&shares, passphrase)
}

/// Asks shamir-mnemonic 0.3.0 (MIT).
fn told(asked: &Value) -> Value {
    let mut python = Command::new(python_program("python"))
        .arg(root().join("tests/python/shares.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{asked}");
    serde_json::from_slice(&output.stdout).unwrap()
}
