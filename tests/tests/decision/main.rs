//! The state machine of the log and the checks of its light client, as pure steps. One program of many suites: each links
//! the same libraries, and linking them once saves minutes.

mod authorization_path;
mod bitcoin;
mod certificates;
mod deciding;
mod devices;
mod ending;
mod founding_ceremony;
mod fresh_heads;
mod incidents;
mod key_life;
mod key_terms;
mod near;
mod psbt_requests;
mod rebuild;
mod rebuild_draft;
mod reconciling;
mod shared_key_rights;
mod shared_key_words;
mod shared_keys;
mod simulating;
mod solana;
mod token_keys;
mod voices;
