//! One errand of `keystead`: files in and out, and the TPM in between.

use std::fs::File;
use std::io::{BufRead, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use keystead_attest::tpm::{
    Credential, Errand, ErrandReply, MarkKey, OnDisk, Pcrs, RandomSamples, RollbackMark, TpmPlace, TpmSeal,
};
use keystead_base::{Canonical, Coded as _, Digest, Secret};

use crate::{AuthValue, Device, Tpm, TpmError, Unsealed};

/// Reads one line, does what it asks for, and answers with one line.
///
/// # Errors
///
/// When standard input or output breaks.
pub fn serve(mut input: impl BufRead, mut output: impl Write) -> std::io::Result<()> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let errand = serde_json::from_str::<Errand>(&line);
    let done = match errand {
        Ok(Errand::Unseal { place, pipe }) => return unseal(&place, &pipe, output),
        Ok(errand) => run(errand),
        Err(error) => Err(TpmError::Errand(error)),
    };
    say(&mut output, &done.unwrap_or_else(refusal))
}

/// Does one errand, but [`Errand::Unseal`], which answers before it is done.
///
/// # Errors
///
/// [`TpmError`].
pub fn run(errand: Errand) -> Result<ErrandReply, TpmError> {
    match errand {
        Errand::Seal { place, secret, pcrs, counter } => seal(&place, &secret, pcrs, counter),
        Errand::Unseal { .. } => Err(TpmError::Unserved),
        Errand::Advance { place, height, head, head_at_mark } => {
            advance(&place, OnDisk { height, head_at_mark }, head)
        }
        Errand::Accept { place } => accept(&place),
        Errand::Status { device, seal } => status(&device, seal.as_deref()),
        Errand::Identity { device, key } => identity(&device, &key),
        Errand::Activate { device, key, blob, secret } => {
            let mut tpm = Tpm::open(&device)?;
            let mut device = Device::load(&mut tpm, document(&key)?);
            let found = device.activate(&Credential { blob, secret })?;
            Ok(ErrandReply::Activated { found: found.expose().clone() })
        }
        Errand::Quote { device, key, pcrs, data } => {
            let mut tpm = Tpm::open(&device)?;
            let evidence = Device::load(&mut tpm, document(&key)?).quote(pcrs, data.as_bytes())?;
            Ok(ErrandReply::Quote { evidence: evidence.to_document() })
        }
        Errand::Random { device } => {
            let drawn = Tpm::open(&device)?.random()?;
            Ok(ErrandReply::Random { samples: RandomSamples(const_hex::encode(drawn.expose())) })
        }
    }
}

/// An unsealing is tried at once, so that whoever starts an enclave knows before that there is a passphrase.
fn seal(place: &TpmPlace, secret: &Path, pcrs: Pcrs, counter: u32) -> Result<ErrandReply, TpmError> {
    let auth = auth(place)?;
    let mut bytes = Secret::new(read(secret)?);
    if bytes.expose().ends_with(b"\n") {
        bytes.expose_mut().pop();
    }
    let mut key = Secret::new([0; 32]);
    let filled = getrandom::fill(key.expose_mut());
    assert!(filled.is_ok(), "the kernel gives no randomness");
    let mut tpm = Tpm::open(&place.device)?;
    let unsealed = Unsealed { mark: MarkKey(key), secret: bytes };
    let seal = tpm.seal(&unsealed, pcrs, &auth, counter)?;
    tpm.unseal(&seal, &auth)?;
    // After an upgrade the counter is there, and goes on.
    let parent = Some(seal.parent.as_slice());
    let value = match tpm.counter(parent, counter, &auth) {
        Ok(value) => value,
        Err(error) if error.is_missing() => tpm.define_counter(parent, counter, &auth)?,
        Err(error) => return Err(error),
    };
    write(&place.seal, &seal.to_document())?;
    write(&place.mark, &RollbackMark::new(&unsealed.mark, value, 0, Digest::ZERO).to_document())?;
    Ok(ErrandReply::Sealed { counter: value })
}

/// The secret goes through a pipe that only this user opens, never through a file.
fn unseal(place: &TpmPlace, pipe: &Path, mut output: impl Write) -> std::io::Result<()> {
    let opened = open(place).and_then(|(_, unsealed, _)| {
        rustix::fs::mkfifoat(rustix::fs::CWD, pipe, rustix::fs::Mode::from_raw_mode(0o600))
            .map_err(|error| TpmError::File { path: pipe.to_owned(), error: error.into() })?;
        Ok(unsealed.secret)
    });
    let secret = match opened {
        Ok(secret) => secret,
        Err(error) => return say(&mut output, &refusal(error)),
    };
    say(&mut output, &ErrandReply::Waiting)?;
    // Waits until somebody reads.
    let mut writer = std::fs::OpenOptions::new().write(true).open(pipe)?;
    std::fs::remove_file(pipe)?;
    writer.write_all(secret.expose())
}

