//! Reads quotes of Intel TDX and SGX: made by a quoting enclave of the machine, whose key Intel certified, and held against what Intel says
//! of machines and their firmware ("collateral").
//!
//! Whoever uses it is handed the collateral by somebody who fetched it; nothing here asks a server.

mod backend;
mod refusal;

use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::quote::{EnclaveReport, Report as Body, TDReport10};
use dcap_qvl::verify::QuoteVerifier;
use keystead_attest::{EvidenceError, Platform, Report, Tcb, Verifier, measurement};
use keystead_base::{Digest, Timestamp};
use sha2::{Digest as _, Sha256};

use backend::Backend;
use refusal::{form, rank, refusal};

/// Reads quotes of machines whose collateral it has.
#[derive(Clone, Debug)]
pub struct IntelVerifier {
    root: Vec<u8>,
    collateral: QuoteCollateralV3,
}

impl IntelVerifier {
    /// Under this root certificate, in DER (Intel publishes its own), with the collateral of the machine in JSON: version 3, as caching
    /// services hand it out. What is in it is verified with each quote.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Form`].
    pub fn new(root: Vec<u8>, collateral: &[u8]) -> Result<Self, EvidenceError> {
        if collateral.len() > MAX_COLLATERAL {
            return Err(form("collateral of at most 1 MiB", "a longer one"));
        }
        let collateral = serde_json::from_slice(collateral)
            .map_err(|error| form("collateral of Intel's, version 3, in JSON", &error.to_string()))?;
        Ok(Self { root, collateral })
    }
}

impl Verifier for IntelVerifier {
    fn read(&self, evidence: &[u8], now: Timestamp) -> Result<Report, EvidenceError> {
        if evidence.len() > MAX_QUOTE {
            return Err(form("a quote of at most 16 KiB", "a longer one"));
        }
        // Who may look in is said and not refused here, as of the other platforms: a release refuses it.
        let verifier = QuoteVerifier::<Backend>::new_with_config(self.root.clone()).allow_debug(true);
        let verified =
            verifier.verify(evidence, &self.collateral, now.seconds()).map_err(|error| refusal(&error))?;
        let tcb = Tcb(vec![rank(&verified.status)?]);
        let device = Digest(Sha256::digest(&verified.ppid).into());
        let read = match &verified.report {
            Body::SgxEnclave(enclave) => of_an_enclave(enclave),
            body => of_a_domain(body.as_td10().ok_or_else(|| form("a report of TDX", "another one"))?),
        };
        let Measured { platform, raw, debug, data } = read;
        Ok(Report {
            platform,
            measurement: measurement(platform, &raw),
            tcb,
            debug,
            device,
            data: data.to_vec(),
        })
    }
}

/// What the hardware says of the program.
struct Measured {
    platform: Platform,
    raw: Vec<u8>,
    debug: bool,
    data: [u8; 64],
}

fn of_an_enclave(report: &EnclaveReport) -> Measured {
    let [flags, ..] = report.attributes;
    let debug = flags & SGX_DEBUG != 0;
    let raw = [report.mr_enclave, report.mr_signer].concat();
    Measured { platform: Platform::Sgx, raw, debug, data: report.report_data }
}

fn of_a_domain(report: &TDReport10) -> Measured {
    let [under_debug, ..] = report.td_attributes;
    let raw = [report.mr_td, report.rt_mr0, report.rt_mr1, report.rt_mr2, report.rt_mr3].concat();
    // The whole byte: profiling looks in as well, and Intel calls a domain untrusted that has any of these bits.
    Measured { platform: Platform::Tdx, raw, debug: under_debug != 0, data: report.report_data }
}

/// Bit 1 of an enclave's attributes.
const SGX_DEBUG: u8 = 1 << 1;
const MAX_QUOTE: usize = 16 * 1024;
const MAX_COLLATERAL: usize = 1024 * 1024;
