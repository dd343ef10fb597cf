//! From one node to another: a secret that its sender signed for once, and what is said under it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, HybridSigner, Name, Secret, Signed};
use keystead_keys::{
    CHANNEL_SECRET_BYTES, ChannelSecret, ENCAPSULATED_BYTES, Encapsulated, Fill, RecipientKey, TAG_BYTES,
};
use serde::{Deserialize, Serialize};

use crate::post::Address;
use crate::{Kind, PostError, SessionId};

/// What HPKE binds the secret to, beside who speaks to whom.
const INFO: &[u8] = Channel::DOMAIN.as_bytes();
/// Bytes that each letter draws.
pub(crate) const SALT_BYTES: usize = 32;
/// Letters under one secret. The next one has another.
const MAX_LETTERS: u32 = 1024;
/// Channels of one sender that are kept open: that in use, and those of letters that are still on their way.
const MAX_OPEN: usize = 4;

/// Opens a channel from its signer to one other node. It stands before each letter, so that no letter waits for another.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// For whom.
    pub to: Name,
    /// The X-Wing ciphertext, 1,120 bytes.
    pub encapsulated: Vec<u8>,
    /// The channel's secret, encrypted, and the tag: 48 bytes.
    pub secret: Vec<u8>,
}

impl Canonical for Channel {
    const DOMAIN: &'static str = "keystead/threshold-channel/v1";
    const MAX_BYTES: usize = 4 * 1024;
}

/// A message that one node alone reads, and that nobody but the channel's two ends can have written.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// Who writes, signed.
    pub channel: Signed<Channel>,
    /// The run.
    pub session: SessionId,
    /// The round.
    pub round: u8,
    /// Its kind.
    pub kind: Kind,
    /// Whether it is said to all: where two take part, all are one.
    pub to_all: bool,
    /// Drawn for this letter: even an enclave that runs on from a copy of its memory writes two contents in no place.
    pub salt: [u8; SALT_BYTES],
    /// The payload's ciphertext and its tag of 16 bytes (ChaCha20-Poly1305).
    pub ciphertext: Vec<u8>,
}

impl Letter {
    /// Where its content belongs: elsewhere it does not open.
    pub(crate) fn place(&self) -> LetterPlace {
        let Self { channel, session, round, kind, to_all, salt, .. } = self;
        let (from, to) = (channel.signer.clone(), channel.body.to.clone());
        LetterPlace { session: *session, round: *round, kind: *kind, from, to, to_all: *to_all, salt: *salt }
    }
}

/// The place of a letter, which gives its key.
#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) struct LetterPlace {
    pub(crate) session: SessionId,
    pub(crate) round: u8,
    pub(crate) kind: Kind,
    pub(crate) from: Name,
    pub(crate) to: Name,
    pub(crate) to_all: bool,
    pub(crate) salt: [u8; SALT_BYTES],
}

impl Canonical for LetterPlace {
    const DOMAIN: &'static str = "keystead/threshold-letter/v1";
}

/// Who speaks to whom in a channel: its secret, brought elsewhere, does not open.
#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) struct ChannelEnds {
    pub(crate) from: Name,
    pub(crate) to: Name,
}

impl Canonical for ChannelEnds {
    const DOMAIN: &'static str = "keystead/threshold-channel-ends/v1";
}

/// The channels of one node: a signature and a key encapsulation for many letters.
///
/// They live in memory only: whoever starts anew opens others.
#[derive(Default)]
pub(crate) struct Channels(Mutex<Both>);

#[derive(Default)]
struct Both {
    ours: BTreeMap<Name, Ours>,
    theirs: BTreeMap<Name, VecDeque<(Digest, ChannelSecret)>>,
}

struct Ours {
    signed: Signed<Channel>,
    secret: ChannelSecret,
    letters: u32,
}

/// A node that writes, and its key.
pub(crate) type Writer<'a> = (&'a Name, &'a HybridSigner);

impl Channels {
    /// Writes a letter: all of it but the ciphertext is there.
    pub(crate) fn write(
        &self,
        (me, signer): Writer<'_>,
        (to, address): (&Name, &Address),
        letter: impl FnOnce(Signed<Channel>) -> Letter,
        payload: &Secret<Vec<u8>>,
        fill: Fill<'_>,
    ) -> Result<Letter, PostError> {
        let mut both = self.lock();
        let ours = match both.ours.remove(to).filter(|it| it.letters < MAX_LETTERS) {
            Some(open) => open,
            None => open_to(me, signer, to, address, fill)?,
        };
        let ours = both.ours.entry(to.clone()).insert_entry(ours).into_mut();
        ours.letters = ours.letters.saturating_add(1);
        let mut letter = letter(ours.signed.clone());
        let sealed = ours.secret.seal(&letter.place().to_document(), payload);
        letter.ciphertext = sealed.ok_or(PostError::Library)?;
        Ok(letter)
    }

