//! A whole key that people bring: which key it is, and how it is dealt to the enclaves that the log convened.

use std::path::Path;
use std::time::Duration;

use keystead_base::{Canonical as _, Coded as _, KeyScheme, Name, RequestId, Signed};
use keystead_decision::{Convened, Decision, Outcome, Strict};
use keystead_intent::{Action, AuthorityChange, Importer, KeyCeremony, KeyKind};
use keystead_ledger::{Auditor, StoredBlock};
use keystead_node::scratch_arguments;
use keystead_signing::{DealTo, EnclaveClient, SplitWhole, TaprootAccount, WholeKey};
use keystead_wire::{EntryAnswer, ImportReport, KeyView, RequestStage};
use serde_json::json;

use crate::commands::{Session, solana_address};
use crate::failure::Failure;
use crate::following::Teller;
use crate::output::{Report, Voice};
use crate::{member, vaulting};

/// What is to be imported, and to whom.
pub(crate) struct Wanted<'a> {
    pub(crate) key: &'a Name,
    /// The file with the whole key; none where a home of this log has it.
    pub(crate) secret: Option<&'a Path>,
    pub(crate) everything: bool,
    /// Which taproot wallet of the words.
    pub(crate) taproot: Option<TaprootAccount>,
    pub(crate) threshold: u8,
    pub(crate) holders: Vec<Name>,
}

/// The request of an import. Of a person's key it holds the public side alone.
pub(crate) async fn asked(session: &Session, wanted: Wanted<'_>) -> Result<Action, Failure> {
    let Wanted { key, secret, everything, taproot, threshold, holders } = wanted;
    let (account, from) = match secret {
        Some(file) => {
            let whole = whole(file, SplitWhole { everything, to: None, taproot })?;
            (whole.account, Importer::Person(session.member.name.clone()))
        }
        None => {
            let view = vaulting::named(&session.link, key).await?;
            let account = view.account.ok_or_else(|| {
                let what = format!("key `{key}` has no addresses: nothing rests on it");
                Failure::new("key.inactive", what, "`keystead key generate` makes a key that never was whole")
            })?;
            (account, Importer::Home(view.home))
        }
    };
    let kind = match account.scheme() {
        Some(KeyScheme::Ed25519) => KeyKind::ThresholdEd25519,
        Some(KeyScheme::Bip340) => KeyKind::ThresholdBip340,
        Some(KeyScheme::Ecdsa) | None => KeyKind::ThresholdSecp256k1,
        Some(KeyScheme::MlDsa65) => {
            let what = format!("key `{key}` is one of ML-DSA-65, which has no shares");
            return Err(Failure::usage(what, "keep its backup in shares: `keystead backup split`"));
        }
    };
    let key = key.clone();
    let ceremony = KeyCeremony::Import { key, kind, account, from, threshold, holders };
    Ok(Action::Authority(AuthorityChange::Key(ceremony)))
}

/// The file with a whole key, and what is asked of it.
#[derive(Clone, Copy)]
pub(crate) struct Dealt<'a> {
    pub(crate) secret: &'a Path,
    pub(crate) everything: bool,
    pub(crate) taproot: Option<TaprootAccount>,
}

/// Reads `m/86'/COIN'/ACCOUNT'` (BIP-86); `h` stands for `'` as well.
pub(crate) fn taproot_account(text: &str) -> Result<TaprootAccount, String> {
    let steps: Vec<&str> = text.split('/').collect();
    let hardened =
        |step: &str| step.strip_suffix(['\'', 'h'])?.parse::<u32>().ok().filter(|it| *it < 1 << 31);
    match steps.as_slice() {
        ["m", purpose, coin, account] => match (hardened(purpose), hardened(coin), hardened(account)) {
            (Some(86), Some(coin), Some(account)) if coin < 2 => Some(TaprootAccount { coin, account }),
            _ => None,
        },
        _ => None,
    }
    .ok_or_else(|| {
        "expected m/86'/0'/ACCOUNT' on Bitcoin, or m/86'/1'/ACCOUNT' on its test networks".to_owned()
    })
}

/// In a child process without network or files, which alone reads the file: the same confinement as the real enclave's.
fn whole(secret: &Path, it: SplitWhole) -> Result<WholeKey, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::file(Path::new("keystead"), &error))?;
    let mut scratch = EnclaveClient::spawn(program, scratch_arguments(secret.as_os_str()))?;
    Ok(scratch.whole(it)?)
}

