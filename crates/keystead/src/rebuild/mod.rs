//! The rebuild on this machine: the backup that is read, the words of a draft, and what it becomes.

mod backup;
mod chains;
mod install;
mod member;
mod words;

pub(crate) use backup::{Backup, remembered};
pub(crate) use chains::{Account, compare};
pub(crate) use install::{Installed, new_node};
pub(crate) use member::{Told, goes_on};
pub(crate) use words::Shown;

/// The signed rebuild, beside the genesis: whom this machine connects to is read from both.
pub(crate) const REBUILD: &str = "rebuild";
