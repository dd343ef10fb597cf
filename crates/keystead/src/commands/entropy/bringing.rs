//! What people bring to the seed of a key that is born in a node's enclave, and what they check it with afterwards.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use keystead_base::{Canonical as _, Digest, Secret};
use keystead_entropy::{EntropyPromise, MAX_SAMPLES, SALT_BYTES, Samples, Source};
use keystead_keys::age_open;
use keystead_node::RollsFolder;
use serde_json::json;

use super::{OpenArgs, RollArgs};
use crate::commands::Global;
use crate::config::Config;
use crate::failure::Failure;
use crate::member::{Files, open_key};
use crate::output::{Report, Voice};
use crate::{outside, rolling};

/// Judged before it is kept: the enclave would refuse it after people approved.
pub(super) fn roll(args: &RollArgs, voice: Voice) -> Result<Report, Failure> {
    let source = match (&args.file, args.coins) {
        (Some(_), _) => Source::File,
        (None, true) => Source::Coins,
        (None, false) => Source::Dice,
    };
    if !args.data.is_dir() {
        let what = format!("{} is no folder", args.data.display());
        return Err(Failure::usage(what, "name the data folder of the node, on its own machine"));
    }
    of_our_user(&args.data)?;
    let folder = RollsFolder::new(&args.data);
    let file = folder.file(&args.key, source);
    if file.exists() {
        let what = format!("{} exists already", file.display());
        return Err(Failure::usage(what, "remove it to bring it anew, or ask for the key"));
    }
    let promise = promised(&folder)?;
    let digest = promise.digest();
    let json = json!({"promise": digest, "sources": promise.sources});
    voice.ready(&json, &rolling::for_a_key(&args.key, source, &promise));
    let text = match &args.file {
        Some(path) => in_hexadecimal(path)?,
        None => rolling::letters(source, rolling::judged(&rolling::typed(source, voice)?)?),
    };
    let mut kept = Secret::new(String::with_capacity(text.expose().len() + DIGEST_LINE_BYTES));
    RollsFolder::write(kept.expose_mut(), &digest, text.expose());
    still(&folder, &digest)?;
    outside::create_secret(&file, kept.expose().as_bytes())?;
    let text = format!(
        "{} is for key `{}` (SECRET until it is born)\nnext: `keystead key create {}`, with this node as its home, before it is started again",
        file.display(),
        args.key,
        args.key
    );
    Ok(Report::new(json!({"key": args.key, "source": source, "promise": digest, "file": file}), text))
}

/// A node cannot read, and not remove, what another user leaves in its folder for that user alone.
fn of_our_user(data: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file(data, &error);
    let owner = std::fs::metadata(data).map_err(failed)?.uid();
    let us = tempfile::tempfile_in(data).and_then(|file| file.metadata()).map(|it| it.uid());
    match us {
        Ok(us) if us == owner => Ok(()),
        Err(error) if error.kind() != ErrorKind::PermissionDenied => Err(failed(error)),
        _ => {
            let what = format!("{} belongs to another user", data.display());
            Err(Failure::usage(what, "roll as the user whom the node runs as, who owns that folder"))
        }
    }
}

/// The folder is what asks the node; it looks every two seconds.
fn promised(folder: &RollsFolder) -> Result<EntropyPromise, Failure> {
    outside::private_folder(folder.path())?;
    for _ in 0..LOOKS {
        if let Some(promise) = folder.promise()? {
            return Ok(promise);
        }
        std::thread::sleep(LOOK_PERIOD);
    }
    let what = format!("no node promises its part of a seed in {}", folder.path().display());
    let next = "start the node whose data folder this is, look at `keystead status`, and roll then";
    Err(Failure::new("entropy.no_promise", what, next))
}

/// An enclave that ended while people rolled has forgotten its part.
fn still(folder: &RollsFolder, promise: &Digest) -> Result<(), Failure> {
    match folder.promise()? {
        Some(it) if it.digest() == *promise => Ok(()),
        _ => Err(Failure::from(keystead_entropy::EntropyError::Promise)),
    }
}

/// The bytes of a file, tested as the enclave does.
fn in_hexadecimal(path: &Path) -> Result<Secret<String>, Failure> {
    let bytes = Secret::new(outside::read(path)?);
    Samples::tested(Source::File, bytes.expose(), &[0; SALT_BYTES])?;
    let mut text = Secret::new(String::with_capacity(2 * MAX_SAMPLES));
    for byte in bytes.expose() {
        for nibble in [byte >> 4, byte & 15] {
            text.expose_mut().extend(char::from_digit(nibble.into(), 16));
        }
    }
    Ok(text)
}

/// Without the rolls it says nothing of the seed, so that no enclave is needed to open it.
pub(super) fn open(global: &Global, args: &OpenArgs) -> Result<Report, Failure> {
    let config = Config::read(&global.dir)?;
    let files = Files::chosen(&config, global.person.as_ref(), global.passphrase_file.as_ref())?;
    let member = open_key(&files.key, &files.passphrase)?;
    let openings = age_open(&outside::read(&args.file)?, &member.recipient()?)?;
    outside::create_secret(&args.out, openings.expose())?;
    let text = format!(
        "{} (SECRET: with the rolls it is the key)\nnext: {}",
        args.out.display(),
        rolling::COMPUTE_AGAIN
    );
    Ok(Report::new(json!({"openings": args.out}), text))
}

const LOOKS: u32 = 60;
const LOOK_PERIOD: Duration = Duration::from_millis(250);
const DIGEST_LINE_BYTES: usize = 128;
