//! A slice of each weak generator is made again, and the search finds it there.

use keystead_base::Coded as _;
use sha2::{Digest as _, Sha256};

use super::{Family, Material, Pattern, WeakSeed, check, congruential, distinct, is_roca, mersenne, plain};

fn hex(text: &str) -> Vec<u8> {
    const_hex::decode(text).unwrap()
}

/// What nobody can guess, as far as this test goes.
fn sound(number: u32) -> [u8; 32] {
    Sha256::digest(number.to_be_bytes()).into()
}

/// Each seed is found where it is in the range, and not where the range ends before it.
fn found(family: Family, secret: &[u8], seed: u64) {
    let made = WeakSeed::Made { family, seed };
    for before in 0..40 {
        assert_eq!(family.search(secret, seed.saturating_sub(before)..seed + 1), Err(made), "{family}");
    }
    assert_eq!(family.search(secret, seed..seed + 40), Err(made), "{family}");
    assert_eq!(family.search(secret, seed + 1..seed + 40), Ok(()), "{family}");
    assert_eq!(family.search(secret, seed.saturating_sub(40)..seed), Ok(()), "{family}");
    assert_eq!(made.code(), "weak_seed.made");
    assert!(!format!("{made:?} {made}").contains(&seed.to_string()) || seed == 0, "the seed is a secret");
}

/// `milk sad wage cup reward umbrella raven visa give list decorate bulb gold raise twenty fly manual stand float super gentle climb
/// fold park`: what `bx seed` gave at the time 0, and what the family is named after.
#[test]
fn e2_milk_sad_is_found() {
    let milk_sad = hex("8c97b7d89adb8bd86c9fa562704ce40ef645627acacf877a9164ecd6125616a5");
    found(Family::MilkSad, &milk_sad, 0);
    for (seed, length) in [(1, 32), (1_690_848_000, 24), (0xffff_ff00, 16), (77, 20)] {
        let made: Vec<u8> = mersenne::outputs_of(seed, length).map(|it| (it >> 24) as u8).collect();
        found(Family::MilkSad, &made, u64::from(seed));
    }
}

#[test]
fn e2_trust_wallet_s_seeds_of_32_bits_are_found() {
    for (seed, length) in [(0, 16), (1, 16), (0xdead_beef, 16), (12_345, 32)] {
        let made: Vec<u8> = mersenne::outputs_of(seed, length).map(|it| it as u8).collect();
        found(Family::TrustWallet, &made, u64::from(seed));
    }
}

/// All seeds at once.
#[test]
fn e2_a_linear_congruence_is_found_whatever_its_seed() {
    for seed in [0, 1, 1_531_872_000, u32::MAX] {
        let words = std::iter::successors(Some(congruential::step(seed)), |it| Some(congruential::step(*it)));
        let made: Vec<u8> = words.take(4).flat_map(u32::to_le_bytes).collect();
        let all = Family::Congruential.seeds();
        let expected = WeakSeed::Made { family: Family::Congruential, seed: u64::from(seed) };
        assert_eq!(Family::Congruential.search(&made, all.clone()), Err(expected));
        let mut other = made;
        other[9] ^= 1;
        assert_eq!(Family::Congruential.search(&other, all), Ok(()));
    }
}

/// Made by a model of the page in another language (specs/vectors has no secrets): the day of a wallet, its pool read 3 ms later.
#[test]
fn e2_a_pool_of_randstorm_s_is_found() {
    let made = hex(RANDSTORM);
    let family = Family::Randstorm { delay: 3 };
    found(family, &made, RANDSTORM_MILLIS);
    assert!(family.seeds().contains(&RANDSTORM_MILLIS));
    let sooner = Family::Randstorm { delay: 2 };
    assert_eq!(sooner.search(&made, RANDSTORM_MILLIS..RANDSTORM_MILLIS + 1), Ok(()));
}

/// The key of seed 4,242 and what 77 rounds and the work item 9,000,001 added to it.
#[test]
fn e2_a_vanity_key_of_profanity_s_is_found() {
    let made = hex(PROFANITY);
    found(Family::Profanity, &made, 4_242);
    assert_eq!(Family::Profanity.search(&made[..16], 4_240..4_250), Ok(()), "no key has 16 bytes");
}

#[test]
fn e2_low_entropy_is_refused_at_a_glance() {
    let rows: [(Vec<u8>, Pattern); 9] = [
        (vec![0; 16], Pattern::Counted),
        (vec![0x7f; 32], Pattern::Counted),
        ((1..=32).collect(), Pattern::Counted),
        (b"0123456789abcdef0123456789abcdef".to_vec(), Pattern::Repeated),
        (b"correct horse battery staple 12!".to_vec(), Pattern::Typed),
        ([vec![0; 16], sound(1)[..16].to_vec()].concat(), Pattern::HalfEmpty),
        (hex("df9bf37e6fcdf9bf37e6fcdf9bf37e3c"), Pattern::Few),
        (vec![1; 8], Pattern::Short),
        (sound(1).iter().map(|it| it & 3).collect(), Pattern::Few),
    ];
    for (entropy, pattern) in rows {
        assert_eq!(plain(&entropy), Err(WeakSeed::Plain { pattern }), "{entropy:?}");
    }
}

