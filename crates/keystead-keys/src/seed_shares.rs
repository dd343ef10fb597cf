//! A backup in shares: a seed split by SLIP-39, each share encrypted to one person (specs/keys.md).
//!
//! No member can restore the key alone, and none has a password to be guessed: each has a share, behind a key of their own.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Canonical, Coded, Digest, Name, Secret};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::backup::belongs;
use crate::slip39::{
    Slip39Error, Slip39Group, Slip39Share, slip39_combine, slip39_fewest, slip39_forced, slip39_split,
};
use crate::{
    AgeError, BackupError, BackupSubject, Fill, HdSeed, MAX_RECIPIENTS, RecipientKey, RecipientPublicKey,
    SEED_BYTES, age_file, age_open,
};

/// Who gets the shares of one group.
#[derive(Clone, Debug)]
pub struct ShareCircle {
    /// How many of its members it takes.
    pub threshold: u8,
    /// Its members, each with one share.
    pub members: Vec<(Name, RecipientPublicKey)>,
}

/// A whole backup in shares. Losing it reveals nothing; as many members as it says restore the key together.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedShares {
    /// The key.
    pub subject: BackupSubject,
    /// How many of the groups it takes.
    pub group_threshold: u8,
    /// The groups, in the order of SLIP-39's group index.
    pub groups: Vec<ShareGroup>,
}

impl Canonical for SeedShares {
    const DOMAIN: &'static str = "keystead/seed-shares/v1";
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareGroup {
    /// How many of its members it takes.
    pub threshold: u8,
    /// The shares, in the order of SLIP-39's member index.
    pub shares: Vec<SeedShare>,
}

/// One share, for one person.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedShare {
    /// The person's name in the roster.
    pub recipient: Name,
    /// Which of the person's keys: its fingerprint.
    pub fingerprint: Digest,
    /// An age file for that key alone; its text is the share's words and a line end.
    #[serde(with = "const_hex")]
    pub file: Vec<u8>,
}

impl SeedShares {
    /// Splits `seed` and encrypts each share.
    ///
    /// # Errors
    ///
    /// [`SeedSharesError`] when the subject is not this seed's key, or the circles do not fit.
    pub fn write(
        subject: BackupSubject,
        seed: &HdSeed,
        group_threshold: u8,
        circles: &[ShareCircle],
        fill: Fill<'_>,
    ) -> Result<Self, SeedSharesError> {
        let members = circles.iter().map(|it| it.members.len()).sum();
        if members == 0 || members > MAX_RECIPIENTS {
            return Err(BackupError::Recipients { found: members }.into());
        }
        let keys = circles.iter().flat_map(|it| &it.members).map(|(_, key)| key.fingerprint());
        if keys.collect::<BTreeSet<_>>().len() != members {
            return Err(SeedSharesError::OneKey);
        }
        belongs(seed, &subject)?;
        let entropy = Secret::new(seed.entropy().expose().to_vec());
        let shape: Vec<_> = circles.iter().map(shape).collect();
        let split = slip39_split(&entropy, NO_PASSPHRASE, group_threshold, &shape, fill)?;
        let mut groups = Vec::with_capacity(circles.len());
        for (circle, shares) in circles.iter().zip(&split) {
            let pairs = circle.members.iter().zip(shares);
            let shares = pairs.map(|(to, share)| sealed(to, share, fill)).collect::<Result<_, _>>()?;
            groups.push(ShareGroup { threshold: circle.threshold, shares });
        }
        Ok(Self { subject, group_threshold, groups })
    }

    /// The words of one person's share.
    ///
    /// # Errors
    ///
    /// [`SeedSharesError`] when there is none for this key, or it was altered.
    pub fn open(&self, recipient: &Name, key: &RecipientKey) -> Result<Slip39Share, SeedSharesError> {
        let fingerprint = key.public().fingerprint();
        let mut shares = self.groups.iter().flat_map(|it| &it.shares);
        let share = shares
            .find(|it| &it.recipient == recipient && it.fingerprint == fingerprint)
            .ok_or_else(|| BackupError::NoCopy { recipient: recipient.clone() })?;
        let text = age_open(&share.file, key)?;
        let words = std::str::from_utf8(text.expose()).map_err(|_| AgeError::Altered)?;
        Ok(Slip39Share::from_words(words)?)
    }

