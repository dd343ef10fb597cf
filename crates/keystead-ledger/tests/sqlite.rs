//! All cases on SQLite, each on a file of its own.

#[macro_use]
mod suite;

macro_rules! on_sqlite {
    ($($area:ident::$case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
                suite::$area::$case(&url).await;
            }
        )*
    };
}

every_case!(on_sqlite);

/// What a share leaves in the file once it was erased: it is longer than a seed by far, and lies on pages of its own.
#[tokio::test]
async fn k05_an_erased_share_leaves_no_piece_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (file, cluster) = (folder.path().join("ledger.db"), suite::cluster::Cluster::new());
    let url = format!("sqlite:{}", file.display());
    let ledger = keystead_ledger::Ledger::open(&url).await.unwrap();
    ledger.begin(&cluster.genesis).await.unwrap();
    let share: Vec<u8> = (0..60_000_u32).flat_map(|it| it.wrapping_mul(0x9e37_79b1).to_be_bytes()).collect();
    let (key, kept) = ("hot".parse().unwrap(), "kept".parse().unwrap());
    ledger.save_sealed_key(&key, 0, &share).await.unwrap();
    ledger.save_sealed_key(&key, 1, &share[1..]).await.unwrap();
    ledger.save_sealed_key(&kept, 0, b"kept").await.unwrap();
    ledger.close().await;
    let pieces = || {
        let bytes = std::fs::read(&file).unwrap();
        let found = |piece: &&[u8]| bytes.windows(piece.len()).any(|it| it == *piece);
        share.chunks_exact(32).step_by(997).filter(found).count()
    };
    assert!(pieces() > 0, "it was there");
    let ledger = keystead_ledger::Ledger::open(&url).await.unwrap();
    ledger.erase_sealed_epoch(&key, 0).await.unwrap();
    ledger.erase_sealed_key(&key).await.unwrap();
    ledger.close().await;
    assert_eq!(pieces(), 0);
}

/// Seals of hundreds of keys, as short as those of seeds: rows that move from page to page as others come between them.
/// Nobody closes the ledger, and somebody reads.
#[tokio::test]
async fn k05_an_erased_seal_is_in_no_file_of_an_open_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = suite::cluster::Cluster::new();
    let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
    let ledger = keystead_ledger::Ledger::open(&url).await.unwrap();
    ledger.begin(&cluster.genesis).await.unwrap();
    let mixed = |it: u32| it.wrapping_mul(0x9e37_79b1);
    let seal = |key: u32| (0..100).flat_map(|it| mixed(key * 100 + it).to_be_bytes()).collect::<Vec<u8>>();
    let names: Vec<_> = (0..300).map(|it| format!("key-{:08x}", mixed(it)).parse().unwrap()).collect();
    for (key, name) in (0..).zip(&names) {
        ledger.save_sealed_key(name, 0, &seal(key)).await.unwrap();
    }
    let found = || {
        let files: Vec<Vec<u8>> =
            folder.path().read_dir().unwrap().map(|it| std::fs::read(it.unwrap().path()).unwrap()).collect();
        let stands: std::collections::HashSet<&[u8]> = files.iter().flat_map(|it| it.windows(32)).collect();
        (0..300).filter(|key| seal(*key).chunks_exact(32).any(|piece| stands.contains(piece))).count()
    };
    assert_eq!(found(), 300, "they were there");
    for name in &names {
        assert_eq!(ledger.erase_sealed_key(name).await.unwrap(), 1);
        assert_eq!(ledger.sealed_keys(None).await.unwrap().iter().find(|it| it.0 == *name), None);
    }
    assert_eq!(found(), 0);
    ledger.close().await;
}
