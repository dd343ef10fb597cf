//! From what a server sent to what its reader may sign.

use keystead_base::{Digest, Name, RequestId};
use keystead_bitcoin::{Spend, SpendError, check_shared};
use keystead_chain::{AssetIndex, Speaker, Unsigned, build, describe_as, explain};
use keystead_decision::{Decision, Outcome, approval_digest};
use keystead_intent::{
    Action, BitcoinWallet, DangerClass, Effects, Intent, NearTransaction, PsbtSpend, SolanaMessage,
};
use keystead_near::Network;
use keystead_policy::PolicyVersion;
use keystead_solana::{Cluster, Message, UnsignedError};
use keystead_speech::{Language, Phrase};
use keystead_wire::RequestDetail;
use keystead_words::Library;

use crate::{ReviewError, address_book, change_words_in, message_words, near_words, run_words, spend_words};

/// A request, understood on this machine.
#[derive(Debug)]
pub struct Reviewed {
    /// The request: the digest of what was asked.
    pub request: RequestId,
    /// What an approval names: of the bytes to sign with the run that was shown, or the request's own for a change of
    /// authority.
    pub digest: Digest,
    /// The worst of what it does.
    pub class: DangerClass,
    /// The policy version that it was read with, and that an approval names.
    pub policy: PolicyVersion,
    /// What it does in plain words, the danger first. Not made fit for a terminal: names and messages in
    /// it are what strangers wrote.
    pub lines: Vec<String>,
}

/// Reads a request. The caller has followed `policy` from the pinned genesis.
///
/// What descriptors of the `library` say stands behind what the bytes do, marked as somebody's word, and changes
/// nothing else.
///
/// INVARIANT S2: number, digest and words are those of the bytes; what the server says of them is only
/// compared.
///
/// # Errors
///
/// [`ReviewError::Request`] and [`ReviewError::Digest`] where the server's words differ from its bytes,
/// the others where the bytes cannot be read.
pub fn review(
    asked: RequestId,
    sent: &RequestDetail,
    policy: PolicyVersion,
    library: &Library,
) -> Result<Reviewed, ReviewError> {
    let found = sent.intent.id();
    if found != asked {
        return Err(ReviewError::Request { asked, found });
    }
    let (computed, class, lines) = match &sent.intent.action {
        Action::Authority(change) => {
            (found.0, DangerClass::Authority, change_words_in(change, &policy, library.language()))
        }
        Action::Psbt(it) => spend(sent, it, &policy, library.language())?,
        Action::Solana(it) => message(sent, it, &policy, library.language())?,
        Action::Near(it) => near(it, &policy, library.language())?,
        _ => payload(sent, &policy, library)?,
    };
    match said(sent).find(|said| *said != computed) {
        Some(said) => Err(ReviewError::Digest { computed, said }),
        None => {
            // What is agreed to is what was shown: a run that the log does not have gets no approval that counts.
            let digest = approval_digest(computed, sent.simulation.as_ref());
            Ok(Reviewed { request: asked, digest, class, policy, lines })
        }
    }
}

type Read = (Digest, DangerClass, Vec<String>);

/// A PSBT, read against the wallet that the server names: another wallet makes another digest, which no log grants.
fn spend(
    sent: &RequestDetail,
    it: &PsbtSpend,
    policy: &PolicyVersion,
    language: Language,
) -> Result<Read, ReviewError> {
    let wallet = sent.wallet.as_ref().filter(|wallet| wallet.chain == it.chain);
    let wallet = wallet.ok_or(ReviewError::NoAddress)?;
    let shared =
        it.shared.as_ref().map(|name| shared_words(name, it, wallet, policy, language)).transpose()?;
    let spend = Spend::read(wallet, &it.psbt)?;
    let mut lines = spend_words(&spend, policy, language);
    lines.extend(shared);
    lines.extend(
        it.replaces.map(|earlier| language.say(&Phrase::TakesThePlaceOf { request: &earlier.to_string() })),
    );
    let (key, index) = (it.account.key.as_str(), &it.account.index.to_string());
    lines.push(language.say(&Phrase::SignedByAccount { key, index }));
    Ok((spend.signing_digest(), spend.effects().class(), lines))
}

/// A message of Solana's. The server says which of its signers is ours, and no other could be: the words call that one so. Where there
/// are several, they say whose word it is.
fn message(
    sent: &RequestDetail,
    it: &SolanaMessage,
    policy: &PolicyVersion,
    language: Language,
) -> Result<Read, ReviewError> {
    let (cluster, ours) = (Cluster::of(it.chain), sent.address.ok_or(ReviewError::NoAddress)?);
    let cluster = cluster.ok_or(ReviewError::NoAddress)?;
    let read = Message::parse(&it.message).map_err(UnsignedError::from)?;
    let account = read.signers().iter().copied().find(|key| key.id(cluster) == ours);
    let account = account.ok_or(ReviewError::NoAddress)?;
    let unsigned = keystead_solana::Unsigned::read(cluster, account, &it.message)?;
    let mut lines = message_words(&unsigned, policy, language);
    let (key, index) = (it.account.key.as_str(), &it.account.index.to_string());
    lines.push(language.say(&Phrase::SignedByAccount { key, index }));
    if read.signers().len() > 1 {
        let address = &account.to_string();
        lines.push(language.say(&Phrase::SolanaOursByTheNodesWord { address, key }));
    }
    Ok((unsigned.signing_digest(), unsigned.effects().class(), lines))
}

