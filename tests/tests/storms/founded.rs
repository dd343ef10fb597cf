//! A founded cluster of four, stopped: the folders that every storm starts from a copy of.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use alloy_primitives::{Address, address};
use keystead_base::{Amount, ClusterId, Name};
use keystead_decision::PublicAccount;
use keystead_intent::Asset;
use keystead_node::Config;
use keystead_policy::{AddressEntry, Measure, PolicyVersion, Window};
use keystead_tests::cluster::NodeHome;
use keystead_tests::fixture::{BIRTH, CHAIN, name};
use keystead_tests::{Service, start_all};
use tokio::sync::OnceCell;

use crate::process::copy;

/// How many nodes there are.
pub(crate) const NODES: usize = 4;
/// The node whose enclave holds the key.
pub(crate) const HOME: usize = 0;
/// A destination to which [`NARROW_LIMIT`] may go in a day.
pub(crate) const NARROW: Address = address!("00000000000000000000000000000000000a4409");
/// In wei: the load asks for more than this within each storm.
pub(crate) const NARROW_LIMIT: u64 = 400;

/// The folders, and what everybody knows of the cluster.
pub(crate) struct Founded {
    pub(crate) cluster: ClusterId,
    pub(crate) account: PublicAccount,
    configs: Vec<Config>,
    folder: PathBuf,
    /// Removes the folder at the end, however that comes.
    _folder: Service,
}

/// The same for all storms of this run: the ceremony takes longer than a storm.
pub(crate) async fn founded() -> Arc<Founded> {
    static FOUNDED: OnceCell<Arc<Founded>> = OnceCell::const_new();
    let founded = FOUNDED.get_or_init(async || Arc::new(Founded::new(&BTreeMap::new()).await)).await;
    Arc::clone(founded)
}

impl Founded {
    /// Some nodes keep their ledgers in databases of their own, the others in their folders. Such databases are
    /// those of the storm, too.
    pub(crate) async fn new(ledgers: &BTreeMap<usize, String>) -> Self {
        let folder = tempfile::Builder::new().prefix("keystead-storms-").tempdir().unwrap().keep();
        let keeper = Service::start(&folder, &["sh", "-c", "echo here; exec sleep infinity"], "here");
        let mut homes = NodeHome::several(u8::try_from(NODES).unwrap(), narrowed);
        homes
            .iter_mut()
            .enumerate()
            .for_each(|(node, home)| home.config.ledger = ledgers.get(&node).cloned());
        let stations = start_all(homes).await;
        stations[HOME].make_hot_key().await;
        let (cluster, account) = (stations[0].node.cluster(), stations[0].hot().await.account.unwrap());
        let mut configs = Vec::new();
        for (index, station) in stations.into_iter().enumerate() {
            let home = station.stop().await;
            // A node whose ledger is elsewhere has nothing in its folder.
            std::fs::create_dir_all(&home.config.data).unwrap();
            copy(home.path("").as_path(), &folder.join(index.to_string()));
            copy(&home.config.data, &folder.join(index.to_string()).join("data"));
            configs.push(home.config.clone());
        }
        Self { cluster, account, configs, folder, _folder: keeper }
    }

    /// Copies a node's folder, its data to where `data` says, and gives how it would be started there.
    pub(crate) fn copy_node(&self, index: usize, folder: &std::path::Path) -> Config {
        let from = self.folder.join(index.to_string());
        copy(&from, folder);
        copy(&from.join("data"), &folder.join("data"));
        let config = self.configs[index].clone();
        let at = |path: &PathBuf| folder.join(path.file_name().unwrap());
        let mut copied = Config {
            data: folder.join("data"),
            genesis: at(&config.genesis),
            chains: Vec::new(),
            ..config.clone()
        };
        copied.member.key = at(&config.member.key);
        copied.member.passphrase = at(&config.member.passphrase);
        copied.enclave.passphrase = at(&config.enclave.passphrase);
        copied
    }

    /// The address of one of the key's accounts.
    pub(crate) fn address(&self, index: u32) -> Address {
        self.account.address(index).unwrap()
    }

    /// A node's name.
    pub(crate) fn node(index: usize) -> Name {
        name(&format!("node-{}", index + 1))
    }
}

/// A window that fills within a storm, beside those of the fixture.
pub(crate) fn narrowed(policy: &mut PolicyVersion) {
    policy.windows.push(Window {
        id: name("narrow"),
        keys: Vec::new(),
        chains: Vec::new(),
        destinations: vec![NARROW],
        measure: Measure::Asset { chain: CHAIN, asset: Asset::Native },
        per: Vec::new(),
        limit: Amount::from(NARROW_LIMIT),
        span_seconds: 86_400,
    });
    policy.windows.sort_by(|a, b| a.id.cmp(&b.id));
    // What waited for a thaw or a node is renewed within a storm.
    policy.timing.certificate_seconds = 20;
    let entry = AddressEntry { chain: CHAIN, address: NARROW, name: name("narrow"), usable_from: BIRTH };
    policy.address_book.push(entry);
    policy.address_book.sort_by_key(|entry| (entry.chain, entry.address));
}
