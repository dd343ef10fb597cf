//! `keystead.toml`. The shell is a binary and cannot be linked: its own source file is compiled here again.

use crate::Verdict;

#[allow(dead_code, unreachable_pub, reason = "of the shell's file only the types are used here")]
#[path = "../../crates/keystead/src/config.rs"]
mod source;

/// The whole file.
pub(crate) fn config(data: &[u8]) -> Verdict {
    let Some(config) =
        std::str::from_utf8(data).ok().and_then(|it| toml::from_str::<source::Config>(it).ok())
    else {
        return Verdict::Refused;
    };
    let text = toml::to_string(&config).expect("a configuration is TOML");
    let again: source::Config = toml::from_str(&text).expect("its own TOML");
    assert_eq!(toml::to_string(&again).ok(), Some(text), "another configuration comes back");
    Verdict::Accepted
}