    /// Reads a letter to this node. Of a channel that it knows already neither signature nor encapsulation is looked at again.
    pub(crate) fn read(
        &self,
        letter: &Letter,
        from: &Address,
        key: &RecipientKey,
    ) -> Result<Secret<Vec<u8>>, PostError> {
        let (signed, place) = (&letter.channel, letter.place().to_document());
        let altered = || PostError::Altered { from: signed.signer.clone() };
        // All of it, the signature too: what differs anywhere is looked at for itself.
        let id = keystead_base::tagged_hash("keystead/threshold-channel-seen", &bytes(signed)?);
        let mut both = self.lock();
        let theirs = both.theirs.entry(signed.signer.clone()).or_default();
        if let Some((_, secret)) = theirs.iter().find(|(known, _)| *known == id) {
            return secret.open(&place, &letter.ciphertext).ok_or_else(altered);
        }
        signed.verify(&from.signing).map_err(|_| PostError::Signature { from: signed.signer.clone() })?;
        let unreadable = || PostError::Sealed { from: signed.signer.clone(), session: letter.session };
        let secret = opened(signed, key).ok_or_else(unreadable)?;
        let payload = secret.open(&place, &letter.ciphertext).ok_or_else(altered);
        theirs.push_back((id, secret));
        if theirs.len() > MAX_OPEN {
            theirs.pop_front();
        }
        payload
    }

    fn lock(&self) -> MutexGuard<'_, Both> {
        // Nothing is half done in it where a thread panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_to(
    me: &Name,
    signer: &HybridSigner,
    to: &Name,
    address: &Address,
    fill: Fill<'_>,
) -> Result<Ours, PostError> {
    let secret = ChannelSecret::draw(fill);
    let mut bytes = Secret::new(*secret.expose());
    let ends = ChannelEnds { from: me.clone(), to: to.clone() }.to_document();
    let sealed = address.recipient.seal(INFO, &ends, bytes.expose_mut(), fill).ok_or(PostError::Library)?;
    let secret_bytes = [bytes.expose().as_slice(), &sealed.tag].concat();
    let channel = Channel { to: to.clone(), encapsulated: sealed.key.to_vec(), secret: secret_bytes };
    let signed = Signed::new(channel, me.clone(), signer).map_err(|_| PostError::Library)?;
    Ok(Ours { signed, secret, letters: 0 })
}

fn opened(signed: &Signed<Channel>, key: &RecipientKey) -> Option<ChannelSecret> {
    let Channel { to, encapsulated, secret } = &signed.body;
    let ends = ChannelEnds { from: signed.signer.clone(), to: to.clone() }.to_document();
    let (content, tag) = secret.split_at_checked(CHANNEL_SECRET_BYTES)?;
    let encapsulated: [u8; ENCAPSULATED_BYTES] = encapsulated.as_slice().try_into().ok()?;
    let tag: [u8; TAG_BYTES] = tag.try_into().ok()?;
    let mut opened = Secret::new([0; CHANNEL_SECRET_BYTES]);
    opened.expose_mut().copy_from_slice(content);
    key.open(INFO, &Encapsulated { key: encapsulated, tag }, &ends, opened.expose_mut())?;
    Some(ChannelSecret::new(opened))
}

fn bytes(signed: &Signed<Channel>) -> Result<Vec<u8>, PostError> {
    borsh::to_vec(signed).map_err(|_| PostError::Malformed)
}

#[cfg(test)]
mod tests {
    use keystead_base::HYBRID_SEED_BYTES;
    use keystead_keys::RECIPIENT_SEED_BYTES;

    use super::*;

    /// A writer that opens channels without end, as one that starts again and again does, fills no memory.
    #[test]
    fn d03_a_reader_keeps_a_few_channels_of_each_writer() {
        let signer = HybridSigner::from_seed(&Secret::new([1; HYBRID_SEED_BYTES])).unwrap();
        let key = RecipientKey::from_seed(&Secret::new([2; RECIPIENT_SEED_BYTES])).unwrap();
        let address = Address { signing: signer.public().clone(), recipient: key.public() };
        let (me, to): (Name, Name) = ("n1".parse().unwrap(), "n2".parse().unwrap());
        let session = SessionId(Digest([3; 32]));
        let blank = |channel| {
            let (salt, ciphertext) = ([4; SALT_BYTES], Vec::new());
            Letter { channel, session, round: 0, kind: Kind::MultiplyOffer, to_all: false, salt, ciphertext }
        };
        let (reader, payload) = (Channels::default(), Secret::new(vec![5; 40]));
        let mut letters = Vec::new();
        for life in 0..=MAX_OPEN {
            let fill = &mut |bytes: &mut [u8]| bytes.fill(u8::try_from(life).unwrap());
            let writer = Channels::default();
            letters.push(writer.write((&me, &signer), (&to, &address), blank, &payload, fill).unwrap());
        }
        for letter in letters.iter().chain(&letters) {
            assert_eq!(reader.read(letter, &address, &key).unwrap().expose(), payload.expose());
            assert!(reader.lock().theirs[&me].len() <= MAX_OPEN);
        }
    }
}
