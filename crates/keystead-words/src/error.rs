//! Why a descriptor is refused.

use keystead_base::{Blame, Coded};

/// A descriptor that is not used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    /// More bytes than a descriptor may have.
    #[error("a descriptor has at most {limit} bytes, found {found}")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
        /// The length found, in bytes.
        found: usize,
    },
    /// More of something than a descriptor may have.
    #[error("a descriptor has at most {limit} {what}")]
    TooMany {
        /// The limit.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
    /// No JSON, a key twice, or a number that is not an exact integer.
    #[error("no JSON that can be read in one way only: {reason}")]
    Json {
        /// What the parser says.
        reason: String,
    },
    /// A key that is not known, or a value of another shape.
    #[error("not the shape of a descriptor: {reason}")]
    Shape {
        /// What the parser says.
        reason: String,
    },
    /// A version of the standard that is not read here.
    #[error("`$schema` names neither version 1 nor version 2 of ERC-7730, found {found:?}")]
    Version {
        /// What it names.
        found: String,
    },
    /// A part that only another version of the standard has.
    #[error("{part} is no part of this version of the standard")]
    ForeignPart {
        /// The part.
        part: &'static str,
    },
    /// A text that is long, or that does not look like what it is.
    #[error("the text {text:?} is longer than {limit} bytes, or has characters that nobody sees")]
    Text {
        /// The text.
        text: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// A key of `display.formats` that is neither a function nor the type of a message.
    #[error("{found:?} is neither a function with names nor the type of a message")]
    Signature {
        /// What was found.
        found: String,
    },
    /// Two formats for one function or message.
    #[error("{found:?} is described twice")]
    Twice {
        /// The second one.
        found: String,
    },
    /// A path that the standard does not have.
    #[error("{found:?} is no path")]
    Path {
        /// What was found.
        found: String,
    },
    /// A reference to something that is not in the file.
    #[error("{found:?} refers to nothing in this file")]
    Reference {
        /// What was found.
        found: String,
    },
    /// Parameters that the format does not have, or that contradict one another.
    #[error("the parameters of the format `{format}` are not {expected}")]
    Parameters {
        /// The format.
        format: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// An address that is no address, or whose checksum (ERC-55) is wrong.
    #[error("{found:?} is no address, or has a wrong checksum")]
    Address {
        /// What was found.
        found: String,
    },
    /// A template with a brace that neither opens nor closes a path.
    #[error("{found:?} has a brace without its other half")]
    Template {
        /// What was found.
        found: String,
    },
    /// A file that includes one that is not in the set that it comes with.
    #[error("includes {found:?}, which is not among the files that come with it")]
    Include {
        /// What is included.
        found: String,
    },
    /// A descriptor that is bound to nothing could be for anything.
    #[error("bound to neither a contract nor a domain of typed data")]
    Unbound,
}

impl Coded for DescriptorError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "descriptor.too_long",
            Self::TooMany { .. } => "descriptor.too_many",
            Self::Json { .. } => "descriptor.json",
            Self::Shape { .. } => "descriptor.shape",
            Self::Version { .. } => "descriptor.version",
            Self::ForeignPart { .. } => "descriptor.foreign_part",
            Self::Text { .. } => "descriptor.text",
            Self::Signature { .. } => "descriptor.signature",
            Self::Twice { .. } => "descriptor.twice",
            Self::Path { .. } => "descriptor.path",
            Self::Reference { .. } => "descriptor.reference",
            Self::Parameters { .. } => "descriptor.parameters",
            Self::Address { .. } => "descriptor.address",
            Self::Template { .. } => "descriptor.template",
            Self::Include { .. } => "descriptor.include",
            Self::Unbound => "descriptor.unbound",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}
