//! `keystead serve`: the coordinator.

use clap::Args;
use serde_json::json;

use super::Global;
use crate::config::Config;
use crate::failure::Failure;
use crate::machine;
use crate::output::{Report, Voice};

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Listen here instead of where keystead.toml says; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
}

pub(crate) async fn run(global: &Global, args: &ServeArgs, voice: Voice) -> Result<Report, Failure> {
    let mut config = Config::read(&global.dir)?;
    if let (Some(listen), Some(part)) = (&args.listen, &mut config.coordinator) {
        part.listen.clone_from(listen);
    }
    let server = machine::coordinator(&config, global.node.as_deref()).await?;
    let url = server.url();
    voice.ready(&json!({"coordinator": url}), &format!("coordinator  {url}"));
    machine::told_to_stop().await?;
    Ok(Report::new(json!({"stopped": true}), "stopped"))
}
