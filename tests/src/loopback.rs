//! Ports of this machine that nobody listens on.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// A loopback port that was free a moment ago, for programs that cannot choose one themselves.
///
/// None that the kernel gives to outgoing connections: one of those could take it before the program does.
pub fn free_port() -> u16 {
    let first = std::process::id().wrapping_mul(97);
    loop {
        let next = first.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = LOWEST + u16::try_from(next).expect("fewer than 65,536");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// How many ports this process looked at.
static TRIED: AtomicU32 = AtomicU32::new(0);
/// Linux gives outgoing connections ports from 32,768 on.
const LOWEST: u16 = 12_000;
const COUNT: u32 = 20_000;
