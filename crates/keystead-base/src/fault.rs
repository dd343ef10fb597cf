//! What every error of the house can say of itself: a stable code, and who is to blame.

/// Who has to act for an error to go away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The request was wrong: its sender changes it.
    Caller,
    /// Another process broke its side of a protocol.
    Peer,
    /// The machine, the disk, the network or the configuration.
    Environment,
}

/// An error with a stable code.
///
/// Codes are lower-case words joined by dots (`canon.trailing_bytes`); once released they keep
/// their meaning, so that scripts may match on them.
pub trait Coded: std::error::Error {
    /// The stable code.
    fn code(&self) -> &'static str;
    /// Who has to act.
    fn blame(&self) -> Blame;
}
