//! A node whose vault opens by its machine's TPM, and whose disk is held against the TPM's counter.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use keystead_attest::tpm::{Errand, ErrandReply, PROGRAM, RandomSamples, RollbackMark, TpmPlace};
use keystead_base::{Canonical as _, Digest};
use keystead_decision::State;
use keystead_ledger::Ledger;
use keystead_signing::{Brought, ClientError, Refusal, Source};
use tokio::sync::watch;

use crate::restore::{erase_seals, is_share};
use crate::shared::Shared;
use crate::signer::Signer;
use crate::stages::Stages;
use crate::{Config, NodeError};

/// The program that talks to the TPM, and this node's files for it.
#[derive(Clone, Debug)]
pub(crate) struct Tpm {
    program: PathBuf,
    place: TpmPlace,
    pipe: PathBuf,
}

impl Tpm {
    /// None where the configuration names no TPM.
    pub(crate) fn of(config: &Config) -> Result<Option<Self>, NodeError> {
        let Some(place) = config.enclave.tpm.clone() else { return Ok(None) };
        let pipe = config.data.join("vault.pipe");
        Ok(Some(Self { program: helper()?, place, pipe }))
    }

    /// Where the enclave reads the passphrase.
    pub(crate) fn pipe(&self) -> &Path {
        &self.pipe
    }

    /// Has the TPM open the seal. The passphrase waits in a pipe, for the enclave and nobody else; no file ever has it.
    pub(crate) fn unseal(&self) -> Result<Waiting, NodeError> {
        // One that a crash left behind.
        let _ = std::fs::remove_file(&self.pipe);
        let errand = Errand::Unseal { place: self.place.clone(), pipe: self.pipe.clone() };
        let (child, reply) = ask(&self.program, &errand)?;
        let waiting = Waiting { child, pipe: self.pipe.clone() };
        match reply {
            ErrandReply::Waiting => Ok(waiting),
            other => Err(refusal(other)),
        }
    }

    /// What its generator gives to a seed.
    fn random(&self) -> Result<Brought, NodeError> {
        match run(&self.program, &Errand::Random { device: self.place.device.clone() })? {
            ErrandReply::Random { samples: RandomSamples(text) } => Ok(Brought { source: Source::Tpm, text }),
            other => Err(refusal(other)),
        }
    }

    fn mark(&self) -> Result<RollbackMark, NodeError> {
        let path = &self.place.mark;
        let bytes = std::fs::read(path).map_err(|error| NodeError::File { path: path.clone(), error })?;
        RollbackMark::from_document(&bytes).map_err(|error| NodeError::Document { path: path.clone(), error })
    }

    /// INVARIANT S5: before anything of the disk is used, it is shown to be the newest one that the TPM knows of: a node that was put
    /// back starts no enclave, and so no nonce, run or right of then is used.
    async fn advance(&self, ledger: &Ledger, height: u64) -> Result<(), NodeError> {
        let mark = self.mark()?;
        // Before the next mark, which does not say it any more.
        if mark.burns_shares() {
            burn(ledger).await?;
        }
        let (head, head_at_mark) = (head(ledger, height).await?, head(ledger, mark.height).await?);
        let (program, place) = (self.program.clone(), self.place.clone());
        let head = head.unwrap_or(Digest::ZERO);
        let errand = Errand::Advance { place, height, head, head_at_mark };
        let asked = tokio::task::spawn_blocking(move || run(&program, &errand)).await;
        match asked.unwrap_or(Err(NodeError::Stage { stage: "errand to the TPM" }))? {
            ErrandReply::Marked { .. } => Ok(()),
            other => Err(refusal(other)),
        }
    }
}

/// INVARIANT S5: wipes each share on a disk that was put back and accepted. The log is told that they are gone, as after any loss, and
/// people deal new ones. A whole key draws no nonce: its signatures come from what it signs.
async fn burn(ledger: &Ledger) -> Result<(), NodeError> {
    Ok(erase_seals(ledger, |_, _, sealed| is_share(sealed)).await?)
}

/// Checks the disk against the counter, and marks where it is.
pub(crate) async fn check(config: &Config, ledger: &Ledger, state: &State) -> Result<(), NodeError> {
    match Tpm::of(config)? {
        Some(tpm) => tpm.advance(ledger, state.height()).await,
        None => Ok(()),
    }
}

/// Marks where the ledger is for as long as the node runs, where it has a TPM.
pub(crate) fn keep_marks(
    config: &Config,
    shared: &Arc<Shared>,
    stages: &mut Stages,
) -> Result<(), NodeError> {
    if let Some(tpm) = Tpm::of(config)? {
        stages.task("marks in the TPM", keep(tpm, Arc::clone(shared), stages.stopping()));
    }
    Ok(())
}

impl Signer {
    /// INVARIANT E1: what the machine's TPM gives goes into every seed that is drawn here; where it gives nothing, none is.
    pub(crate) fn pour(&mut self) -> Result<(), NodeError> {
        let Some(tpm) = &self.home.tpm else { return Ok(()) };
        Ok(self.enclave.pour(tpm.random()?)?)
    }

