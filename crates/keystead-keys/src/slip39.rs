//! SLIP-39: a secret in shares of words, in groups, any t of n of each (satoshilabs/slips, slip-0039).
//!
//! The encryption of the specification is under an empty passphrase here: who may restore a key is a matter of how many
//! people come together, and never of a password.

mod cipher;
mod field;
mod share;
mod words;

use std::borrow::Borrow;

use aws_lc_rs::hmac;
use keystead_base::{Blame, Coded, Secret};
use subtle::ConstantTimeEq as _;

use crate::Fill;
use field::Point;
pub use share::Slip39Share;

/// The most groups, and the most members of one (SLIP-39, "Format of the share mnemonic": 4 bits each).
pub const MAX_SLIP39_COUNT: usize = 16;

/// One group of shares: any `threshold` of its `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slip39Group {
    /// How many of the group it takes.
    pub threshold: u8,
    /// How many there are.
    pub count: u8,
}

/// Splits a secret so that any `group_threshold` of the groups give it back, the shares in the order of the groups.
///
/// # Errors
///
/// [`Slip39Error::Secret`] for a secret that is odd or shorter than 16 bytes, [`Slip39Error::Shape`] where a threshold is
/// above its count, or a group of several is opened by one.
pub fn slip39_split(
    secret: &Secret<Vec<u8>>,
    passphrase: &[u8],
    group_threshold: u8,
    groups: &[Slip39Group],
    fill: Fill<'_>,
) -> Result<Vec<Vec<Slip39Share>>, Slip39Error> {
    let length = secret.expose().len();
    if !(MIN_SECRET_BYTES..=MAX_SECRET_BYTES).contains(&length) || length % 2 == 1 {
        return Err(Slip39Error::Secret { found: length });
    }
    let group_count = counted(groups.len())?;
    fits(Slip39Group { threshold: group_threshold, count: group_count })?;
    groups.iter().copied().try_for_each(several_by_several)?;
    let mut identifier = [0; 2];
    fill(&mut identifier);
    let head = share::Head {
        identifier: u16::from_be_bytes(identifier) >> 1,
        extendable: true,
        exponent: EXPONENT,
        group_threshold,
        group_count,
    };
    let encrypted = cipher::encrypt(&head, secret, passphrase)?;
    let parts = dealt(&encrypted, group_threshold, group_count, fill)?;
    let mut all = Vec::with_capacity(groups.len());
    for (part, group) in parts.into_iter().zip(groups) {
        let members = dealt(&part.value, group.threshold, group.count, fill)?;
        let share = |it: Point| Slip39Share::new(head, part.at, it.at, group.threshold, it.value);
        all.push(members.into_iter().map(share).collect());
    }
    Ok(all)
}

/// Puts the secret together. Of each group that is brought at least its threshold must be there; what is more than that has
/// to fit the others.
///
/// # Errors
///
/// [`Slip39Error`] says what is missing, or which shares do not belong together.
pub fn slip39_combine<S: Borrow<Slip39Share>>(
    shares: &[S],
    passphrase: &[u8],
) -> Result<Secret<Vec<u8>>, Slip39Error> {
    let shares: Vec<&Slip39Share> = shares.iter().map(Borrow::borrow).collect();
    let head = *shares.first().ok_or(Slip39Error::Groups { expected: 1, found: 0 })?.head();
    if shares.iter().any(|it| *it.head() != head) {
        return Err(Slip39Error::Strangers);
    }
    let mut points = Vec::new();
    for group in 0..head.group_count {
        let members: Vec<_> = shares.iter().copied().filter(|it| it.group() == group).collect();
        if let Some(first) = members.first() {
            let value = of_group(&members, first.threshold())?;
            points.push(Point { at: group, value });
        }
    }
    if points.len() < usize::from(head.group_threshold) {
        return Err(Slip39Error::Groups { expected: head.group_threshold, found: points.len() });
    }
    let encrypted = gathered(&points, head.group_threshold)?;
    cipher::decrypt(&head, &encrypted, passphrase)
}

/// What these shares give whoever heeds neither their thresholds nor their digest: the polynomials of the least degree through what is
/// there. It is the secret only where fewer shares than promised say it.
#[must_use]
pub fn slip39_forced(shares: &[&Slip39Share], passphrase: &[u8]) -> Option<Secret<Vec<u8>>> {
    let head = *shares.first()?.head();
    let through = |points: &[Point]| match points {
        [only] => Secret::new(only.value.expose().clone()),
        _ => field::interpolated(points, SECRET_AT),
    };
    let group = |at: u8| {
        let points: Vec<_> = shares.iter().filter(|it| it.group() == at).map(|it| it.point()).collect();
        (!points.is_empty()).then(|| Point { at, value: through(&points) })
    };
    let groups: Vec<_> = (0..head.group_count).filter_map(group).collect();
    cipher::decrypt(&head, &through(&groups), passphrase).ok()
}

