//! A node as a process of its own, for tests that kill it: the argument is its configuration as JSON.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use keystead_base::Coded as _;
use keystead_node::{Config, Event, Events, NodeError, run};

/// Says what happens on standard error, as the product's own program does.
struct Lines;

impl Events for Lines {
    fn event(&self, event: Event) {
        // Whoever reads it may be gone.
        let _ = writeln!(std::io::stderr(), "node: {event}");
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else { return ExitCode::from(2) };
    let text = std::fs::read_to_string(path).expect("a readable configuration");
    let config: Config = serde_json::from_str(&text).expect("a configuration");
    match run(config, Arc::new(Lines)).await {
        Ok(node) => {
            println!("listening {}", node.address());
            std::io::stdout().flush().expect("a reader");
            match node.ended().await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(&error),
            }
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &NodeError) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "node: error[{}]: {error}", error.code());
    ExitCode::FAILURE
}
