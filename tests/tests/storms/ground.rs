//! Where the nodes of a cluster stand: together on loopback, or each in a network namespace of its own.
//!
//! Apart, they meet on a bridge whose address is the test's own. What one node hears of the others is decided by
//! an nftables chain in its namespace, so that a partition is rules, and its end is their removal.

use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use keystead_tests::free_port;

/// Where nodes stand.
pub(crate) enum Ground {
    Loopback,
    Apart(Net),
}

impl Ground {
    /// `host:port` for a node, counted from 0.
    pub(crate) fn address(&self, node: usize) -> String {
        match self {
            Self::Loopback => format!("127.0.0.1:{}", free_port()),
            Self::Apart(net) => format!("{}:{PORT}", net.host(node)),
        }
    }

    /// Where a service of the test itself listens so that all nodes reach it.
    pub(crate) fn host(&self) -> String {
        match self {
            Self::Loopback => "127.0.0.1".to_owned(),
            Self::Apart(net) => net.own(),
        }
    }

    /// What stands before a node's command line.
    pub(crate) fn prefix(&self, node: usize) -> Vec<String> {
        match self {
            Self::Loopback => Vec::new(),
            Self::Apart(net) => {
                ["ip", "netns", "exec"].map(str::to_owned).into_iter().chain([net.space(node)]).collect()
            }
        }
    }
}

/// Namespaces on a bridge. They end with this value, and also when the test process is killed.
pub(crate) struct Net {
    tag: String,
    prefix: String,
    nodes: usize,
    guard: Child,
    _held: Option<ChildStdin>,
}

impl Net {
    /// Makes them, or says why this machine does not let us.
    pub(crate) fn new(nodes: usize) -> Result<Self, String> {
        let count = MADE.fetch_add(1, Ordering::Relaxed);
        let tag =
            format!("ks{}{}", std::process::id(), char::from(b'a' + u8::try_from(count % 26).unwrap_or(0)));
        let prefix = free_prefix(std::process::id().wrapping_mul(4).wrapping_add(count));
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard", &tag])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let held = guard.stdin.take();
        let net = Self { tag, prefix, nodes, guard, _held: held };
        net.build()?;
        Ok(net)
    }

    fn build(&self) -> Result<(), String> {
        let (tag, own) = (&self.tag, self.own());
        sh(&format!(
            "ip link add {tag}b type bridge && ip addr add {own}/28 dev {tag}b && ip link set {tag}b up"
        ))?;
        for node in 0..self.nodes {
            let (space, host, end) = (self.space(node), self.host(node), format!("{tag}v{node}"));
            sh(&format!(
                "ip netns add {space} && ip link add {end} type veth peer name eth0 netns {space} \
                 && ip link set {end} master {tag}b up && ip -n {space} addr add {host}/28 dev eth0 \
                 && ip -n {space} link set eth0 up && ip -n {space} link set lo up \
                 && ip netns exec {space} nft 'add table inet storm; \
                    add chain inet storm heard {{ type filter hook input priority 0; }}'"
            ))?;
        }
        Ok(())
    }

    /// From now on nobody of one side hears anybody of the other one.
    pub(crate) fn part(&self, one: &[usize], other: &[usize]) {
        for (here, there) in [(one, other), (other, one)] {
            for (hears, says) in here.iter().flat_map(|it| there.iter().map(move |other| (*it, *other))) {
                let rule = format!("add rule inet storm heard ip saddr {} drop", self.host(says));
                self.nft(hears, &rule).expect("a rule that nftables takes");
            }
        }
    }

    /// From now on each node loses so many of a hundred packets that reach it; or why it does not.
    pub(crate) fn lose(&self, percent: u32) -> Result<(), String> {
        let rule = format!("add rule inet storm heard iif eth0 numgen random mod 100 < {percent} drop");
        (0..self.nodes).try_for_each(|node| self.nft(node, &rule))
    }

    /// Everybody hears everybody again.
    pub(crate) fn heal(&self) {
        for node in 0..self.nodes {
            self.nft(node, "flush chain inet storm heard").expect("rules that can be removed");
        }
    }

    fn nft(&self, node: usize, words: &str) -> Result<(), String> {
        sh(&format!("ip netns exec {} nft '{words}'", self.space(node)))
    }

    fn space(&self, node: usize) -> String {
        format!("{}n{node}", self.tag)
    }

    fn host(&self, node: usize) -> String {
        address(&self.prefix, u8::try_from(node + 1).expect("few nodes"))
    }

    fn own(&self) -> String {
        address(&self.prefix, 14)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        drop(self._held.take());
        let _ = self.guard.wait();
    }
}

/// A /28 of the range for benchmarks (RFC 2544) that no interface of this machine has.
fn free_prefix(first: u32) -> String {
    let taken = Command::new("ip").args(["-4", "-o", "addr"]).output();
    let taken = taken.map(|it| String::from_utf8_lossy(&it.stdout).into_owned()).unwrap_or_default();
    let mut prefixes = (0..8192).map(|it| {
        let number = (first.wrapping_add(it) % 8192) * 16;
        format!("198.{}.{}.{}", 18 + (number >> 16), (number >> 8) & 255, number & 255)
    });
    prefixes.find(|it| !taken.contains(&format!(" {}/", address(it, 14)))).expect("a free range")
}

fn address(prefix: &str, last: u8) -> String {
    let (head, tail) = prefix.rsplit_once('.').expect("an address");
    format!("{head}.{}", tail.parse::<u8>().expect("a number") + last)
}

fn sh(script: &str) -> Result<(), String> {
    let output = Command::new("sh").args(["-c", script]).output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// Waits for the end of its input, and takes everything of this name away.
const GUARD: &str = r#"
read -r _
for end in $(ip -o link | grep -o "$1v[0-9]*"); do ip link del "$end"; done
for space in $(ip netns list | cut -d' ' -f1 | grep "^$1n"); do ip netns del "$space"; done
ip link del "$1b"
"#;
const PORT: u16 = 7400;
static MADE: AtomicU32 = AtomicU32::new(0);