/// As few of these shares as give the secret: of the first groups that are complete, the first shares.
#[must_use]
pub fn slip39_fewest(shares: &[Slip39Share]) -> Vec<&Slip39Share> {
    let Some(head) = shares.first().map(|it| *it.head()) else { return Vec::new() };
    let of = |group: u8| -> Vec<&Slip39Share> {
        let members: Vec<_> = shares.iter().filter(|it| it.group() == group).collect();
        let threshold = members.first().map_or(0, |it| usize::from(it.threshold()));
        if members.len() < threshold { Vec::new() } else { members.into_iter().take(threshold).collect() }
    };
    let complete = (0..head.group_count).map(of).filter(|it| !it.is_empty());
    complete.take(usize::from(head.group_threshold)).flatten().collect()
}

/// What a group stands for.
fn of_group(members: &[&Slip39Share], threshold: u8) -> Result<Secret<Vec<u8>>, Slip39Error> {
    let group = members.first().map_or(0, |it| it.group());
    if members.iter().any(|it| it.threshold() != threshold) {
        return Err(Slip39Error::Strangers);
    }
    let twice = |it: &&&Slip39Share| members.iter().filter(|other| other.member() == it.member()).count() > 1;
    if let Some(twice) = members.iter().find(twice) {
        return Err(Slip39Error::Twice { group: group + 1, member: twice.member() + 1 });
    }
    if members.len() < usize::from(threshold) {
        return Err(Slip39Error::Members { group: group + 1, expected: threshold, found: members.len() });
    }
    let points: Vec<_> = members.iter().map(|it| it.point()).collect();
    gathered(&points, threshold)
}

/// Shares of a secret: random ones, a digest of the secret, and what the polynomial through them says elsewhere.
fn dealt(
    secret: &Secret<Vec<u8>>,
    threshold: u8,
    count: u8,
    fill: Fill<'_>,
) -> Result<Vec<Point>, Slip39Error> {
    let length = secret.expose().len();
    let copy = |value: &Secret<Vec<u8>>| Secret::new(value.expose().clone());
    if threshold == 1 {
        return Ok((0..count).map(|at| Point { at, value: copy(secret) }).collect());
    }
    let mut random = |length: usize| {
        let mut value = Secret::new(vec![0; length]);
        fill(value.expose_mut());
        value
    };
    let mut points: Vec<_> = (0..threshold - 2).map(|at| Point { at, value: random(length) }).collect();
    let mut base: Vec<_> = points.iter().map(|it| Point { at: it.at, value: copy(&it.value) }).collect();
    let salt = random(length - DIGEST_BYTES);
    let mut digest = Secret::new(digest(&salt, secret).to_vec());
    digest.expose_mut().extend_from_slice(salt.expose());
    base.push(Point { at: DIGEST_AT, value: digest });
    base.push(Point { at: SECRET_AT, value: copy(secret) });
    points.extend((threshold - 2..count).map(|at| Point { at, value: field::interpolated(&base, at) }));
    Ok(points)
}

/// The secret of at least `threshold` shares, after its digest; each share beyond them must lie on the same polynomial.
fn gathered(points: &[Point], threshold: u8) -> Result<Secret<Vec<u8>>, Slip39Error> {
    let (base, more) = points.split_at(usize::from(threshold));
    let value = |point: &Point| Secret::new(point.value.expose().clone());
    let secret = match base {
        [only] if threshold == 1 => value(only),
        _ => field::interpolated(base, SECRET_AT),
    };
    let fits = |it: &Point| {
        let expected = if threshold == 1 { value(it) } else { field::interpolated(base, it.at) };
        bool::from(expected.expose().ct_eq(it.value.expose()))
    };
    let same = threshold > 1 || more.iter().all(|it| bool::from(it.value.expose().ct_eq(secret.expose())));
    if !same || !more.iter().all(fits) {
        return Err(Slip39Error::Digest);
    }
    if threshold > 1 {
        let shown = field::interpolated(base, DIGEST_AT);
        let (found, salt) = shown.expose().split_at(DIGEST_BYTES);
        let salt = Secret::new(salt.to_vec());
        if !bool::from(digest(&salt, &secret).as_slice().ct_eq(found)) {
            return Err(Slip39Error::Digest);
        }
    }
    Ok(secret)
}

