//! The enclave of a holder that lies in runs of keys in shares: the product's own, with what it says changed before it is signed.
//!
//! How it lies stands in a file `lie` beside the passphrase, which it reads before it gives files up.

use std::alloc::System;
use std::ffi::OsString;
use std::process::ExitCode;

use keystead_base::{Name, Secret};
use keystead_signing::EnclaveControls;
use keystead_threshold::{Kind, Parcel};
use zeroizing_alloc::ZeroAlloc;

/// INVARIANT K5: what is freed is wiped first, whoever held it. Keys pass through libraries that wipe nothing.
#[global_allocator]
static WIPING: ZeroAlloc<System> = ZeroAlloc(System);

/// What is done to what it says.
#[derive(Clone, Copy)]
enum Lie {
    /// It tells the truth.
    Nothing,
    /// It deals `node-1` a number beside its polynomial.
    Share,
    /// It flips a bit of what it offers for a signature.
    Offer,
    /// It flips a bit of its part of a signature.
    Sum,
    /// It signs another commitment for `node-1` than for everybody else.
    Two,
    /// It falls silent in runs that sign: in those of ECDSA after its first word, in those of FROST before, because whoever hears
    /// the last word there has the signature.
    Silence,
}

impl EnclaveControls for Lie {
    fn says(&self, said: &mut Parcel) -> bool {
        let to_first = said.to.as_ref().is_some_and(|it| it.as_str() == "node-1");
        let spoils = match self {
            Self::Nothing | Self::Two => false,
            Self::Share => said.kind == Kind::DealShare && to_first,
            Self::Offer => said.kind == Kind::MultiplyOffer,
            Self::Sum => said.kind == Kind::SignatureShare,
            Self::Silence => {
                return !matches!(
                    said.kind,
                    Kind::MultiplyAnswer | Kind::NonceCommitment | Kind::SignatureShare
                );
            }
        };
        if spoils {
            spoil(said);
        }
        true
    }

    fn tells(&self, to: &Name, said: &Parcel) -> Option<Parcel> {
        let commits = matches!(said.kind, Kind::DealHash | Kind::DealCommitment);
        if !matches!(self, Self::Two) || !commits || to.as_str() != "node-1" {
            return None;
        }
        let Parcel { session, round, kind, to, payload } = said;
        let payload = Secret::new(payload.expose().clone());
        let mut other = Parcel { session: *session, round: *round, kind: *kind, to: to.clone(), payload };
        spoil(&mut other);
        Some(other)
    }
}

/// Half way in: of a number, or of the many that a multiplication is made of.
fn spoil(said: &mut Parcel) {
    let payload = said.payload.expose_mut();
    let middle = payload.len() / 2;
    if let Some(byte) = payload.get_mut(middle) {
        *byte ^= 1;
    }
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(2).collect();
    let Some(options) = keystead_node::parse_enclave_arguments(&arguments) else {
        eprintln!("expected `enclave` with the arguments of an enclave");
        return ExitCode::from(2);
    };
    let lie = match std::fs::read_to_string(options.passphrase.with_file_name("lie")).as_deref() {
        Err(_) | Ok("nothing") => Lie::Nothing,
        Ok("share") => Lie::Share,
        Ok("offer") => Lie::Offer,
        Ok("sum") => Lie::Sum,
        Ok("two") => Lie::Two,
        Ok("silence") => Lie::Silence,
        Ok(other) => panic!("not a lie: {other}"),
    };
    match keystead_signing::run_with(options, lie) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("enclave: {error}");
            ExitCode::FAILURE
        }
    }
}
