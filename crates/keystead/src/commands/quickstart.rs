//! `keystead quickstart`: the whole way, told as a story that fails when it does not hold.

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::output::{Report, Voice};
use crate::story;

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct QuickstartArgs {
    /// The folder to make; one of its own under the system's temporary folder when it is not named.
    #[arg(long)]
    folder: Option<PathBuf>,
}

pub(crate) async fn run(args: &QuickstartArgs, voice: Voice) -> Result<Report, Failure> {
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => {
            let made = tempfile::Builder::new().prefix("keystead-quickstart-").tempdir();
            made.map_err(|error| Failure::file(&std::env::temp_dir(), &error))?.keep()
        }
    };
    story::tell(&folder, voice).await
}