    /// The same, and why this machine takes no part in a birth.
    pub(crate) fn pour_or_why(&mut self) -> Result<Option<Refusal>, NodeError> {
        match self.pour() {
            Ok(()) => Ok(None),
            Err(NodeError::Tpm { code, text }) => Ok(Some(Refusal { code, text })),
            Err(NodeError::Enclave(ClientError::Refused(refusal))) => Ok(Some(refusal)),
            Err(error) => Err(error),
        }
    }
}

/// Every so many blocks: a counter of a TPM is not made for each of them.
async fn keep(tpm: Tpm, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) -> Result<(), NodeError> {
    let mut state = shared.state.clone();
    let mut next = state.borrow().height().saturating_add(MARK_BLOCKS);
    loop {
        let height = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            reached = state.wait_for(|state| state.height() >= next) => match reached {
                Ok(state) => state.height(),
                Err(_) => return Ok(()),
            },
        };
        tpm.advance(&shared.ledger, height).await?;
        next = height.saturating_add(MARK_BLOCKS);
    }
}

/// A passphrase that waits to be read. Dropped, it waits no more.
pub(crate) struct Waiting {
    child: Child,
    pipe: PathBuf,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // It has ended by itself once the enclave has read.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.pipe);
    }
}

/// Does one errand, and waits for its end.
///
/// # Errors
///
/// [`NodeError::Tpm`] when the program is not there, or does not answer.
pub fn tpm_errand(errand: &Errand) -> Result<ErrandReply, NodeError> {
    match run(&helper()?, errand)? {
        reply @ ErrandReply::Refused { .. } => Err(refusal(reply)),
        reply => Ok(reply),
    }
}

fn run(program: &Path, errand: &Errand) -> Result<ErrandReply, NodeError> {
    let (mut child, reply) = ask(program, errand)?;
    child.wait().map_err(|error| NodeError::File { path: program.to_owned(), error })?;
    Ok(reply)
}

fn ask(program: &Path, errand: &Errand) -> Result<(Child, ErrandReply), NodeError> {
    let lost = |error: std::io::Error| NodeError::Tpm {
        code: "tpm.program".to_owned(),
        text: format!(
            "{}: {error}: build it with `cargo build --release -p {PROGRAM}` (it needs libtss2-dev)",
            program.display()
        ),
    };
    let mut child = Command::new(program)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(lost)?;
    let mut line = serde_json::to_string(errand).map_err(|error| lost(error.into()))?;
    line.push('\n');
    if let Some(mut input) = child.stdin.take() {
        input.write_all(line.as_bytes()).map_err(lost)?;
    }
    let mut answer = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut answer).map_err(lost)?;
    }
    if answer.is_empty() {
        return Err(lost(std::io::ErrorKind::UnexpectedEof.into()));
    }
    let reply = serde_json::from_str(&answer).map_err(|error| NodeError::Tpm {
        code: "tpm.errand".to_owned(),
        text: format!("{} answered what is no answer: {error}", program.display()),
    })?;
    Ok((child, reply))
}

fn refusal(reply: ErrandReply) -> NodeError {
    match reply {
        ErrandReply::Refused { code, text } => NodeError::Tpm { code, text },
        other => NodeError::Tpm {
            code: "tpm.errand".to_owned(),
            text: format!("another answer than asked for: {other:?}"),
        },
    }
}

/// It stands beside the running program.
fn helper() -> Result<PathBuf, NodeError> {
    let own = std::env::current_exe();
    let own = own.map_err(|error| NodeError::File { path: PathBuf::from("the running program"), error })?;
    Ok(own.with_file_name(PROGRAM))
}

async fn head(ledger: &Ledger, height: u64) -> Result<Option<Digest>, NodeError> {
    Ok(ledger.block(height).await?.map(|block| block.commit.header.digest()))
}

/// At a block a second, twenty-one writes of the TPM's memory a day: it is made for a hundred thousand and more.
const MARK_BLOCKS: u64 = 4096;

#[cfg(test)]
mod tests {
    use keystead_base::ClusterId;
    use keystead_keys::{Kdf, Purpose, SealLabel, SealingKey};

    use super::*;

    fn sealed(key: &SealingKey, name: &str, purpose: Purpose) -> Vec<u8> {
        let cluster = Some(ClusterId(Digest([1; 32])));
        let label = SealLabel { cluster, name: name.parse().unwrap(), purpose, epoch: 0 };
        key.seal(label, &[5; 32], &mut |bytes| bytes.fill(6)).unwrap().to_document()
    }

    #[tokio::test]
    async fn s05_no_share_of_a_disk_that_was_put_back_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("ledger.db").display());
        let ledger = Ledger::open(&url).await.unwrap();
        let key = SealingKey::derive(b"a passphrase", Kdf::new(&mut |bytes| bytes.fill(7))).unwrap();
        for (name, epoch, purpose) in [
            ("cold", 0, Purpose::ThresholdShare),
            ("hot", 0, Purpose::HdSeed),
            ("warm", 3, Purpose::ThresholdShare),
        ] {
            let document = sealed(&key, name, purpose);
            ledger.save_sealed_key(&name.parse().unwrap(), epoch, &document).await.unwrap();
        }
        burn(&ledger).await.unwrap();
        let left = ledger.sealed_keys(None).await.unwrap();
        let names: Vec<&str> = left.iter().map(|(name, _, _)| name.as_str()).collect();
        assert_eq!(names, ["hot"], "a seed has no nonces, and no share is left");
    }
}
