//! What an error object says of the chain, where it says anything of it.
//!
//! Codes are no standard, and words are each program's own. What is not recognized here is taken for a refusal of the
//! moment: nothing follows from it, and the question is asked again.

use crate::EndpointError;

impl EndpointError {
    /// Whether the call ran on the state that was asked for and ended badly there: the chain's own word.
    pub(crate) fn is_execution(&self) -> bool {
        match self {
            Self::Rpc { code, message, .. } => EXECUTION_CODES.contains(code) || says(message, &EXECUTION),
            _ => false,
        }
    }

    /// Whether the endpoint says that it has no such block or state.
    pub(crate) fn is_no_state(&self) -> bool {
        match self {
            Self::Rpc { message, data, .. } => {
                says(message, &NO_STATE) || data.as_deref().is_some_and(|data| says(data, &NO_STATE))
            }
            _ => false,
        }
    }
}

fn says(message: &str, words: &[&str]) -> bool {
    let message = message.to_ascii_lowercase();
    words.iter().any(|it| message.contains(it))
}

/// Of geth and what follows it, and of Nethermind.
const EXECUTION_CODES: [i64; 2] = [3, -32015];
/// How an execution ends badly, in the words of geth, reth, Erigon, Nethermind, Besu and anvil.
const EXECUTION: [&str; 10] = [
    "execution reverted",
    "vm execution error",
    "evm error",
    "invalid opcode",
    "invalid jump",
    "stack underflow",
    "stack limit reached",
    "write protection",
    "out of gas",
    "return data out of bounds",
];
/// How a state that is pruned, and a block that is unknown, are called.
const NO_STATE: [&str; 11] = [
    "header not found",
    "block not found",
    "unknown block",
    "missing trie node",
    "state not found",
    "state not available",
    "state is not available",
    "no state available",
    "missingtrienode",
    "historical state",
    "pruned",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l03_only_the_chain_s_own_word_is_taken_for_one() {
        for (code, message, execution, no_state) in [
            (3, "execution reverted: no", true, false),
            (-32000, "Execution reverted", true, false),
            (-32000, "invalid opcode: INVALID", true, false),
            (-32015, "VM execution error.", true, false),
            (-32003, "EVM error InvalidFEOpcode", true, false),
            (-32000, "missing trie node 1f (path )", false, true),
            (-32000, "header not found", false, true),
            (-32002, "No state available for block 0x1", false, true),
            (-32000, "out of gas", true, false),
            (-32005, "daily request count exceeded, request rate limited", false, false),
            (-32000, "too many requests, retry later", false, false),
            (429, "Your app has exceeded its compute units per second capacity", false, false),
            (-32603, "request timed out", false, false),
            (-32603, "resource temporarily unavailable", false, false),
        ] {
            let error = EndpointError::Rpc { code, message: message.to_owned(), data: None };
            assert_eq!((error.is_execution(), error.is_no_state()), (execution, no_state), "{error}");
        }
    }
}
