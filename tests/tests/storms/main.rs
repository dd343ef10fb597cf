//! D1, D3, D4: storms over four node processes under a steady load, and what must hold after each of them.

mod circle;
mod clocks;
mod cluster;
mod coordinator;
mod disks;
mod five;
mod founded;
mod ground;
mod kills;
mod liars;
mod load;
mod members;
mod network;
mod oracle;
mod orders;
mod people;
mod postgres;
mod process;
mod product;
mod rules;
mod shares;
#[path = "../node/verified.rs"]
mod verified;
