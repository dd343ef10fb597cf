//! The scalars of a shared key's holders, as their passphrases open them, searched for in all that four nodes leave and hold (K1).

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use keystead_base::Canonical as _;
use keystead_keys::{Sealed, SealingKey};
use keystead_tests::canary::Canaries;
use keystead_tests::processes::memory;
use secp256k1::{PublicKey, Secp256k1, SecretKey};
use sqlx::{Connection as _, Row as _, SqliteConnection};

use crate::several::process_of;

/// Whatever the nodes' folders have, databases, write-ahead files and what their programs said among it, and the memory of the nodes.
pub(crate) async fn nowhere_but_in_enclaves(folder: &Path, nodes: &[&str], keys: usize) {
    let mut canaries = Canaries::default();
    for node in nodes {
        let secrets = scalars_of(&folder.join(node)).await;
        assert_eq!(secrets.len(), keys, "{node} has a share of each key");
        for (index, secret) in secrets.iter().enumerate() {
            canaries.add_scalar(&format!("share {index} of {node}"), secret);
        }
    }
    let (found, looked_at) = canaries.found_below(folder, &|_| false);
    assert_eq!(found, Vec::<String>::new());
    assert!(looked_at > 1_000_000, "databases, write-ahead files, words: {looked_at} bytes");
    let said = std::fs::metadata(folder.join("said")).unwrap().len();
    assert!(said > 0, "what programs say, asked to say all, is among it");
    for node in nodes {
        let process = process_of(&folder.join(node)).expect("the node runs").parse().unwrap();
        let read = memory(process, |bytes| {
            assert_eq!(canaries.found_in(bytes), BTreeSet::new(), "memory of {node}");
        });
        assert!(read > 1_000_000, "{node} was read: {read} bytes");
        for file in ["cmdline", "environ"] {
            let bytes = std::fs::read(format!("/proc/{process}/{file}")).unwrap();
            assert_eq!(canaries.found_in(&bytes), BTreeSet::new(), "{file} of {node}");
        }
    }
}

/// The scalar of each share that a node's disk has.
async fn scalars_of(home: &Path) -> Vec<[u8; 32]> {
    let url = format!("sqlite:{}", home.join("node/ledger.sqlite").display());
    let passphrase = std::fs::read(home.join("vault.passphrase")).unwrap();
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    let rows = sqlx::query("SELECT document FROM sealed_keys").fetch_all(&mut database).await.unwrap();
    database.close().await.unwrap();
    let sealed = rows.iter().map(|row| Sealed::from_document(row.get::<&[u8], _>(0)).unwrap());
    sealed.flat_map(|it| scalars_in(&opened(passphrase.trim_ascii(), &it))).collect()
}

fn opened(passphrase: &[u8], sealed: &Sealed) -> Vec<u8> {
    let key = SealingKey::derive(passphrase, *sealed.kdf()).unwrap();
    let mut secret = vec![0; sealed.secret_bytes()];
    key.open(sealed, sealed.label(), &mut secret).unwrap();
    secret
}

/// A share says the points of all holders: its own scalar is the one number in it whose point is among them.
fn scalars_in(share: &[u8]) -> Vec<[u8; 32]> {
    let said: HashSet<&[u8]> = share.windows(32).collect();
    let curve = Secp256k1::signing_only();
    let is_point = |scalar: &SecretKey| {
        let point = PublicKey::from_secret_key(&curve, scalar).serialize();
        said.contains(&point[1..])
    };
    let scalars = share.windows(32).filter_map(|it| SecretKey::from_byte_array(it.try_into().ok()?).ok());
    let found: BTreeSet<[u8; 32]> = scalars.filter(is_point).map(|it| it.secret_bytes()).collect();
    found.into_iter().collect()
}
