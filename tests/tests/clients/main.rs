//! Clients of others, unmodified: each sends and signs through the coordinator, with a real chain behind.

#[path = "../cli/desk.rs"]
#[expect(dead_code, reason = "the desk of the command's tests can more than is needed here")]
mod desk;
mod ground;
mod others;
mod people;
