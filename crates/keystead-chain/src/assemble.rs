//! From a payload and its signature to the bytes that a chain or a contract takes.

use alloy_consensus::EthereumTxEnvelope;
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Signature, U256, uint};
use keystead_base::{Blame, Coded};

use crate::Unsigned;
use crate::transaction;
use crate::unsigned::Form;

/// Signed bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembled {
    /// A signed transaction (EIP-2718), a signed authorization (RLP of six fields), or 65 bytes
    /// `r || s || v` with `v` 27 or 28 for messages and typed data.
    pub raw: Bytes,
    /// The transaction's hash; none for the other forms.
    pub hash: Option<B256>,
}

/// Puts a payload and its signature together, if the account made that signature.
///
/// # Errors
///
/// [`AssembleError`]: a signature out of range, malleable, or of somebody else.
pub fn assemble(unsigned: &Unsigned, r: B256, s: B256, odd_y: bool) -> Result<Assembled, AssembleError> {
    let found = recover(unsigned, r, s, odd_y)?;
    if found != unsigned.account() {
        return Err(AssembleError::Signer { expected: unsigned.account(), found });
    }
    assemble_released(unsigned, r, s, odd_y)
}

/// As [`assemble`], for a signature that this node's own back end verified before it released it (S7), and
/// named this payload's digest and account with: nobody recovers the signer here once more. A signature that
/// came from anywhere else goes through [`assemble`].
///
/// # Errors
///
/// [`AssembleError::HighS`].
pub fn assemble_released(
    unsigned: &Unsigned,
    r: B256,
    s: B256,
    odd_y: bool,
) -> Result<Assembled, AssembleError> {
    let (r, s) = (U256::from_be_bytes(r.0), low(s)?);
    let signature = Signature::new(r, s, odd_y);
    Ok(match unsigned.form() {
        Form::Transaction(it) => {
            let envelope: EthereumTxEnvelope<_> = it.as_ref().clone().into_envelope(signature);
            Assembled { raw: envelope.encoded_2718().into(), hash: Some(*envelope.tx_hash()) }
        }
        Form::Authorization(it) => {
            Assembled { raw: alloy_rlp::encode(it.to_alloy().into_signed(signature)).into(), hash: None }
        }
        Form::Message | Form::TypedData(_) => Assembled { raw: signature.as_bytes().into(), hash: None },
    })
}

/// The address that made a signature over the payload's digest.
///
/// # Errors
///
/// [`AssembleError::Range`] and [`AssembleError::HighS`].
pub fn recover(unsigned: &Unsigned, r: B256, s: B256, odd_y: bool) -> Result<Address, AssembleError> {
    let (r, s) = (U256::from_be_bytes(r.0), low(s)?);
    transaction::recover(unsigned.signing_digest().0, r, s, odd_y).ok_or(AssembleError::Range)
}

/// INVARIANT S7: only the low of the two equivalent signatures (EIP-2) exists for us.
fn low(s: B256) -> Result<U256, AssembleError> {
    let s = U256::from_be_bytes(s.0);
    if s > HALF_ORDER { Err(AssembleError::HighS) } else { Ok(s) }
}

/// Half the order of secp256k1, rounded down (SEC 2, section 2.4.1).
const HALF_ORDER: U256 = uint!(0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0_U256);

/// Why a signature does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// No key makes this signature.
    #[error("r and s are not a signature on secp256k1")]
    Range,
    /// The malleable twin of a signature.
    #[error("s is above half the group order (EIP-2)")]
    HighS,
    /// Another key made it.
    #[error("the signature is of {found}, expected {expected}")]
    Signer {
        /// The payload's account.
        expected: Address,
        /// The recovered address.
        found: Address,
    },
}

impl Coded for AssembleError {
    fn code(&self) -> &'static str {
        match self {
            Self::Range => "assemble.range",
            Self::HighS => "assemble.high_s",
            Self::Signer { .. } => "assemble.signer",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Peer
    }
}
