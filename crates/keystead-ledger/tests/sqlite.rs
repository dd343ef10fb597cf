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
