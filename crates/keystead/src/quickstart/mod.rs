//! `keystead quickstart`: the whole path on one machine, told as a story.
//!
//! Everything in it is real: the node with its log and its database, the enclave as a child process, the
//! hybrid keys, the decoder, the policy, and an EVM in this process that executes what was signed.

mod acts;
mod desk;
mod home;
mod sample;
mod story;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use desk::Desk;
use home::Home;
use story::Story;

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Options {
    /// The folder to found the cluster in; a fresh temporary one when none is named.
    pub(crate) dir: Option<PathBuf>,
    /// One JSON document instead of words.
    pub(crate) json: bool,
}

/// Tells the story on `out`; true when all of it held.
///
/// # Errors
///
/// [`Trouble`] when an act could not be played at all.
pub(crate) async fn run(options: &Options, out: &mut (dyn Write + Send)) -> Result<bool, Trouble> {
    let mut story = Story::begin(options.json, out);
    story.title(
        "Keystead quickstart",
        "one node, one key, three approvers, one chain; nothing leaves this machine",
    );
    let home = Home::found(options.dir.clone(), &mut story)?;
    let mut desk = Desk::open(home, &mut story).await?;
    acts::make_a_key(&mut desk, &mut story).await?;
    acts::small_transfer(&mut desk, &mut story).await?;
    acts::large_transfer(&mut desk, &mut story).await?;
    acts::permit(&mut desk, &mut story).await?;
    acts::delegate_call(&mut desk, &mut story).await?;
    acts::limit(&mut desk, &mut story).await?;
    acts::verify_from_outside(&mut desk, &mut story).await?;
    let folder = desk.close().await?;
    story.end(&folder)
}

/// What was being done when it could not go on.
#[derive(Debug, thiserror::Error)]
#[error("while {doing}: {source}")]
pub(crate) struct Trouble {
    doing: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Trouble {
    /// Something that a library or the system says.
    pub(crate) fn of<E>(doing: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| Self { doing, source: source.into() }
    }

    /// Something that is not as it should be.
    pub(crate) fn because(doing: &'static str, found: impl Into<String>) -> Self {
        Self { doing, source: found.into().into() }
    }
}

/// How long the story waits for something that should take milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);
