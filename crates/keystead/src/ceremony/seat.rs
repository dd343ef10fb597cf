//! One member's folder during the ceremony: keys that stay, a contribution and a signature that travel.

use std::path::{Path, PathBuf};

use keystead_base::{Canonical as _, Digest, Name};
use keystead_decision::ceremony::{Assent, CheckedTranscript, Contribution, Part, SignedContribution};
use keystead_keys::{MemberKey, MemberPublic};
use keystead_node::LogTokenConfig;
use keystead_policy::TransportKey;

use crate::config::FILE;
use crate::failure::{Advise as _, Failure};
use crate::founding::{GENESIS, MEMBERS, vault_passphrase};
use crate::member::{Files, generate, generate_beside, open_key};
use crate::{node_token, outside};

/// What a member decides before it joins. `part` gets the public keys.
pub(crate) struct Joining<'a> {
    pub(crate) cluster: Name,
    pub(crate) name: Name,
    pub(crate) part: &'a dyn Fn(&MemberPublic) -> Part,
    /// The token in which a node has half of its signing key made.
    pub(crate) token: Option<LogTokenConfig>,
}

/// The folder of one member.
pub(crate) struct Seat {
    folder: PathBuf,
    pub(crate) name: Name,
}

/// Makes a member's keys in a folder of its own, and its signed contribution beside them.
pub(crate) fn join(folder: &Path, joining: &Joining<'_>) -> Result<(Seat, SignedContribution), Failure> {
    refuse_a_used(folder)?;
    let seat = Seat { folder: folder.to_owned(), name: joining.name.clone() };
    let joined = seat.make(joining);
    if joined.is_err() {
        // Keys that nobody was told of would only be in the way of the next try; the error says enough.
        let _ = std::fs::remove_dir_all(folder.join(MEMBERS));
    }
    joined.map(|contribution| (seat, contribution))
}

fn refuse_a_used(folder: &Path) -> Result<(), Failure> {
    outside::private_folder(folder)?;
    if [FILE, MEMBERS, GENESIS].iter().any(|name| folder.join(name).exists()) {
        let what = format!("{} holds keys already; a member joins once, in a new folder", folder.display());
        return Err(Failure::new(
            "ceremony.folder",
            what,
            "name a new folder: `keystead ceremony join OTHER …`",
        ));
    }
    Ok(())
}

impl Seat {
    /// The folder's one member.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let members = folder.join(MEMBERS);
        let entries = std::fs::read_dir(&members).map_err(|error| Failure::file(&members, &error));
        let entries = entries.advise("name the folder of `keystead ceremony join` with --dir")?;
        let files = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let names: Vec<Name> = files.filter_map(|file| file.strip_suffix(".key")?.parse().ok()).collect();
        match names.as_slice() {
            [name] => Ok(Self { folder: folder.to_owned(), name: name.clone() }),
            _ => {
                let what = format!(
                    "expected the keys of one member in {}, found {}",
                    members.display(),
                    names.len()
                );
                Err(Failure::new(
                    "ceremony.folder",
                    what,
                    "each member has a folder of its own: name it with --dir",
                ))
            }
        }
    }

    /// The file that travels to whoever puts the ceremony together.
    pub(crate) fn contribution_file(&self) -> PathBuf {
        self.folder.join(format!("{}.contribution", self.name))
    }

    /// The file that travels back after signing.
    pub(crate) fn assent_file(&self) -> PathBuf {
        self.folder.join(format!("{}.assent", self.name))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What this member contributed, as it was made here.
    pub(crate) fn contribution(&self) -> Result<SignedContribution, Failure> {
        let own: SignedContribution = outside::document(&self.contribution_file())?;
        own.verify()?;
        Ok(own)
    }

    /// What this member has signed, if it has.
    pub(crate) fn assent(&self) -> Result<Option<Assent>, Failure> {
        let file = self.assent_file();
        if file.exists() { outside::document(&file).map(Some) } else { Ok(None) }
    }

    /// Signs a transcript whose fingerprint was `heard`, and keeps the signature: a member signs one in its life.
    pub(crate) fn sign(
        &self,
        transcript: &CheckedTranscript,
        heard: Digest,
        passphrase: Option<&PathBuf>,
    ) -> Result<Assent, Failure> {
        let own = self.contribution()?;
        transcript.holds(&own).advise(NOT_MINE)?;
        if let Some(signed) = self.assent()?
            && heard == transcript.fingerprint()
        {
            return again(signed, heard);
        }
        let signer = node_token::signer(&self.key(passphrase)?, self.token()?.as_ref())?;
        let assent = transcript.assent(&own, heard, &signer).advise(NOT_HEARD)?;
        outside::create(&self.assent_file(), &assent.to_document())?;
        Ok(assent)
    }

    fn key(&self, passphrase: Option<&PathBuf>) -> Result<MemberKey, Failure> {
        let files = Files::of(&self.folder.join(MEMBERS), &self.name);
        open_key(&files.key, passphrase.unwrap_or(&files.passphrase))
    }

    /// The token that this member's key is half in, if it is.
    pub(crate) fn token(&self) -> Result<Option<LogTokenConfig>, Failure> {
        node_token::find(&self.folder.join(MEMBERS), &self.name)
    }

    fn make(&self, joining: &Joining<'_>) -> Result<SignedContribution, Failure> {
        let members = self.folder.join(MEMBERS);
        outside::private_folder(&members)?;
        let key = match &joining.token {
            None => generate(&members, &self.name)?,
            Some(token) => {
                node_token::keep(&members, &self.name, token)?;
                generate_beside(&members, &self.name, token)?
            }
        };
        let public = key.public()?;
        let part = (joining.part)(&public);
        if matches!(part, Part::Node(_)) {
            vault_passphrase(&members)?;
        }
        let body = Contribution {
            ceremony: joining.cluster.clone(),
            name: self.name.clone(),
            key: public.signing,
            transport: TransportKey(Digest(public.transport)),
            part,
        };
        let contribution = SignedContribution::new(body, &node_token::signer(&key, joining.token.as_ref())?)?;
        outside::create(&self.contribution_file(), &contribution.to_document())?;
        Ok(contribution)
    }
}

/// Two transcripts with everybody's signature would be two clusters with the same keys.
fn again(signed: Assent, fingerprint: Digest) -> Result<Assent, Failure> {
    if signed.transcript == fingerprint {
        return Ok(signed);
    }
    let what = format!(
        "expected the transcript {} that this member has signed, found {fingerprint}; a member signs one in its life",
        signed.transcript
    );
    let next =
        "if all agree to begin again, each runs `keystead ceremony join` in a new folder, with new keys";
    Err(Failure::new("ceremony.signed", what, next))
}

const NOT_MINE: &str = "do NOT sign: whoever put this together changed or left out what you contributed; tell the \
                        others, and send them the .contribution file from your own folder";
const NOT_HEARD: &str = "do NOT sign: you and the others look at different files; have each run `keystead ceremony \
                         show` and find who differs";
