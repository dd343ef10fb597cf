//! The real program as people and wallets use it: every word of it is a process, a file or a socket.

mod again;
mod broken;
mod ceremony;
mod commands;
mod crash;
mod desk;
mod door;
mod errors;
mod gaps;
mod growth;
mod help;
mod lies;
mod people;
mod quickstart;
mod rebuild;
mod rebuilt;
mod script;
mod secrets;
mod several;
mod shells;
mod wallet;
mod watch;