    /// The seed of as many shares as it takes, after checking that it is the subject's.
    ///
    /// # Errors
    ///
    /// [`SeedSharesError`] says what is missing, or that they are another key's.
    pub fn restore(&self, shares: &[Slip39Share]) -> Result<HdSeed, SeedSharesError> {
        if !shares.iter().all(|it| self.promises(it)) {
            return Err(SeedSharesError::OtherRule);
        }
        restored(&self.subject, shares)
    }

    /// Whether a share takes as many others as this backup says: a lying home could write one rule and split by another.
    fn promises(&self, share: &Slip39Share) -> bool {
        let groups = (u8::try_from(self.groups.len()).unwrap_or(u8::MAX), self.group_threshold);
        let group = self.groups.get(usize::from(share.group()));
        share.groups() == groups
            && group.is_some_and(|it| {
                it.threshold == share.threshold() && usize::from(share.member()) < it.shares.len()
            })
    }

    /// Takes the fewest of these shares with one left out, each in its turn, and computes what they say whoever heeds no threshold and no
    /// digest: a home that split by a smaller rule than it wrote shows here. Counts how often that was not the secret.
    ///
    /// # Errors
    ///
    /// [`SeedSharesError::TooFew`] says how many restore the key, [`SeedSharesError::Slip39`] where all of them do not.
    pub fn insist(&self, shares: &[Slip39Share]) -> Result<u8, SeedSharesError> {
        let fewest = slip39_fewest(shares);
        if fewest.len() < 2 {
            return Err(SeedSharesError::TooFew { found: fewest.len() });
        }
        let secret = slip39_combine(&fewest, NO_PASSPHRASE)?;
        for out in 0..fewest.len() {
            let left: Vec<_> =
                fewest.iter().enumerate().filter(|(at, _)| *at != out).map(|(_, it)| *it).collect();
            let forced = slip39_forced(&left, NO_PASSPHRASE);
            if forced.is_some_and(|it| bool::from(it.expose().ct_eq(secret.expose()))) {
                return Err(SeedSharesError::TooFew { found: left.len() });
            }
        }
        Ok(u8::try_from(fewest.len()).unwrap_or(u8::MAX))
    }
}

fn shape(circle: &ShareCircle) -> Slip39Group {
    // One that does not fit is none that SLIP-39 has.
    let count = u8::try_from(circle.members.len()).unwrap_or(u8::MAX);
    Slip39Group { threshold: circle.threshold, count }
}

fn sealed(
    (name, key): &(Name, RecipientPublicKey),
    share: &Slip39Share,
    fill: Fill<'_>,
) -> Result<SeedShare, SeedSharesError> {
    let words = share.words();
    let mut text = Secret::new(Vec::with_capacity(words.expose().len() + 1));
    text.expose_mut().extend_from_slice(words.expose().as_bytes());
    text.expose_mut().push(b'\n');
    let file = age_file(&text, std::slice::from_ref(key), fill)?;
    Ok(SeedShare { recipient: name.clone(), fingerprint: key.fingerprint(), file })
}

fn restored<S: std::borrow::Borrow<Slip39Share>>(
    subject: &BackupSubject,
    shares: &[S],
) -> Result<HdSeed, SeedSharesError> {
    let secret = slip39_combine(shares, NO_PASSPHRASE)?;
    let mut entropy = Secret::new([0; SEED_BYTES]);
    let bytes = secret.expose().as_slice();
    let of_a_seed = bytes.first_chunk::<SEED_BYTES>().filter(|_| bytes.len() <= SEED_BYTES);
    let other = || BackupError::OtherKey { key: subject.key.clone() };
    entropy.expose_mut().copy_from_slice(of_a_seed.ok_or_else(other)?);
    let seed = HdSeed::from_entropy(entropy);
    belongs(&seed, subject)?;
    Ok(seed)
}

