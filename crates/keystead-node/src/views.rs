//! Requests as the ledger remembers them.

use keystead_base::RequestId;
use keystead_decision::{Certificate, Decision, Outcome, State, leaves};
use keystead_intent::{Action, KeyCeremony};
use keystead_ledger::{LedgerError, SignatureRecord};
use keystead_solana::Cluster;
use keystead_wire::{RequestDetail, RequestStage, RequestView, SignedPayload};

use crate::bitcoin;
use crate::board::view_of;
use crate::shared::Shared;

/// A signature as it is shown.
pub(crate) fn payload(record: &SignatureRecord) -> SignedPayload {
    SignedPayload {
        signing_digest: record.signing_digest,
        signature: record.signature.clone().into(),
        raw: record.signed.clone().into(),
        transaction: record.transaction,
    }
}

/// A row made of everything that was decided, and the signature.
pub(crate) async fn stored(shared: &Shared, id: &RequestId) -> Result<Option<RequestView>, LedgerError> {
    let decisions = shared.ledger.decisions_about(id).await?;
    let Some(mut view) = fold(&decisions) else { return Ok(None) };
    if let Some(record) = shared.ledger.signature(id).await? {
        view.signed = Some(payload(&record));
        if view.stage == RequestStage::Allowed {
            view.stage = RequestStage::Signed;
        }
    }
    if view.stage == RequestStage::Allowed && has_wiped(&shared.state(), &view.decision) {
        view.stage = RequestStage::Applied;
    }
    Ok(Some(view))
}

/// Whether this decision let a key be wiped that is wiped.
fn has_wiped(state: &State, decision: &Decision) -> bool {
    match &decision.outcome {
        Outcome::Ceremony { ceremony: KeyCeremony::Destroy { key }, .. } => {
            state.key(key).is_some_and(|it| it.state.is_wiped())
        }
        _ => false,
    }
}

/// Puts a remembered request on the board; says whether there is one.
pub(crate) async fn restore(shared: &Shared, id: &RequestId) -> Result<bool, LedgerError> {
    match stored(shared, id).await? {
        Some(view) => {
            shared.board.adopt(view);
            Ok(true)
        }
        None => Ok(false),
    }
}

/// The row of a request, wherever it is.
pub(crate) async fn view(shared: &Shared, id: &RequestId) -> Result<Option<RequestView>, LedgerError> {
    let Some(mut view) = shared.board.view(id) else {
        return Ok(stored(shared, id).await?.map(|view| shared.sightings.shown(view)));
    };
    // The log forgets requests that expired; what became of the key it knows.
    if view.stage == RequestStage::Allowed && has_wiped(&shared.state(), &view.decision) {
        view.stage = RequestStage::Applied;
    }
    let ended = matches!(view.stage, RequestStage::Settled | RequestStage::Dead | RequestStage::Failed);
    if ended && view.signed.is_none() {
        // Its end came after its row was forgotten.
        view.signed = shared.ledger.signature(id).await?.as_ref().map(payload);
    }
    Ok(Some(shared.sightings.shown(view)))
}

/// A request with what people need to judge it.
pub(crate) async fn detail(shared: &Shared, id: &RequestId) -> Result<Option<RequestDetail>, LedgerError> {
    let (Some(view), Some(request)) = (view(shared, id).await?, shared.ledger.request(id).await?) else {
        return Ok(None);
    };
    let state = shared.state();
    let account = request.intent.action.account();
    let address = account.and_then(|it| match &request.intent.action {
        Action::Solana(message) if state.key(&it.key)?.state.receives() => {
            Some(state.solana_address(it)?.id(Cluster::of(message.chain)?))
        }
        // Whoever reads the transaction knows whose name it is in.
        Action::Near(_) => None,
        _ => state.key(&it.key)?.address(it.index),
    });
    let decisions = shared.ledger.decisions_about(id).await?;
    let simulation = state.request(id).and_then(|it| it.simulation.clone());
    let wallet = match &request.intent.action {
        Action::Psbt(it) => bitcoin::wallet_of(&state, state.policy().engine.version(), it),
        _ => None,
    };
    Ok(Some(RequestDetail { view, intent: request.intent, address, decisions, simulation, wallet }))
}

/// The certificate of the decision that put a request where it stands.
pub(crate) async fn certificate(shared: &Shared, id: &RequestId) -> Result<Option<Certificate>, LedgerError> {
    let Some(view) = view(shared, id).await? else { return Ok(None) };
    let height = view.decision.height;
    let (Some(block), decisions) =
        (shared.ledger.block(height).await?, shared.ledger.decisions(height).await?)
    else {
        return Ok(None);
    };
    let position = decisions.iter().position(|it| *it == view.decision);
    let proof = position.and_then(|at| keystead_base::merkle::Inclusion::prove(&leaves(&decisions), at));
    Ok(proof.map(|proof| Certificate { commit: block.commit, decision: view.decision, proof }))
}

fn fold(decisions: &[Decision]) -> Option<RequestView> {
    let mut view: Option<RequestView> = None;
    for decision in decisions {
        let before = view.as_ref().map(|it| it.stage);
        if let Some(stage) = RequestStage::after(before, &decision.outcome) {
            view = Some(view_of(decision, stage));
        }
    }
    view
}
