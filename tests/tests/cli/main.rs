//! The real program as people and wallets use it: every word of it is a process, a file or a socket.

mod crash;
mod desk;
mod lies;
mod people;
mod quickstart;
mod secrets;
mod wallet;