/// Why a backup in shares is not written, opened or restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeedSharesError {
    /// The shares.
    #[error(transparent)]
    Slip39(#[from] Slip39Error),
    /// The key or its people.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The file of one share.
    #[error(transparent)]
    Age(#[from] AgeError),
    /// INVARIANT K4: whoever has it would hold the shares of two.
    #[error(
        "two of the people have one recipient key: each needs one of their own (`keystead approver new`)"
    )]
    OneKey,
    /// The backup says one rule, and its shares have another.
    #[error("these shares do not take as many others as the backup says: make a new one and destroy these")]
    OtherRule,
    /// Fewer than the backup says restore the key.
    #[error(
        "{found} shares restore the key, which is fewer than the backup says: make a new one and destroy these"
    )]
    TooFew {
        /// How many.
        found: usize,
    },
}

impl Coded for SeedSharesError {
    fn code(&self) -> &'static str {
        match self {
            Self::Slip39(error) => error.code(),
            Self::Backup(error) => error.code(),
            Self::Age(error) => error.code(),
            Self::OneKey => "backup.one_key",
            Self::OtherRule => "backup.other_rule",
            Self::TooFew { .. } => "backup.too_few",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Slip39(error) => error.blame(),
            Self::Backup(error) => error.blame(),
            Self::Age(error) => error.blame(),
            Self::OneKey => Blame::Caller,
            Self::OtherRule | Self::TooFew { .. } => Blame::Environment,
        }
    }
}