/// Deals a whole key to the seats that the log convened, again for each attempt, until the holders' shares have signed.
pub(crate) async fn deal(
    session: &Session,
    request: RequestId,
    from: Dealt<'_>,
    voice: Voice,
) -> Result<Report, Failure> {
    let link = &session.link;
    let detail = link.request(request).await?;
    let key = match detail.intent.action {
        Action::Authority(AuthorityChange::Key(KeyCeremony::Import {
            key,
            from: Importer::Person(_),
            ..
        })) => key,
        _ => {
            let next = "`keystead key import KEY --secret FILE` asks";
            return Err(Failure::usage("this request imports no key of a person", next));
        }
    };
    if matches!(detail.view.stage, RequestStage::Waiting | RequestStage::Denied) {
        let what = format!("the import stands at `{}`", detail.view.stage.word());
        return Err(Failure::new("key.not_allowed", what, "others approve it first: `keystead approve ID`"));
    }
    let controls = Strict::default();
    let mut log = Reader::begin(session, request, &controls)?;
    let (mut dealt, mut from, mut teller) = (0, from, Teller::new(voice));
    loop {
        log.read_on().await?;
        match &log.convened {
            Some((decision, convened)) if convened.attempt > dealt => {
                teller.tell(format!("dealing `{key}`, attempt {}", convened.attempt));
                report(session, request, (decision, convened), from).await?;
                // Searched once; the same secret is no weaker in the next attempt.
                (dealt, from.everything) = (convened.attempt, false);
            }
            _ => {}
        }
        if let Some(view) = finished(session, &key, request, &mut teller).await? {
            let address = view.address.map(|it| it.to_string()).or_else(|| solana_address(&view));
            let address = address.unwrap_or_else(|| format!("of `keystead psbt wallet {key}`"));
            let text = format!(
                "key `{key}` is in shares now, epoch {}\naddress {address}\nIT WAS WHOLE ONCE: every copy of the secret signs \
                 with it for ever. next: wipe the copies, or move its coins with `keystead key sweep {key} --to KEY`",
                view.epoch
            );
            return Ok(Report::new(json!({"key": view, "attempts": dealt}), text));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The key once its shares have signed; an error where the ceremony ended without.
async fn finished(
    session: &Session,
    key: &Name,
    request: RequestId,
    teller: &mut Teller,
) -> Result<Option<KeyView>, Failure> {
    // The ceremony first: what ended before this look has left its key for the next one.
    let under_way = teller.ceremony(request, &session.link.status().await?);
    let found = session.link.key(key).await?.filter(|it| it.imported && it.sharing.is_some());
    match found {
        Some(view) if !under_way => Ok(Some(view)),
        _ if under_way => Ok(None),
        _ => {
            let what = format!("the import of `{key}` ended without a key");
            Err(Failure::new("key.import_ended", what, "`keystead key transcript KEY` shows why; ask again"))
        }
    }
}

/// One attempt: dealt in a scratch enclave, signed by this person's device, and brought to the log.
async fn report(
    session: &Session,
    request: RequestId,
    (decision, convened): (&Decision, &Convened),
    Dealt { secret, everything, taproot }: Dealt<'_>,
) -> Result<(), Failure> {
    let device = session.member.device(&session.link.policy(None).await?.roster)?;
    let to = DealTo {
        cluster: session.config.cluster,
        convened: convened.clone(),
        policy_version: decision.policy.number,
        decision: decision.digest(),
        device,
    };
    let whole = whole(secret, SplitWhole { everything, to: Some(to), taproot })?;
    let dealing =
        whole.dealing.ok_or_else(|| Failure::new("key.import", "nothing was dealt", "try again"))?;
    let dealing = Signed::new(dealing, session.member.name.clone(), &session.member.signer)?;
    let report = ImportReport { request, attempt: convened.attempt, dealing };
    match session.link.import(report).await? {
        EntryAnswer::Decided(decisions) => match decisions.first().map(|it| &it.outcome) {
            Some(Outcome::Key { .. }) => Ok(()),
            // Somebody took another seat meanwhile: the next attempt is dealt to.
            Some(Outcome::Deny { reasons, .. })
                if reasons.iter().all(|it| it.code() == "deny.share.attempt") =>
            {
                Ok(())
            }
            Some(Outcome::Deny { reasons, .. }) => {
                let code = reasons.first().map_or("key.import", |it| it.code());
                let text = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                Err(Failure::new(code, text, "`keystead key transcript KEY` shows what the log knows"))
            }
            _ => Err(Failure::new("key.import", "the log decided nothing about what was dealt", "try again")),
        },
        EntryAnswer::Refused(refused) => Err(Failure::new(&refused.code, refused.text, "try again")),
        EntryAnswer::Requests(_) => {
            Err(Failure::new("key.import", "the node answered something else", "check its version"))
        }
    }
}

/// INVARIANT S3: the seats that a key is dealt to come from the log, every block of which is checked here: a node that named
/// others would have the key.
struct Reader<'a> {
    session: &'a Session,
    request: RequestId,
    auditor: Auditor<'a, Strict>,
    from: u64,
    convened: Option<(Decision, Convened)>,
}

impl<'a> Reader<'a> {
    fn begin(session: &'a Session, request: RequestId, controls: &'a Strict) -> Result<Self, Failure> {
        let genesis = member::genesis(&session.config)?;
        let auditor = Auditor::begin(&genesis, session.config.cluster, controls)?;
        Ok(Self { session, request, auditor, from: 1, convened: None })
    }

    async fn read_on(&mut self) -> Result<(), Failure> {
        loop {
            let blocks = self.session.link.blocks(self.from).await?;
            let Some(last) = blocks.last() else { return Ok(()) };
            self.from = last.commit.header.height + 1;
            for block in blocks {
                let block = StoredBlock { commit: block.commit, entries: block.entries };
                let decisions = self.auditor.block(block)?;
                for decision in decisions.into_iter().filter(|it| it.subject == self.request) {
                    if let Outcome::Convened(convened) = &decision.outcome {
                        self.convened = Some((decision.clone(), convened.clone()));
                    }
                }
            }
        }
    }
}

const PAUSE: Duration = Duration::from_millis(200);
