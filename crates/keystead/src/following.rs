//! Staying with the ceremony of a key in shares: whom it waits for, each node, each round, until it has ended.

use std::time::Duration;

use clap::Args;
use keystead_base::{Name, RequestId};
use keystead_intent::Action;
use keystead_wire::{KeyView, NodeStatus, RequestStage, RequestView};
use serde_json::json;

use crate::asking::standing;
use crate::commands::{REQUEST_LIFETIME, Session, solana_address};
use crate::failure::Failure;
use crate::output::{Report, Voice};
use crate::sharing;

/// Whether a command stays with what it asked for.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Stay {
    /// Stay until the ceremony has ended, and say what moves: whom it waits for, each node, each round. Whoever breaks this off ends
    /// nothing; `key list` shows the same.
    #[arg(long)]
    pub(crate) follow: bool,
}

/// Says where something stands, once for each place.
pub(crate) struct Teller {
    voice: Voice,
    said: String,
}

impl Teller {
    pub(crate) fn new(voice: Voice) -> Self {
        Self { voice, said: String::new() }
    }

    /// The line, unless it was the last one, too.
    pub(crate) fn tell(&mut self, line: String) {
        if line != self.said {
            self.voice.progress(&line);
            self.said = line;
        }
    }

    /// The ceremony of a request; whether it is under way.
    pub(crate) fn ceremony(&mut self, request: RequestId, status: &NodeStatus) -> bool {
        let under_way = status.ceremonies.iter().find(|it| it.request == request);
        if let Some(it) = under_way {
            self.tell(sharing::progress(it, &status.runs));
        }
        under_way.is_some()
    }
}

/// Asks, and stays until the shares have signed, or the ceremony ended without.
pub(crate) async fn follow(
    session: &Session,
    key: &Name,
    action: Action,
    voice: Voice,
) -> Result<Report, Failure> {
    let view = session.speaker().ask(action, REQUEST_LIFETIME).await?;
    let request = view.request;
    let mut teller = Teller::new(voice);
    teller.tell(format!("request {request}"));
    let view = over(session, view, &mut teller).await?;
    if view.stage == RequestStage::Denied {
        let text = format!("request {request}\n{}", standing(&view));
        return Ok(Report { holds: false, ..Report::new(json!({"request": view}), text) });
    }
    // What this very request came to: another one of the same key may have ended well meanwhile.
    let made = view.stage == RequestStage::Applied;
    match session.link.key(key).await?.filter(|_| made) {
        Some(it) => Ok(Report::new(json!({"request": view, "key": it}), dealt(&it))),
        None => {
            let what = format!("the ceremony of `{key}` ended without new shares");
            let next = "`keystead key transcript KEY` shows why; ask again";
            Err(Failure::new("key.ceremony_ended", what, next))
        }
    }
}

/// The request, once it is decided and its ceremony, if it came to one, has ended: with shares or without. It counts as allowed all the
/// while, and goes on doing so where people ended its ceremony.
async fn over(session: &Session, mut view: RequestView, teller: &mut Teller) -> Result<RequestView, Failure> {
    let (mut begun, mut looks) = (false, 0);
    loop {
        if teller.ceremony(view.request, &session.link.status().await?) {
            (begun, looks) = (true, 0);
        } else if view.stage.is_over() || looks >= LOOKS {
            return Ok(view);
        } else {
            looks += u32::from(view.stage == RequestStage::Allowed);
            if !begun {
                teller.tell(standing(&view));
            }
        }
        tokio::time::sleep(PAUSE).await;
        view = session.link.request(view.request).await?.view;
    }
}

fn dealt(key: &KeyView) -> String {
    let address = key.address.map(|it| it.to_string()).or_else(|| solana_address(key));
    let address = address.map(|it| format!("\naddress {it}")).unwrap_or_default();
    format!("key `{}` is with {} now, epoch {}{address}", key.name, sharing::home(key), key.epoch)
}

const PAUSE: Duration = Duration::from_millis(100);
/// A ceremony begins in the block that allows it, and what it made is known with its end: nobody looks longer for either.
const LOOKS: u32 = 20;
