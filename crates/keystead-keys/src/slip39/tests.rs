//! What a set of shares withstands; the vectors of others are in the tests of the workspace.

use super::*;

fn secret(length: usize) -> Secret<Vec<u8>> {
    Secret::new((0..length).map(|it| u8::try_from(it * 7).unwrap()).collect())
}

/// Bytes that differ from one call to the next.
fn count() -> impl FnMut(&mut [u8]) {
    let mut next = 0_u8;
    move |bytes: &mut [u8]| {
        for byte in bytes {
            next = next.wrapping_mul(5).wrapping_add(77);
            *byte = next;
        }
    }
}

fn group(threshold: u8, count: u8) -> Slip39Group {
    Slip39Group { threshold, count }
}

fn of(words: &Secret<String>) -> Slip39Share {
    Slip39Share::from_words(words.expose()).unwrap()
}

fn code(shares: &[Slip39Share]) -> &'static str {
    slip39_combine(shares, b"").unwrap_err().code()
}

#[test]
fn k4_any_threshold_of_the_shares_gives_the_secret_and_one_less_gives_none() {
    let (secret, shape) = (secret(32), [group(3, 5)]);
    let sets = slip39_split(&secret, b"", 1, &shape, &mut count()).unwrap();
    let words: Vec<_> = sets[0].iter().map(Slip39Share::words).collect();
    for chosen in 0_u8..32 {
        let shares: Vec<_> = (0..5).filter(|it| chosen >> it & 1 == 1).map(|it| of(&words[it])).collect();
        match shares.len() {
            0..3 => assert!(["slip39.members", "slip39.groups"].contains(&code(&shares))),
            _ => assert_eq!(slip39_combine(&shares, b"").unwrap().expose(), secret.expose()),
        }
    }
}

#[test]
fn groups_come_together_by_their_own_threshold() {
    let (secret, shape) = (secret(16), [group(1, 1), group(2, 3), group(2, 2)]);
    let sets = slip39_split(&secret, b"", 2, &shape, &mut count()).unwrap();
    let words = |group: usize, member: usize| of(&sets[group][member].words());
    let opens = |shares: &[Slip39Share]| slip39_combine(shares, b"").unwrap().expose() == secret.expose();
    assert!(opens(&[words(0, 0), words(1, 2), words(1, 0)]));
    assert!(opens(&[words(1, 2), words(2, 0), words(1, 1), words(2, 1)]));
    assert!(opens(&[words(0, 0), words(1, 2), words(1, 0), words(1, 1), words(2, 0), words(2, 1)]));
    assert_eq!(code(&[words(1, 0), words(1, 1), words(1, 2)]), "slip39.groups");
    assert_eq!(code(&[words(0, 0), words(1, 0)]), "slip39.members");
    assert_eq!(code(&[words(0, 0), words(1, 0), words(1, 0)]), "slip39.twice");
}

#[test]
fn a_share_of_another_set_or_one_that_was_altered_is_noticed() {
    let mut source = count();
    let (first, second) = (secret(32), Secret::new(vec![9; 32]));
    let shape = [group(2, 3)];
    let ours = slip39_split(&first, b"", 1, &shape, &mut source).unwrap().remove(0);
    let others = slip39_split(&second, b"", 1, &shape, &mut source).unwrap().remove(0);
    assert_eq!(code(&[of(&ours[0].words()), of(&others[1].words())]), "slip39.strangers");
    // The checksum of the words holds, because they were written anew.
    let altered = |at: usize| {
        let mut share = of(&ours[at].words());
        share.value.expose_mut()[5] ^= 1;
        of(&share.words())
    };
    assert_eq!(code(&[of(&ours[0].words()), altered(1)]), "slip39.digest");
    assert_eq!(code(&[of(&ours[0].words()), of(&ours[1].words()), altered(2)]), "slip39.digest");
    let words = ours[0].words();
    let swapped = words.expose().replacen(' ', " acid ", 1).split(' ').take(33).collect::<Vec<_>>().join(" ");
    let found = |text: &str| Slip39Share::from_words(text).map(|_| ()).unwrap_err().code();
    assert_eq!(found(&swapped), "slip39.checksum");
    assert_eq!(found("academic acid"), "slip39.word_count");
    assert_eq!(found("academic zebra"), "slip39.word");
}

/// As many plates carry them: four letters of each word, in capitals.
#[test]
fn four_letters_of_each_word_are_the_share() {
    let shares = slip39_split(&secret(32), b"", 1, &[group(2, 2)], &mut count()).unwrap().remove(0);
    let words = shares[1].words();
    let short: Vec<_> = words.expose().split(' ').map(|it| it[..4].to_uppercase()).collect();
    let read = Slip39Share::from_words(&short.join("\n")).unwrap();
    assert_eq!(read.words().expose(), words.expose());
    assert_eq!((read.group(), read.member(), read.threshold()), (0, 1, 2));
}

#[test]
fn a_share_of_a_group_that_its_set_does_not_have_is_refused() {
    let read = |group| {
        let head =
            share::Head { identifier: 1, extendable: true, exponent: 0, group_threshold: 1, group_count: 1 };
        let share = Slip39Share::new(head, group, 0, 2, secret(32));
        Slip39Share::from_words(share.words().expose()).map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!((read(0), read(1)), (Ok(()), Err("slip39.fields")));
}

#[test]
fn what_one_alone_would_open_or_nobody_is_not_split() {
    let code = |length, threshold, shape: &[Slip39Group]| {
        let split = slip39_split(&secret(length), b"", threshold, shape, &mut count());
        split.map(|_| ()).unwrap_err().code()
    };
    for (threshold, shape) in [
        (1, vec![group(1, 2)]),
        (1, vec![group(3, 2)]),
        (1, vec![group(0, 2)]),
        (1, vec![group(2, 17)]),
        (2, vec![group(2, 2)]),
        (0, vec![group(2, 2)]),
        (1, vec![]),
        (1, vec![group(2, 2); 17]),
    ] {
        assert_eq!(code(32, threshold, &shape), "slip39.shape", "{threshold} of {shape:?}");
    }
    for length in [0, 15, 17, 34] {
        assert_eq!(code(length, 1, &[group(2, 2)]), "slip39.secret", "{length}");
    }
}
