//! The share of a leaving key as standard tools read it: one line of JSON (docs/exit.md).

use keystead_base::{ClusterId, Name, Secret};
use keystead_threshold::{KeyShare, Scheme};

use super::{Threshold, ThresholdError};

impl Threshold {
    /// The document that is encrypted: everything that the key is put together from, but the others' shares.
    pub(crate) fn leaving(
        &self,
        cluster: ClusterId,
        key: &Name,
        epoch: u32,
    ) -> Result<Secret<Vec<u8>>, ThresholdError> {
        let share = self.holding(key, epoch)?.share(&self.arena)?;
        let account = share.account().ok_or(ThresholdError::Share)?;
        document(cluster, share.bare(), &account.chain_code.0).ok_or(ThresholdError::Share)
    }
}

/// Names have no character that JSON escapes. The scalar goes into room that is there already, so that no copy stays behind.
fn document(cluster: ClusterId, share: &KeyShare, chain_code: &[u8]) -> Option<Secret<Vec<u8>>> {
    let (public, scheme) = (share.public(), word(share.scheme()));
    let holders: Vec<_> = public.holders.members().iter().map(|it| format!("\"{it}\"")).collect();
    let shares: Vec<_> = public.shares.iter().map(|it| format!("\"{}\"", const_hex::encode(it))).collect();
    let (threshold, index) = (public.holders.threshold(), public.holders.index_of(share.holder())?);
    let head = format!(
        "{{\"format\":\"{FORMAT}\",\"cluster\":\"{cluster}\",\"key\":\"{}\",\"scheme\":\"{scheme}\",\"epoch\":{},\
         \"threshold\":{threshold},\"holders\":[{}],\"public_key\":\"{}\",\"public_shares\":[{}],\"chain_code\":\"{}\",\
         \"holder\":\"{}\",\"index\":{index},\"share\":\"",
        share.key(),
        share.epoch(),
        holders.join(","),
        const_hex::encode(&public.key),
        shares.join(","),
        const_hex::encode(chain_code),
        share.holder(),
    );
    let scalar = share.scalar_that_leaves();
    let mut hex = Secret::new([0; 64]);
    const_hex::encode_to_slice(scalar.expose(), hex.expose_mut()).ok()?;
    let mut text = Secret::new(Vec::with_capacity(head.len() + hex.expose().len() + TAIL.len()));
    for part in [head.as_bytes(), hex.expose(), TAIL] {
        text.expose_mut().extend_from_slice(part);
    }
    Some(text)
}

fn word(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::EcdsaDkls23 => "ecdsa_secp256k1",
        Scheme::Bip340Frost => "bip340_secp256k1",
        Scheme::Ed25519Frost => "ed25519",
    }
}

const FORMAT: &str = "keystead-exit-share-1";
const TAIL: &[u8] = b"\"}\n";