fn digest(salt: &Secret<Vec<u8>>, secret: &Secret<Vec<u8>>) -> [u8; DIGEST_BYTES] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, salt.expose());
    let tag = hmac::sign(&key, secret.expose());
    let mut digest = [0; DIGEST_BYTES];
    digest.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    digest
}

fn counted(count: usize) -> Result<u8, Slip39Error> {
    let small = u8::try_from(count).ok().filter(|it| usize::from(*it) <= MAX_SLIP39_COUNT);
    small.ok_or(Slip39Error::Shape { threshold: 0, count })
}

fn fits(it: Slip39Group) -> Result<(), Slip39Error> {
    let (threshold, count) = (it.threshold, usize::from(it.count));
    let sound = threshold > 0 && usize::from(threshold) <= count && count <= MAX_SLIP39_COUNT;
    if sound { Ok(()) } else { Err(Slip39Error::Shape { threshold, count }) }
}

/// A group of several that one of them opens is several copies of one share: the specification refuses it.
fn several_by_several(it: Slip39Group) -> Result<(), Slip39Error> {
    fits(it)?;
    let (threshold, count) = (it.threshold, usize::from(it.count));
    if threshold == 1 && count > 1 { Err(Slip39Error::Shape { threshold, count }) } else { Ok(()) }
}

/// Why a secret is not split, words are no share, or shares give no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Slip39Error {
    /// Not of an even number of bytes, or too few or many.
    #[error(
        "a secret in shares has an even number of {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes, found {found}"
    )]
    Secret {
        /// Its length.
        found: usize,
    },
    /// A threshold that its shares cannot reach, or that one of several reaches.
    #[error(
        "{threshold} of {count} is no threshold of SLIP-39: 2 to {MAX_SLIP39_COUNT} of at most {MAX_SLIP39_COUNT}, or 1 of 1"
    )]
    Shape {
        /// The threshold.
        threshold: u8,
        /// Of how many.
        count: usize,
    },
    /// Not in the list.
    #[error("word {position} is not in the SLIP-39 word list")]
    Word {
        /// Its place, from 1.
        position: usize,
    },
    /// Not as many as a share has.
    #[error("a share of a seed has 20 or 33 words, found {found}")]
    WordCount {
        /// How many.
        found: usize,
    },
    /// A word was misread, or two changed places.
    #[error("the checksum of these words does not hold: one of them was misread")]
    Checksum,
    /// The checksum holds and the fields do not.
    #[error("these words are no share: their padding or thresholds are impossible")]
    Fields,
    /// Of two secrets, or of two ways to split one.
    #[error("these shares are not of one set")]
    Strangers,
    /// One share two times.
    #[error("share {member} of group {group} is there twice")]
    Twice {
        /// The group, from 1.
        group: u8,
        /// The member, from 1.
        member: u8,
    },
    /// A group is incomplete.
    #[error("group {group} takes {expected} shares, found {found}")]
    Members {
        /// The group, from 1.
        group: u8,
        /// Its threshold.
        expected: u8,
        /// How many are there.
        found: usize,
    },
    /// Too few groups.
    #[error("it takes {expected} groups, found {found}")]
    Groups {
        /// How many it takes.
        expected: u8,
        /// How many are there.
        found: usize,
    },
    /// The shares do not give the secret that they were made of.
    #[error("these shares do not fit one another")]
    Digest,
}

impl Coded for Slip39Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Secret { .. } => "slip39.secret",
            Self::Shape { .. } => "slip39.shape",
            Self::Word { .. } => "slip39.word",
            Self::WordCount { .. } => "slip39.word_count",
            Self::Checksum => "slip39.checksum",
            Self::Fields => "slip39.fields",
            Self::Strangers => "slip39.strangers",
            Self::Twice { .. } => "slip39.twice",
            Self::Members { .. } => "slip39.members",
            Self::Groups { .. } => "slip39.groups",
            Self::Digest => "slip39.digest",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

/// Digest share and secret (SLIP-39, "Shamir's secret-sharing").
const DIGEST_AT: u8 = 254;
const SECRET_AT: u8 = 255;
const DIGEST_BYTES: usize = 4;
const MIN_SECRET_BYTES: usize = 16;
/// Of what this product splits: 24 words of BIP-39.
const MAX_SECRET_BYTES: usize = 32;
/// 10,000 rounds for each half: nothing rests on them where there is no passphrase.
const EXPONENT: u8 = 0;

#[cfg(test)]
mod tests;
