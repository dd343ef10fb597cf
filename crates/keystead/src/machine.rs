//! The long-running parts as this process starts them: node, coordinator, in-process chain.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keystead_base::{BASE_SELF_TESTS, Coded as _, Name, SelfTested};
use keystead_coordinator::{Coordinator, HttpLimits, HttpServer, Settings};
use keystead_devnet::{Devnet, DevnetServer};
use keystead_intent::ChainId;
use keystead_keys::SEAL_SELF_TESTS;
use keystead_node::{Event, Events, RunningNode};
use keystead_trace::Tracer;
use keystead_wire::Role;

use crate::config::Config;
use crate::failure::{Advise as _, Failure};
use crate::member::{self, Member};
use crate::output::Voice;
use crate::{anchoring, link, outside};

/// Prints a node's events, one line each.
struct Lines(Voice);

impl Events for Lines {
    fn event(&self, event: Event) {
        self.0.progress(&format!("node: {event}"));
    }
}

pub(crate) async fn node(config: &Config, voice: Voice) -> Result<RunningNode, Failure> {
    let part = config.node()?.clone();
    // INVARIANT S13: a node of a rebuild that the pinned anchor did not sign does not start.
    if config.anchor.is_some() {
        let here = member::rebuilt(config, &member::genesis(config)?)?;
        outside::private_folder(&part.data)?;
        anchoring::ledger_leads(config, &part.ledger_url(), here.as_ref()).await?;
    }
    let tracer = match config.telemetry {
        Some(_) => config.tracer("keystead-node", member_name(&part.member.key)?)?,
        None => Tracer::default(),
    };
    let node = keystead_node::run_traced(part, Arc::new(Lines(voice)), tracer).await;
    node.map_err(|error| Failure { next: advice(error.code()).to_owned(), ..error.into() })
}

fn advice(code: &str) -> &'static str {
    match code {
        "tpm.rolled_back" | "tpm.ledger_shorter" | "tpm.other_log" | "tpm.mark_forged" => {
            "if you put this disk back yourself, `keystead tpm accept-restore` says what that costs; if not, find out who did"
        }
        "tpm.measured" => {
            "after an upgrade of yours, put the passphrase's file back and `keystead tpm seal` anew"
        }
        _ => "the message names the part that is missing; `keystead init DIR` makes a whole folder",
    }
}

/// Whose key a file holds: it says so without its passphrase.
fn member_name(path: &Path) -> Result<Name, Failure> {
    member::key_file(path).map(|file| file.public().name.clone())
}

/// A coordinator that serves; it talks to the nodes of the configuration, or to the one that is chosen.
pub(crate) async fn coordinator(config: &Config, chosen: Option<&str>) -> Result<HttpServer, Failure> {
    let part = config.coordinator()?;
    // INVARIANT S7: before the file of its key is opened.
    let _tested = SelfTested::power_on(&[BASE_SELF_TESTS, SEAL_SELF_TESTS], &|_, _| {})?;
    let member = Member::open(&part.member.key, &part.member.passphrase)?;
    let targets = link::targets(config, &member, Role::Service, chosen)?;
    let carried = part.relay.then(|| link::named_targets(config, &member)).transpose()?;
    outside::private_folder(&part.data)?;
    let tracer = config.tracer("keystead-coordinator", member.name.clone())?;
    let settings = Settings {
        cluster: config.cluster,
        service: member.name,
        chain: ChainId(part.chain),
        deadline: part.deadline(),
        lifetime: Duration::from_secs(part.lifetime_seconds),
        addresses_per_key: part.addresses_per_key,
    };
    let journal = part.data.join("broadcast.journal");
    let coordinator = Coordinator::start(settings, targets, member.signer, part.view()?, &journal)?;
    coordinator.trace(tracer);
    coordinator.tell(part.hooks()?);
    if let Some(nodes) = carried {
        coordinator.carry(nodes);
    }
    let listen = address(&part.listen)?;
    let server = HttpServer::start(listen, coordinator, part.doors()?, HttpLimits::default()).await;
    server.advise(
        "listen on 127.0.0.1, or make a token (`openssl rand -hex 32 > coordinator.token`) and name it: \
         token = \"coordinator.token\" under [coordinator]",
    )
}

/// An in-process chain on a free port of this machine, or on `port`.
pub(crate) async fn devnet(chain: u64, port: u16) -> Result<DevnetServer, Failure> {
    let clock = Arc::new(|| outside::now().seconds());
    let chain = Devnet::new(chain, outside::now().seconds());
    let listen = SocketAddr::from(([127, 0, 0, 1], port));
    DevnetServer::start(listen, chain, clock).await.map_err(|error| {
        Failure::new("devnet.listen", format!("{listen}: {error}"), "choose another port with --devnet-port")
    })
}

pub(crate) fn address(text: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|_| {
        let what = format!("expected an address and a port to listen on, found {text:?}");
        Failure::new("config.listen", what, "write for instance 127.0.0.1:8545")
    })
}

/// Until whoever started this program is gone, and with it the other end of standard input.
pub(crate) async fn input_ended() {
    let (ended, is_ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // An input that cannot be read is an input that ended.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(ended);
    });
    let _: Result<(), _> = is_ended.await;
}

/// Until somebody presses Ctrl-C or the service manager sends SIGTERM.
pub(crate) async fn told_to_stop() -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed =
        |error: std::io::Error| Failure::new("cli.signal", error.to_string(), "report this as a bug");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.map_err(failed),
        _ = terminate.recv() => Ok(()),
    }
}
