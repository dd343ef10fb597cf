//! What code inside the enclave can do: nothing but what the loop needs.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use keystead_signing::{Feature, Status};

use crate::Test;

pub const TESTS: &[Test] = &[("a5_no_file_socket_process_or_code_from_inside", nothing_works)];

fn nothing_works() {
    let this = std::env::current_exe().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let probe = Command::new(this)
        .arg("probe")
        .env("PROBE_PORT", listener.local_addr().unwrap().port().to_string())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let report = String::from_utf8(probe.stdout).unwrap();
    let expected = [
        "read a file",
        "write a file",
        "list a folder",
        "connect",
        "listen",
        "send a datagram",
        "make a unix socket",
        "start a program",
        "start a thread",
        "trace the parent",
        "signal the parent",
        "read another process",
        "map code",
        "open its own memory",
    ];
    let refused: Vec<_> = report.lines().filter_map(|line| line.strip_suffix(": refused")).collect();
    assert_eq!(refused, expected, "\n{report}{}", String::from_utf8_lossy(&probe.stderr));
    assert!(report.contains("hardening: all on"), "\n{report}");
}

/// Runs inside the confinement; every line goes to standard output by `write` alone.
pub fn probe() {
    let port: u16 = std::env::var("PROBE_PORT").unwrap().parse().unwrap();
    let lines = keystead_signing::confined(move |hardening| {
        let mut lines: Vec<String> =
            attempts(port).into_iter().map(|(what, done)| format!("{what}: {}", word(done))).collect();
        let off: Vec<_> =
            Feature::ALL.into_iter().filter(|feature| hardening.status(*feature) != Status::On).collect();
        lines.push(if off.is_empty() {
            "hardening: all on".into()
        } else {
            format!("hardening: not {off:?}")
        });
        lines
    });
    println!("{}", lines.unwrap().join("\n"));
}

fn word(done: bool) -> &'static str {
    if done { "DONE" } else { "refused" }
}

fn attempts(port: u16) -> Vec<(&'static str, bool)> {
    let parent = std::os::unix::process::parent_id() as i32;
    vec![
        ("read a file", std::fs::read("/etc/passwd").is_ok()),
        ("write a file", std::fs::write("/tmp/keystead-probe", b"x").is_ok()),
        ("list a folder", std::fs::read_dir("/").is_ok()),
        ("connect", TcpStream::connect(("127.0.0.1", port)).is_ok()),
        ("listen", TcpListener::bind("127.0.0.1:0").is_ok()),
        ("send a datagram", UdpSocket::bind("127.0.0.1:0").is_ok()),
        ("make a unix socket", UnixDatagram::unbound().is_ok()),
        ("start a program", Command::new("/bin/true").spawn().is_ok()),
        ("start a thread", std::thread::Builder::new().spawn(|| ()).is_ok()),
        // SAFETY: plain system calls with valid arguments; the child is a test.
        ("trace the parent", unsafe { libc::ptrace(libc::PTRACE_ATTACH, parent, 0, 0) } == 0),
        ("signal the parent", unsafe { libc::kill(parent, 0) } == 0),
        ("read another process", crate::attacker::read_remote(parent, 0x1000).is_ok()),
        ("map code", maps_code()),
        ("open its own memory", std::fs::File::open("/proc/self/mem").is_ok()),
    ]
}

fn maps_code() -> bool {
    let protection = libc::PROT_READ | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a fresh anonymous mapping at an address that the kernel chooses.
    let mapped = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
    mapped != libc::MAP_FAILED
}