/// What an import asks: one slice of everything that is seen at once, as a seed and as a key.
#[test]
fn e2_what_comes_in_is_refused_where_it_is_known_to_be_weak() {
    let hash = |text: &str| -> [u8; 32] { Sha256::digest(text).into() };
    let words = std::iter::successors(Some(congruential::step(9)), |it| Some(congruential::step(*it)));
    let congruential: Vec<u8> = words.take(8).flat_map(u32::to_le_bytes).collect();
    let rows = [
        (Vec::from([7; 32]), "weak_seed.plain"),
        (congruential, "weak_seed.made"),
        (hash("satoshi").to_vec(), "weak_seed.phrase"),
    ];
    for (secret, code) in rows {
        let refused = |material: Material<'_>| check(&material).unwrap_err().code();
        assert_eq!(refused(Material::Entropy(&secret)), code);
        assert_eq!(refused(Material::Entropy(&secret[..16])), code, "twelve words");
        assert_eq!(refused(Material::Key(&secret.try_into().unwrap())), code);
    }
    for text in ["a1!", "gold", "2009"] {
        assert_eq!(check(&Material::Key(&hash(text))).unwrap_err(), WeakSeed::Phrase, "{text}");
    }
    assert_eq!(check(&Material::RsaModulus(&[0, 1])).unwrap_err(), WeakSeed::Roca);
    assert_eq!(Material::Key(&[0; 32]).long_searches().len(), 3);
}

#[test]
fn e2_what_is_sound_comes_in_and_the_search_says_what_it_tried() {
    let seed = sound(1);
    for material in [Material::Entropy(&seed[..16]), Material::Key(&seed)] {
        let told = check(&material).unwrap().to_string();
        assert!(told.contains("hashes of 2433496 phrases"), "{told}");
    }
    let told = check(&Material::RsaModulus(&sound(1))).unwrap().to_string();
    assert!(told.contains("ROCA"), "{told}");
}

#[test]
fn e3_one_public_key_under_two_names_is_found() {
    let keys = [sound(1), sound(2), sound(3)];
    assert_eq!(distinct(keys), Ok(()));
    let twice = distinct(keys.into_iter().chain([sound(2)])).unwrap_err();
    assert_eq!((twice, twice.code()), (WeakSeed::Twice { first: 2, second: 4 }, "weak_seed.twice"));
}

/// Sound seeds pass all of it, in a slice of each family.
#[test]
fn e2_sound_seeds_pass() {
    for number in 0..2_000 {
        let seed = sound(number);
        assert_eq!(plain(&seed), Ok(()));
        assert_eq!(plain(&seed[..16]), Ok(()));
        assert_eq!(Family::Congruential.search(&seed, 0..1 << 32), Ok(()));
    }
    for family in [Family::MilkSad, Family::TrustWallet, Family::Profanity, Family::Randstorm { delay: 1 }] {
        let first = family.seeds().start;
        assert_eq!(family.search(&sound(1), first..first + 2_000), Ok(()));
    }
}

/// Primes of the library's form `k·M + (65537^a mod M)`, M the product of the primes of the fingerprint; that they are prime plays
/// no part.
#[test]
fn e2_moduli_of_roca_s_form_are_found() {
    let m: u128 = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157].iter().product();
    let power = |a: u32| (0..a).fold(1, |power: u128, _| power * 65_537 % m);
    for (k, a, l, b) in [(3, 17, 5, 999), (200_000_000, 1, 123_456_789, 70_000), (7, 0, 11, 3)] {
        let modulus = product(k * m + power(a), l * m + power(b));
        assert!(is_roca(&modulus));
        let other = product(k * m + power(a), l * m + power(b) + 2);
        assert!(!is_roca(&other));
    }
    assert!((0..5_000).all(|number| !is_roca(&sound(number))));
    assert!(!is_roca(&[]) && !is_roca(&[0; 8]));
}

/// Big-endian, by 32-bit limbs.
fn product(one: u128, other: u128) -> Vec<u8> {
    let limbs = |it: u128| [0, 32, 64, 96].map(|shift| (it >> shift) & 0xffff_ffff);
    let mut sums = [0_u128; 8];
    for (i, a) in limbs(one).into_iter().enumerate() {
        for (j, b) in limbs(other).into_iter().enumerate() {
            sums[i + j] += (a * b) & 0xffff_ffff;
            sums[i + j + 1] += (a * b) >> 32;
        }
    }
    let mut carry = 0;
    let digits: Vec<u32> = sums
        .iter()
        .map(|sum| {
            let sum = sum + carry;
            carry = sum >> 32;
            sum as u32
        })
        .collect();
    digits.iter().rev().flat_map(|it| it.to_be_bytes()).collect()
}

/// 2013-06-01 12:00:00.123 UTC.
const RANDSTORM_MILLIS: u64 = 1_370_088_000_123;
const RANDSTORM: &str = "37162b4d10a38a72fd855baa009f25accdd7b6953bb73f4ceeeb8643059c70e6";
const PROFANITY: &str = "79820c569edb7688d0615216e44692f4d5fec8acd294c83969b0f8a215b8eff5";
