//! The founding ceremony on this machine: the member's own folder, the words of a transcript, and what it becomes.

mod danger;
mod fingerprint;
mod install;
mod latecomer;
mod seat;
mod words;

pub(crate) use danger::{nodes as node_dangers, withstands};
pub(crate) use fingerprint::{Heard, grouped, unheard};
pub(crate) use install::{CEREMONY, install};
pub(crate) use latecomer::{Peer, Told, install_latecomer, made_for};
pub(crate) use seat::{Joining, Seat, join};
pub(crate) use words::{Shown, contribution};
