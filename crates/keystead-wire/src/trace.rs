//! Of which trace a request is: W3C Trace Context, Level 1, beside what is asked and never inside it.
//!
//! Nothing here is hashed or signed, and nothing that decides reads it.

use std::fmt;
use std::io::{Error, ErrorKind, Read};

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::RequestId;

/// The most marks of one question; what has more is refused.
pub const MAX_TRACE_MARKS: usize = 4096;

/// A place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize)]
pub struct TraceContext {
    trace: [u8; 16],
    span: [u8; 8],
    sampled: bool,
}

impl TraceContext {
    /// A span of a trace; `None` where one of the two is zero, which names none. `sampled` says whether anybody tells a collector
    /// of it.
    #[must_use]
    pub fn new(trace: [u8; 16], span: [u8; 8], sampled: bool) -> Option<Self> {
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span, sampled })
    }

    /// Reads a `traceparent` header (W3C Trace Context, section 3.2); `None` for whatever is none, which is ignored.
    #[must_use]
    pub fn from_traceparent(header: &str) -> Option<Self> {
        let (known, more) = header.split_at_checked(TRACEPARENT_CHARS)?;
        let [version, trace, span, flags] = known.split('-').collect::<Vec<_>>().try_into().ok()?;
        let [version] = lower_hex::<1>(version)?;
        // Later versions may say more behind another dash; version 0 has no more to say, and 255 is none.
        let fits = match version {
            0 => more.is_empty(),
            255 => false,
            _ => more.is_empty() || more.starts_with('-'),
        };
        let [flags] = lower_hex::<1>(flags)?;
        Self::new(lower_hex(trace)?, lower_hex(span)?, flags & SAMPLED != 0).filter(|_| fits)
    }

    /// The trace.
    #[must_use]
    pub fn trace(&self) -> [u8; 16] {
        self.trace
    }

    /// The span of it.
    #[must_use]
    pub fn span(&self) -> [u8; 8] {
        self.span
    }

    /// Whether a collector is told of it.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }
}

/// As a `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.span.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "-{:02x}", u8::from(self.sampled))
    }
}

impl BorshDeserialize for TraceContext {
    fn deserialize_reader<R: Read>(reader: &mut R) -> std::io::Result<Self> {
        let (trace, span) =
            (BorshDeserialize::deserialize_reader(reader)?, <[u8; 8]>::deserialize_reader(reader)?);
        let found = Self::new(trace, span, bool::deserialize_reader(reader)?);
        found.ok_or_else(|| Error::new(ErrorKind::InvalidData, "a trace or a span is zero"))
    }
}

/// A request's place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TraceMark {
    /// The request.
    pub request: RequestId,
    /// Whose part it is.
    pub context: TraceContext,
}

/// Lower-case digits and no others, as the standard has it.
fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = pair.iter().try_fold(0_u8, |sum, digit| Some(sum << 4 | nibble(*digit)?))?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

const TRACEPARENT_CHARS: usize = 55;
const SAMPLED: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_strictly_and_written_back() {
        let context = TraceContext::from_traceparent(GOOD).unwrap();
        assert_eq!((context.to_string().as_str(), context.is_sampled()), (GOOD, true));
        let other = |from: &str, to: &str| GOOD.replacen(from, to, 1);
        let not_sampled = TraceContext::from_traceparent(&other("-01", "-fe")).unwrap();
        assert!(!not_sampled.is_sampled());
        let later = other("00-", "cc-");
        for text in [later.clone(), format!("{later}-more")] {
            assert_eq!(TraceContext::from_traceparent(&text), Some(context), "{text}");
        }
        for text in [
            String::new(),
            GOOD[..54].to_owned(),
            format!("{GOOD}-"),
            format!("{GOOD}0"),
            format!(" {GOOD}"),
            format!("{later}.more"),
            other("00-", "ff-"),
            other("00-", "0-0"),
            other("4bf9", "4BF9"),
            other("4bf9", "4bg9"),
            other("4bf9", "+bf9"),
            other("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            other("00f067aa0ba902b7", &"0".repeat(16)),
            other("-00f0", "_00f0"),
            other("-01", "-0é"),
            other("-01", "-1 "),
        ] {
            assert_eq!(TraceContext::from_traceparent(&text), None, "{text:?}");
        }
    }

    #[test]
    fn a_zero_context_is_none_on_the_wire_either() {
        let bytes = borsh::to_vec(&TraceContext::from_traceparent(GOOD).unwrap()).unwrap();
        assert!(borsh::from_slice::<TraceContext>(&bytes).is_ok());
        for zeros in [0..16, 16..24] {
            let mut bytes = bytes.clone();
            bytes[zeros].fill(0);
            assert!(borsh::from_slice::<TraceContext>(&bytes).is_err());
        }
    }
}
