//! The network between nodes, in the hands of somebody who can cut and mend it.

use std::collections::BTreeMap;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cluster::NodeHome;

/// A line from each node to each other one.
pub(crate) struct Lines(BTreeMap<(usize, usize), Line>);

impl Lines {
    /// Lays them, and tells each node to call the others through them.
    pub(crate) async fn between(homes: &mut [NodeHome]) -> Self {
        let mut lines = BTreeMap::new();
        for (place, home) in homes.iter_mut().enumerate() {
            // Nodes call one another back at the address that a call came from, which is that of the lines. Nobody
            // listens there: a node is reached through its lines alone.
            let port = home.config.listen.rsplit(':').next().expect("a port");
            home.config.listen = format!("127.0.0.{}:{port}", place + 2);
        }
        let listens: Vec<String> = homes.iter().map(|home| home.config.listen.clone()).collect();
        for (from, home) in homes.iter_mut().enumerate() {
            for (to, peer) in home.config.peers.iter_mut().enumerate().filter(|(to, _)| *to != from) {
                let line = Line::to(listens[to].clone()).await;
                peer.address.clone_from(&line.address);
                lines.insert((from, to), line);
            }
        }
        Self(lines)
    }

    /// Cuts what is between the two groups, both ways; connections that are open end.
    pub(crate) fn cut(&self, one: &[usize], other: &[usize]) {
        self.set(one, other, true);
    }

    /// Mends it.
    pub(crate) fn mend(&self, one: &[usize], other: &[usize]) {
        self.set(one, other, false);
    }

    fn set(&self, one: &[usize], other: &[usize], cut: bool) {
        let between = |(from, to): &(usize, usize)| {
            (one.contains(from) && other.contains(to)) || (other.contains(from) && one.contains(to))
        };
        for (_, line) in self.0.iter().filter(|(ends, _)| between(ends)) {
            line.cut.send_replace(cut);
        }
    }
}

struct Line {
    address: String,
    cut: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Line {
    async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address").to_string();
        let (cut, is_cut) = watch::channel(false);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(carry(socket, target.clone(), is_cut.clone()));
            }
        });
        Self { address, cut, task }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut socket: TcpStream, target: String, mut cut: watch::Receiver<bool>) {
    if *cut.borrow() {
        return;
    }
    let Ok(mut behind) = TcpStream::connect(target).await else { return };
    tokio::select! {
        // A line whose owner is gone ends, too.
        _ = cut.wait_for(|cut| *cut) => {}
        _ = copy_bidirectional(&mut socket, &mut behind) => {}
    }
}
