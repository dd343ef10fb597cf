//! Fingerprints as people read them aloud: sixteen groups of four.

use std::str::FromStr;

use keystead_base::{Digest, DigestError};

use crate::failure::Failure;

/// Four hex digits at a time.
pub(crate) fn grouped(digest: &Digest) -> String {
    let text = digest.to_string();
    let groups = text.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(" ")
}

/// A fingerprint that somebody heard and typed, with or without the blanks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard(pub(crate) Digest);

impl FromStr for Heard {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.split_whitespace().collect::<String>().parse().map(Self)
    }
}

/// Nobody signs in `family` (the words of a command) what nobody has compared with the others.
pub(crate) fn unheard(family: &str) -> Failure {
    let what =
        "nothing was signed: no fingerprint is named, so nobody has compared this draft with the others'";
    let next = format!(
        "have all who sign run `keystead {family} show`, read the fingerprints out on a call, and add --fingerprint"
    );
    Failure::new(&format!("{family}.unheard"), what, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_out_is_what_is_typed() {
        let digest = Digest([0xa5; 32]);
        let said = grouped(&digest);
        assert_eq!(said.split(' ').count(), 16);
        assert_eq!(said.parse::<Heard>().unwrap().0, digest);
        assert_eq!(said.to_uppercase().parse::<Heard>().unwrap().0, digest);
        assert!(said[..said.len() - 5].parse::<Heard>().is_err());
    }
}