/// People hold shares and keys: none of them a password.
const NO_PASSPHRASE: &[u8] = b"";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Purpose;
    use keystead_base::ClusterId;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn key(byte: u8) -> RecipientKey {
        RecipientKey::from_seed(&Secret::new([byte; 32])).unwrap()
    }

    fn seed() -> HdSeed {
        HdSeed::from_entropy(Secret::new([5; 32]))
    }

    fn subject() -> BackupSubject {
        BackupSubject {
            cluster: ClusterId(Digest([1; 32])),
            key: name("hot"),
            purpose: Purpose::HdSeed,
            epoch: 0,
            account: seed().root().unwrap().ethereum().unwrap().public(),
        }
    }

    fn circle(threshold: u8, people: &[(&str, u8)]) -> ShareCircle {
        let members = people.iter().map(|(who, byte)| (name(who), key(*byte).public())).collect();
        ShareCircle { threshold, members }
    }

    fn written() -> SeedShares {
        let circles = [circle(2, &[("ana", 1), ("ben", 2), ("cleo", 3)])];
        let mut next = 0_u8;
        let fill = &mut |bytes: &mut [u8]| {
            next = next.wrapping_add(31);
            bytes.fill(next);
        };
        let file = SeedShares::write(subject(), &seed(), 1, &circles, fill).unwrap();
        SeedShares::from_document(&file.to_document()).unwrap()
    }

    #[test]
    fn d2_two_of_three_restore_and_one_restores_nothing() {
        let file = written();
        let share = |who: &str, byte| file.open(&name(who), &key(byte)).unwrap();
        for pair in [[("ana", 1), ("ben", 2)], [("cleo", 3), ("ana", 1)], [("ben", 2), ("cleo", 3)]] {
            let shares = pair.map(|(who, byte)| share(who, byte));
            assert_eq!(file.restore(&shares).unwrap().entropy().expose(), &[5; 32]);
            assert_eq!(file.insist(&shares).unwrap(), 2);
        }
        let all = [share("ana", 1), share("ben", 2), share("cleo", 3)];
        assert_eq!((file.restore(&all).is_ok(), file.insist(&all).unwrap()), (true, 2));
        let code = |result: Result<HdSeed, SeedSharesError>| result.map(|_| ()).unwrap_err().code();
        assert_eq!(code(file.restore(&[share("ana", 1)])), "slip39.members");
        assert_eq!(file.open(&name("ana"), &key(2)).map(|_| ()).unwrap_err().code(), "backup.no_copy");

        for change in
            [|it: &mut SeedShares| it.groups[0].threshold = 3, |it: &mut SeedShares| it.group_threshold = 2]
        {
            let mut other = written();
            change(&mut other);
            assert_eq!(code(other.restore(&all)), "backup.other_rule");
        }
        let mut other = written();
        other.subject.account =
            HdSeed::from_entropy(Secret::new([6; 32])).root().unwrap().ethereum().unwrap().public();
        assert_eq!(code(other.restore(&all)), "backup.other_key");
    }

    /// What the drill looks for: shares of which fewer restore the key than their backup says.
    #[test]
    fn d2_a_drill_notices_when_one_restores_alone() {
        let alone = [circle(1, &[("ana", 1)])];
        let file = SeedShares::write(subject(), &seed(), 1, &alone, &mut |b| b.fill(9)).unwrap();
        let share = file.open(&name("ana"), &key(1)).unwrap();
        assert!(file.restore(std::slice::from_ref(&share)).is_ok());
        // The log refuses such a backup before it is made (`deny.backup_shape`).
        assert_eq!(file.insist(&[share]).unwrap_err().code(), "backup.too_few");
    }

    /// A lying home writes three into the file and into every share, and deals so that two are enough.
    #[test]
    fn d2_a_drill_notices_shares_that_need_fewer_others_than_they_say() {
        let mut file = written();
        let honest =
            [("ana", 1), ("ben", 2), ("cleo", 3)].map(|(who, byte)| file.open(&name(who), &key(byte)));
        file.groups[0].threshold = 3;
        let lying = honest.map(|it| it.unwrap().saying(3));
        assert_eq!(file.restore(&lying).unwrap().entropy().expose(), &[5; 32]);
        assert_eq!(file.insist(&lying).unwrap_err(), SeedSharesError::TooFew { found: 2 });
    }

    /// Two of two groups, each by its own rule.
    #[test]
    fn d2_each_group_is_needed_and_of_each_its_threshold() {
        let circles =
            [circle(2, &[("ana", 1), ("ben", 2)]), circle(2, &[("cleo", 3), ("dora", 4), ("emil", 5)])];
        let mut next = 0_u8;
        let fill = &mut |bytes: &mut [u8]| {
            for byte in bytes {
                next = next.wrapping_mul(5).wrapping_add(77);
                *byte = next;
            }
        };
        let file = SeedShares::write(subject(), &seed(), 2, &circles, fill).unwrap();
        let share = |who: &str, byte| file.open(&name(who), &key(byte)).unwrap();
        let all = [share("ana", 1), share("ben", 2), share("emil", 5), share("cleo", 3)];
        assert_eq!((file.restore(&all).is_ok(), file.insist(&all).unwrap()), (true, 4));
        for out in 0..all.len() {
            let left: Vec<_> = (0..all.len()).filter(|at| *at != out).map(|at| &all[at]).collect();
            let code = restored(&file.subject, &left).map(|_| ()).unwrap_err().code();
            assert_eq!(code, "slip39.members");
        }
        let one = [share("cleo", 3), share("dora", 4), share("emil", 5)];
        assert_eq!(file.restore(&one).map(|_| ()).unwrap_err().code(), "slip39.groups");
    }

    #[test]
    fn circles_that_slip39_does_not_have_are_refused() {
        let code = |circles: &[ShareCircle]| {
            let written = SeedShares::write(subject(), &seed(), 1, circles, &mut |b| b.fill(9));
            written.map(|_| ()).unwrap_err().code()
        };
        assert_eq!(code(&[]), "backup.recipients");
        assert_eq!(code(&[circle(3, &[("ana", 1), ("ben", 2)])]), "slip39.shape");
        assert_eq!(code(&[circle(1, &[("ana", 1), ("ben", 2)])]), "slip39.shape");
        assert_eq!(code(&[circle(2, &[("ana", 1), ("ben", 1)])]), "backup.one_key", "k4");
    }
}
