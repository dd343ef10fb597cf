//! A webhook's name points into the network that it is sent from (A1).
//!
//! Capital One, 2019: a server that fetched what it was told to fetch was told to fetch the address at which a cloud hands out its
//! machines' credentials, and did.
//!
//! The thieves run the service that a company has its coordinator tell. One day their name points at an address inside the company, where
//! something listens that asks nobody who they are. The courier looks at the address that it is about to connect to, and connects
//! to no other; in the twin it connects to whatever the name says.

use std::time::Duration;

use keystead_transmit::{Courier, Network, Roots};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::Loot;
use crate::http::read_request;

/// The product's: the network in which the company's own receivers are, and nothing else without TLS.
#[must_use]
pub fn of_the_receivers() -> Vec<Network> {
    vec!["203.0.113.0/24".parse().expect("a network")]
}

/// The naive product's: anywhere.
#[must_use]
pub fn anywhere() -> Vec<Network> {
    ["0.0.0.0/0", "::/0"].map(|it| it.parse().expect("a network")).to_vec()
}

/// Plays it, with these networks to which news may go.
pub async fn attack(networks: Vec<Network>) -> Loot {
    let inside = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = inside.local_addr().expect("an address").port();
    let answering = tokio::spawn(async move {
        let (mut socket, _) = inside.accept().await.expect("a caller");
        let (path, _) = read_request(&mut socket).await.expect("a request");
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await
            .expect("a caller that listens");
        path
    });
    // The name of the thieves' service, today.
    let url = format!("http://localhost:{port}/latest/meta-data");
    let courier = Courier::new(&url, networks, &Roots::System).expect("a URL");
    match courier.deliver(&[], "{}".to_owned()).await {
        Ok(()) => {
            let path = tokio::time::timeout(PATIENCE, answering).await.expect("an end").expect("a path");
            Loot::harmed(format!("{path} was asked of a machine inside, in the company's name"))
        }
        Err(error) => {
            answering.abort();
            Loot::refused_for(&error)
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(60);
