//! `keystead policy prove`, and the direction of a version before it comes into force.

use std::path::PathBuf;

use clap::Args;
use keystead_base::Canonical as _;
use keystead_intent::{Action, AuthorityChange, Intent};
use keystead_policy::PolicyVersion;
use keystead_prove::{
    Comparison, Finding, Label, PartLabel, Properties, ProveError, Prover, Theorem, Witness, parts,
};
use serde_json::{Value, json};

use super::init::policy_file;
use super::{Global, Session};
use crate::failure::{Advise as _, Failure};
use crate::output::{Report, Voice};
use crate::table::{Table, plain};
use crate::{outside, reading};

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    /// The version, as JSON.
    file: PathBuf,
    /// What nothing that passes may ever match: `forbid`s in Cedar (specs/policy-proofs.md).
    #[arg(long)]
    properties: Option<PathBuf>,
    /// The version to compare it with, as JSON; without, the one in force is asked of a node.
    #[arg(long)]
    against: Option<PathBuf>,
    /// Compare it with none.
    #[arg(long, conflicts_with = "against")]
    alone: bool,
}

/// The direction of a version that follows another.
pub(crate) struct Direction {
    pub(crate) label: Label,
    parts: Vec<PartLabel>,
    proven: Comparison,
}

pub(crate) async fn prove(global: &Global, args: &ProveArgs, voice: Voice) -> Result<Report, Failure> {
    let next = policy_file(&args.file)?.into_canonical();
    let properties = match &args.properties {
        Some(path) => Properties::read(&outside::read_text(path)?)?,
        None => Properties::default(),
    };
    let current = match (&args.against, args.alone) {
        (Some(path), _) => Some(policy_file(path)?.into_canonical()),
        (None, true) => None,
        (None, false) => {
            let session = Session::open(global).await?;
            Some(reading::policy_in_force(&session.config, &session.link).await?)
        }
    };
    let mut prover = start()?;
    voice.progress(&format!("{} rules: does one ever fail?", next.rules.len()));
    let mut findings = prover.failures(&next).await?;
    voice.progress(&format!("{} properties", properties.len()));
    findings.extend(prover.properties(&next, &properties).await?);
    let direction = match &current {
        Some(current) => {
            voice.progress(&format!("against version {}", current.number));
            Some(Direction::of(&mut prover, current, &next).await?)
        }
        None => None,
    };
    let mut report = Report::new(to_json(&findings, direction.as_ref()), text(&findings, direction.as_ref()));
    report.holds = findings.iter().all(Finding::holds);
    Ok(report)
}

fn start() -> Result<Prover, Failure> {
    Prover::start().advise("install the Debian package cvc5, or name the program in the variable CVC5")
}

impl Direction {
    async fn of(
        prover: &mut Prover,
        current: &PolicyVersion,
        next: &PolicyVersion,
    ) -> Result<Self, ProveError> {
        let proven = prover.compare(current, next).await?;
        let parts = parts(current, next, &proven);
        let label = parts.iter().fold(Label::Same, |all, it| all.and(it.label));
        Ok(Self { label, parts, proven })
    }

    /// In one line: the whole, and each part that differs.
    pub(crate) fn line(&self) -> String {
        let part = |it: &PartLabel| format!("{}: {}", it.part.as_str(), it.label.as_str());
        let parts: Vec<_> = self.parts.iter().map(part).collect();
        match self.label {
            Label::Same => "what may be signed stays the same".to_owned(),
            Label::Tightens => {
                format!("TIGHTENS: nothing passes that does not pass today ({})", parts.join("; "))
            }
            Label::Loosens => format!("LOOSENS: more passes than today ({})", parts.join("; ")),
            Label::Neither => format!("NEITHER TIGHTENS NOR LOOSENS ONLY ({})", parts.join("; ")),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "label": self.label, "parts": self.parts,
            "newly_passes": self.proven.newly_passes, "no_longer_passes": self.proven.no_longer_passes,
        })
    }
}

/// What whoever asks for a version, or approves it, is told of its direction.
pub(crate) struct Told {
    pub(crate) line: String,
    pub(crate) json: Value,
    proven: bool,
}

impl Told {
    /// Nobody puts a version into force whose direction nobody knows, unless they say that they mean to. The log cannot
    /// demand it: a solver has no place in what must be the same everywhere.
    pub(crate) fn required(&self, unproven: bool) -> Result<(), Failure> {
        match self.proven || unproven {
            true => Ok(()),
            false => Err(Failure::new(
                "policy.unproven",
                self.line.clone(),
                "install the Debian package cvc5, or add --unproven where you have read every line of the change yourself",
            )),
        }
    }
}

/// The direction of what would follow a version.
pub(crate) async fn direction(current: &PolicyVersion, next: &PolicyVersion) -> Told {
    let found = async { Direction::of(&mut Prover::start()?, current, next).await }.await;
    match found {
        Ok(direction) => Told { line: direction.line(), json: direction.json(), proven: true },
        Err(error) => Told {
            line: format!("direction not proven ({error}): see `keystead policy prove`"),
            json: json!({"label": null, "reason": plain(&error.to_string())}),
            proven: false,
        },
    }
}

/// The version that a request would bring into force, if it is about that.
pub(crate) fn proposed(intent: &Intent) -> Option<PolicyVersion> {
    match &intent.action {
        Action::Authority(
            AuthorityChange::Policy { document }
            | AuthorityChange::Roster { document }
            | AuthorityChange::AddressBook { document },
        ) => PolicyVersion::from_document(document).ok(),
        _ => None,
    }
}

fn to_json(findings: &[Finding], direction: Option<&Direction>) -> Value {
    let finding =
        |it: &Finding| json!({"theorem": it.theorem, "proven": it.holds(), "refuted_by": it.refuted_by});
    json!({
        "proven": findings.iter().all(Finding::holds),
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
        "direction": direction.map(Direction::json),
    })
}

fn text(findings: &[Finding], direction: Option<&Direction>) -> String {
    let mut table = Table::new(&["what", "answer"]);
    for finding in findings {
        let answer = if finding.holds() { "proven" } else { "REFUTED" };
        table.row([words(&finding.theorem), answer.to_owned()]);
    }
    let mut parts = vec![table.render()];
    for finding in findings {
        if let Some(witness) = &finding.refuted_by {
            parts.push(example(&format!("{}: refuted by", words(&finding.theorem)), witness));
        }
    }
    if let Some(direction) = direction {
        parts.push(format!("{}\n", direction.line()));
        let examples = [
            ("passes afterwards, and not today", &direction.proven.newly_passes),
            ("passes today, and not afterwards", &direction.proven.no_longer_passes),
        ];
        parts.extend(examples.iter().filter_map(|(title, it)| Some(example(title, it.as_ref()?))));
    }
    parts.join("\n")
}

fn words(theorem: &Theorem) -> String {
    match theorem {
        Theorem::NeverFails { rule } => format!("rule {rule} never fails"),
        Theorem::Property { id, note } if note.is_empty() => id.clone(),
        Theorem::Property { id, note } => format!("{id}: {note}"),
    }
}

fn example(title: &str, witness: &Witness) -> String {
    let lines = witness.lines();
    let lines: Vec<_> = lines.iter().map(|line| format!("  {}", plain(line))).collect();
    format!("{}\n{}\n", plain(title), lines.join("\n"))
}