/// A transaction of NEAR's. It says itself in whose name and with which key; no word of the server's is needed, nor believed. Whether
/// that key is the one of this name, the nodes check.
fn near(it: &NearTransaction, policy: &PolicyVersion, language: Language) -> Result<Read, ReviewError> {
    let network = Network::of(it.chain).ok_or(ReviewError::NoAddress)?;
    let unsigned = keystead_near::Unsigned::of_any_key(network, &it.transaction)?;
    let registry = AssetIndex::new(&policy.assets, &policy.contracts)?;
    let mut lines = near_words(&unsigned, &registry, policy, language);
    let (key, index) = (it.account.key.as_str(), &it.account.index.to_string());
    lines.push(language.say(&Phrase::SignedByAccount { key, index }));
    Ok((unsigned.signing_digest(), unsigned.effects(&registry).class(), lines))
}

/// The wallet that the server names is the one that people registered, or there is nothing to approve.
fn shared_words(
    name: &Name,
    it: &PsbtSpend,
    wallet: &BitcoinWallet,
    policy: &PolicyVersion,
    language: Language,
) -> Result<String, ReviewError> {
    let terms = policy.bitcoin.as_ref();
    let registered = terms.and_then(|terms| terms.shared_wallet(it.chain, &it.account.key, name));
    let registered = registered.filter(|it| wallet.descriptors == [it.descriptor.clone()]);
    let registered = registered.ok_or(ReviewError::NoAddress)?;
    let descriptor = check_shared(registered.chain, &registered.descriptor).map_err(SpendError::from)?;
    let (threshold, keys) = (&descriptor.threshold().to_string(), &descriptor.keys().len().to_string());
    Ok(language.say(&Phrase::FromSharedWallet { name: name.as_str(), threshold, keys }))
}

fn payload(sent: &RequestDetail, policy: &PolicyVersion, library: &Library) -> Result<Read, ReviewError> {
    let intent = &sent.intent;
    let account = sent.address.ok_or(ReviewError::NoAddress)?;
    let unsigned = build(&intent.action, account)?;
    let registry = AssetIndex::new(&policy.assets, &policy.contracts)?;
    let effects = explain(&unsigned, &registry);
    let own = intent.action.account().map(|it| (account, it));
    let book = address_book(policy, effects.chain);
    let speaker = Speaker::new(effects.chain, &registry, &book).with_own(own);
    let speaker = speaker.with_language(library.language());
    let mut lines: Vec<String> = describe_as(&effects, &speaker).into_iter().map(|it| it.text).collect();
    lines.extend(library.words(&unsigned, &speaker));
    // The server names the address; only the key's own name is covered by what is approved.
    lines.extend(
        intent
            .action
            .account()
            .map(|it| speaker.say(Phrase::SignedBy { key: it.key.as_str(), index: &it.index.to_string() })),
    );
    match &sent.simulation {
        // A run is made on a chain's state, which this machine does not have. An approval names it, and counts for
        // no other.
        Some(rehearsed) => {
            lines.push(speaker.say(Phrase::RunFound {}));
            lines.extend(run_words(rehearsed, &speaker));
        }
        None if is_run(&unsigned, &effects, intent, policy) => lines.push(speaker.say(Phrase::RunUnknown {})),
        None => {}
    }
    Ok((unsigned.signing_digest(), effects.class(), lines))
}

/// Whether policy wants a run of it.
fn is_run(unsigned: &Unsigned, effects: &Effects, intent: &Intent, policy: &PolicyVersion) -> bool {
    let key = intent.action.account().map(|it| &it.key).filter(|_| unsigned.transaction().is_some());
    let terms = key.zip(policy.simulation.as_ref());
    terms.is_some_and(|(key, rule)| rule.terms(key, effects.class(), effects.chain).is_some())
}

/// Every digest that the server calls the one to be signed.
fn said(sent: &RequestDetail) -> impl Iterator<Item = Digest> + '_ {
    let decisions = sent.decisions.iter().chain([&sent.view.decision]);
    let signed = sent.view.signed.as_ref().map(|signed| signed.signing_digest);
    decisions.filter_map(digest_of).chain(signed)
}

fn digest_of(decision: &Decision) -> Option<Digest> {
    match &decision.outcome {
        Outcome::Wait { signing_digest, .. } | Outcome::Simulate { signing_digest, .. } => {
            Some(*signing_digest)
        }
        Outcome::Allow(grant) => Some(grant.signing_digest),
        _ => None,
    }
}