/// INVARIANT S5: the next mark is durable before the counter moves, and what the ledger shows is as new as the last one.
fn advance(place: &TpmPlace, disk: OnDisk, head: Digest) -> Result<ErrandReply, TpmError> {
    let (mut tpm, unsealed, seal) = open(place)?;
    let auth = auth(place)?;
    let parent = Some(seal.parent.as_slice());
    let counter = tpm.counter(parent, seal.counter, &auth)?;
    let mark: RollbackMark = document(&place.mark)?;
    mark.check(&unsealed.mark, counter, &disk)?;
    // A crash left the mark one ahead: that step is finished first, so that no two marks have one value.
    let counter = match mark.counter > counter {
        true => tpm.count_up(parent, seal.counter, &auth)?,
        false => counter,
    };
    let next = RollbackMark::new(&unsealed.mark, counter.saturating_add(1), disk.height, head);
    count(&mut tpm, place, (&seal, &auth), &next)
}

fn accept(place: &TpmPlace) -> Result<ErrandReply, TpmError> {
    let (mut tpm, unsealed, seal) = open(place)?;
    let auth = auth(place)?;
    // Whatever mark a crash may have left one ahead is behind from now on.
    let counter = tpm.count_up(Some(&seal.parent), seal.counter, &auth)?;
    let next = RollbackMark::accepted(&unsealed.mark, counter.saturating_add(1));
    count(&mut tpm, place, (&seal, &auth), &next)
}

fn count(
    tpm: &mut Tpm,
    place: &TpmPlace,
    (seal, auth): (&TpmSeal, &AuthValue),
    next: &RollbackMark,
) -> Result<ErrandReply, TpmError> {
    write(&place.mark, &next.to_document())?;
    tpm.count_up(Some(&seal.parent), seal.counter, auth).map(|counter| ErrandReply::Marked { counter })
}

fn status(device: &str, seal: Option<&Path>) -> Result<ErrandReply, TpmError> {
    let mut status = Tpm::open(device)?.status()?;
    status.counter_index = match seal {
        Some(path) => Some(document::<TpmSeal>(path)?.counter),
        None => None,
    };
    Ok(ErrandReply::Status(status))
}

fn identity(device: &str, key: &Path) -> Result<ErrandReply, TpmError> {
    let mut tpm = Tpm::open(device)?;
    let mut device = match key.exists() {
        true => Device::load(&mut tpm, document(key)?),
        false => {
            let device = Device::generate(&mut tpm)?;
            write(key, &device.key().to_document())?;
            device
        }
    };
    let certificate = device.certificate()?;
    Ok(ErrandReply::Identity { public: device.key().public.clone(), certificate })
}

fn open(place: &TpmPlace) -> Result<(Tpm, Unsealed, TpmSeal), TpmError> {
    let seal: TpmSeal = document(&place.seal)?;
    let mut tpm = Tpm::open(&place.device)?;
    let unsealed = tpm.unseal(&seal, &auth(place)?)?;
    Ok((tpm, unsealed, seal))
}

fn auth(place: &TpmPlace) -> Result<AuthValue, TpmError> {
    AuthValue::new(Secret::new(read(&place.auth)?))
}

fn document<T: Canonical>(path: &Path) -> Result<T, TpmError> {
    T::from_document(&read(path)?).map_err(|error| TpmError::Document { path: path.to_owned(), error })
}

fn read(path: &Path) -> Result<Vec<u8>, TpmError> {
    std::fs::read(path).map_err(|error| TpmError::File { path: path.to_owned(), error })
}

/// Writes beside and renames: a crash leaves the old file or the new one.
fn write(path: &Path, bytes: &[u8]) -> Result<(), TpmError> {
    let beside: PathBuf = path.with_extension("part");
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|error| TpmError::File { path: path.to_owned(), error })
}

fn refusal(error: TpmError) -> ErrandReply {
    ErrandReply::Refused { code: error.code().to_owned(), text: error.to_string() }
}

fn say(output: &mut impl Write, reply: &ErrandReply) -> std::io::Result<()> {
    let line = serde_json::to_string(reply)?;
    writeln!(output, "{line}")?;
    output.flush()
}
