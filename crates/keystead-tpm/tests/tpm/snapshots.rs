//! Disks that were put back, found out by the TPM's counter.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use keystead_attest::tpm::{Errand, ErrandReply, RollbackMark, TpmPlace, TpmSeal};
use keystead_base::{Canonical as _, Digest};
use keystead_fixture::swtpm::Emulator;
use keystead_tpm::{TpmError, run};

use super::{COUNTER, code};

pub(crate) struct Disk {
    emulator: Emulator,
    place: TpmPlace,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let emulator = Emulator::start();
        let at = |name: &str| emulator.folder().join(name);
        std::fs::write(at("auth"), "right value\n").unwrap();
        std::fs::write(at("passphrase"), "the passphrase of the vault").unwrap();
        let place =
            TpmPlace { device: emulator.device(), seal: at("seal"), auth: at("auth"), mark: at("mark") };
        let secret = at("passphrase");
        let sealed =
            Errand::Seal { place: place.clone(), secret, pcrs: "0,7".parse().unwrap(), counter: COUNTER };
        assert!(matches!(run(sealed), Ok(ErrandReply::Sealed { counter: 1 })));
        Self { emulator, place }
    }

    fn advance(&self, height: u64, head_at_mark: Option<Digest>) -> Result<u64, TpmError> {
        let errand = Errand::Advance { place: self.place.clone(), height, head: head(height), head_at_mark };
        run(errand).map(|reply| match reply {
            ErrandReply::Marked { counter } => counter,
            other => panic!("{other:?}"),
        })
    }

    /// The program, which has opened the seal and waits for a reader.
    pub(crate) fn waiting(&self) -> Waiting {
        let pipe = self.emulator.folder().join("pipe");
        let mut process = Command::new(env!("CARGO_BIN_EXE_keystead-tpm"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let errand = Errand::Unseal { place: self.place.clone(), pipe: pipe.clone() };
        writeln!(process.stdin.take().unwrap(), "{}", serde_json::to_string(&errand).unwrap()).unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(serde_json::from_str::<ErrandReply>(&line).unwrap(), ErrandReply::Waiting);
        Waiting { process, pipe }
    }

    fn copy(&self) -> Vec<u8> {
        std::fs::read(&self.place.mark).unwrap()
    }

    fn put_back(&self, mark: &[u8]) {
        std::fs::write(&self.place.mark, mark).unwrap();
    }
}

/// A passphrase on its way.
pub(crate) struct Waiting {
    pub(crate) process: Child,
    pipe: PathBuf,
}

impl Waiting {
    /// Reads as an enclave does: the program ends then, and its pipe is gone.
    pub(crate) fn read(mut self) -> Vec<u8> {
        let found = std::fs::read(&self.pipe).unwrap();
        assert!(self.process.wait().unwrap().success());
        assert!(!self.pipe.exists());
        found
    }
}

fn head(height: u64) -> Digest {
    Digest([u8::try_from(height).unwrap(); 32])
}

#[test]
fn s05_a_node_restored_from_an_older_snapshot_is_detected() {
    let mut disk = Disk::new();
    assert_eq!(disk.advance(3, None).unwrap(), 2);
    let snapshot = disk.copy();
    assert_eq!(disk.advance(5, Some(head(3))).unwrap(), 3);
    // The whole disk of then: ledger and mark.
    disk.put_back(&snapshot);
    assert_eq!(code(disk.advance(3, Some(head(3)))), "tpm.rolled_back");
    disk.emulator.reboot();
    disk.place.device = disk.emulator.device();
    assert_eq!(code(disk.advance(3, Some(head(3)))), "tpm.rolled_back", "no reboot makes it forget");
    // People say that it is meant.
    assert!(matches!(
        run(Errand::Accept { place: disk.place.clone() }),
        Ok(ErrandReply::Marked { counter: 5 })
    ));
    // The node wipes its shares by this mark before the next one, which does not say it any more.
    let mark = || RollbackMark::from_document(&disk.copy()).unwrap();
    assert!(mark().burns_shares());
    assert_eq!(disk.advance(3, None).unwrap(), 6);
    assert!(!mark().burns_shares());
}

#[test]
fn s05_a_ledger_put_back_under_the_newest_mark_is_detected() {
    let disk = Disk::new();
    disk.advance(5, None).unwrap();
    assert_eq!(code(disk.advance(4, None)), "tpm.ledger_shorter");
    assert_eq!(code(disk.advance(6, Some(head(6)))), "tpm.other_log");
    disk.advance(6, Some(head(5))).unwrap();
}

#[test]
fn a_crash_between_the_mark_and_the_counter_is_none_of_that() {
    let disk = Disk::new();
    disk.advance(5, None).unwrap();
    let auth = super::auth("right value");
    let before = disk.copy();
    disk.advance(6, Some(head(5))).unwrap();
    let after = disk.copy();
    disk.put_back(&after);
    assert_eq!(super::tpm(&disk.emulator).counter(None, COUNTER, &auth).unwrap(), 3);
    disk.put_back(&before);
    assert_eq!(code(disk.advance(6, Some(head(5)))), "tpm.rolled_back");
}

/// It ended after the write of a mark and before the counter moved. What it went on with has a value of its own, so that the
/// disk of the crash is an old one from then on.
#[test]
fn s05_a_disk_of_a_crash_is_detected_once_the_node_went_on() {
    let disk = Disk::new();
    disk.advance(5, None).unwrap();
    let auth = super::auth("right value");
    let seal = TpmSeal::from_document(&std::fs::read(&disk.place.seal).unwrap()).unwrap();
    let key = super::tpm(&disk.emulator).unseal(&seal, &auth).unwrap().mark;
    let ahead = RollbackMark::new(&key, 3, 6, head(6)).to_document();
    disk.put_back(&ahead);
    assert_eq!(disk.advance(7, Some(head(6))).unwrap(), 4, "the crash is no rollback");
    disk.put_back(&ahead);
    assert_eq!(code(disk.advance(6, Some(head(6)))), "tpm.rolled_back");

    let ahead = RollbackMark::new(&key, 5, 8, head(8)).to_document();
    disk.put_back(&ahead);
    run(Errand::Accept { place: disk.place.clone() }).unwrap();
    disk.put_back(&ahead);
    assert_eq!(
        code(disk.advance(8, Some(head(8)))),
        "tpm.rolled_back",
        "nor is it after people accepted one"
    );
}

#[test]
fn the_counter_goes_on_when_its_index_is_made_anew() {
    let disk = Disk::new();
    disk.advance(5, None).unwrap();
    let mark = disk.copy();
    disk.advance(6, Some(head(5))).unwrap();
    undefine(&disk.emulator);
    disk.put_back(&mark);
    // Whoever may administer the TPM deletes the counter and defines it again: it does not begin at one.
    let auth = super::auth("right value");
    let anew = super::tpm(&disk.emulator).define_counter(None, COUNTER, &auth).unwrap();
    assert_eq!(anew, 4);
    assert_eq!(code(disk.advance(5, Some(head(5)))), "tpm.rolled_back");
}

fn undefine(emulator: &Emulator) {
    use tss_esapi::handles::{NvIndexTpmHandle, TpmHandle};
    use tss_esapi::interface_types::resource_handles::Provision;
    use tss_esapi::{Context, TctiNameConf};
    let conf: TctiNameConf = emulator.device().parse().unwrap();
    let mut context = Context::new(conf).unwrap();
    let place = TpmHandle::NvIndex(NvIndexTpmHandle::new(COUNTER).unwrap());
    let handle = context.execute_without_session(|context| context.tr_from_tpm_public(place)).unwrap();
    context
        .execute_with_nullauth_session(|context| context.nv_undefine_space(Provision::Owner, handle.into()))
        .unwrap();
}

#[test]
fn a_second_seal_takes_the_counter_over_and_a_changed_auth_file_opens_nothing() {
    let disk = Disk::new();
    let again = Errand::Seal {
        place: disk.place.clone(),
        secret: disk.emulator.folder().join("passphrase"),
        pcrs: "0,7".parse().unwrap(),
        counter: COUNTER,
    };
    assert!(matches!(run(again), Ok(ErrandReply::Sealed { counter: 1 })));
    std::fs::write(&disk.place.auth, "wrong value").unwrap();
    assert_eq!(code(disk.advance(1, None)), "tpm.auth");
    std::fs::write(&disk.place.auth, "short").unwrap();
    assert_eq!(code(disk.advance(1, None)), "tpm.auth_length");
    let missing = TpmPlace { mark: PathBuf::from("/nowhere/mark"), ..disk.place.clone() };
    std::fs::write(&disk.place.auth, "right value").unwrap();
    let gone = run(Errand::Advance { place: missing, height: 1, head: head(1), head_at_mark: None });
    assert_eq!(code(gone), "tpm.file");
    assert!(Path::new(&disk.place.mark).exists());
}
