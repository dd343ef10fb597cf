//! What code inside the enclave can do: nothing but what the loop needs.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use keystead_signing::{Feature, SplitWhole, Status};

use crate::Test;
use crate::fixture::Cluster;

pub(crate) const TESTS: &[Test] = &[
    ("a5_no_file_socket_process_or_code_from_inside", nothing_works),
    ("what_a_kernel_lacks_is_said_and_can_be_required", lacking),
];

fn nothing_works() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let report = probed(listener.local_addr().unwrap().port());
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
    assert_eq!(refused, expected, "\n{report}");
    // Older kernels lack memfd_secret, or parts of Landlock; the rest every supported one has.
    for feature in Feature::ALL.iter().filter(|it| !matches!(it, Feature::SecretMemory | Feature::Landlock)) {
        assert!(report.contains(&format!("{feature}: On")), "\n{report}");
    }
}

/// Whether this kernel has all that is asked for; said loudly where it has not.
pub(crate) fn whole_kernel() -> bool {
    let report = probed(0);
    let whole = Feature::ALL.iter().all(|feature| report.contains(&format!("{feature}: On")));
    if !whole {
        println!("SKIPPED in part: this kernel does not have every protection:\n{report}");
    }
    whole
}

fn probed(port: u16) -> String {
    let mut probe = Command::new(std::env::current_exe().unwrap());
    probe.arg("probe").env("PROBE_PORT", port.to_string()).stdin(Stdio::null());
    let output = probe.output().unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

/// Memory that cannot be locked stands for a kernel without secret pages.
fn lacking() {
    let cluster = Cluster::new();
    let hello = cluster.hello();
    let ready = cluster.start("signer", &["unlockable"]).hello(hello.clone()).unwrap();
    let report = &ready.hardening.features.iter().find(|it| it.feature == Feature::SecretMemory).unwrap();
    assert_eq!(report.status, Status::Off);
    assert!(report.lost.contains("root can read keys"), "{}", report.lost);
    let refused = cluster.start("signer", &["unlockable", "strict"]).hello(hello).unwrap_err();
    assert!(refused.to_string().contains("enclave.hardening"), "{refused}");
    // Nor does it read a whole key that people bring.
    let whole = SplitWhole { everything: false, to: None, taproot: None };
    let refused = cluster.start("scratch", &["unlockable", "strict"]).whole(whole).unwrap_err();
    assert!(refused.to_string().contains("enclave.hardening"), "{refused}");
}

/// Runs inside the confinement; every line goes to standard output by `write` alone.
pub(crate) fn probe() {
    let port: u16 = std::env::var("PROBE_PORT").unwrap().parse().unwrap();
    let lines = keystead_signing::confined(move |hardening| {
        let mut lines: Vec<String> =
            attempts(port).into_iter().map(|(what, done)| format!("{what}: {}", word(done))).collect();
        lines.extend(Feature::ALL.map(|feature| format!("{feature}: {:?}", hardening.status(feature))));
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
