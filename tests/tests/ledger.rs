//! The ledger's own cases once more, on PostgreSQL: each on a database of its own in one private server.

#[macro_use]
#[path = "../../crates/keystead-ledger/tests/suite/mod.rs"]
mod suite;

use std::process::Command;

use keystead_tests::Postgres;
use keystead_tests::canary::Canaries;
use suite::cluster::Cluster;

macro_rules! on_postgres {
    ($($area:ident::$case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                suite::$area::$case(&Postgres::shared().new_database()).await;
            }
        )*
    };
}

every_case!(on_postgres);

/// Written from specs/log.md alone, in another language, without this project's code.
#[tokio::test]
async fn l1_the_second_implementation_recomputes_an_exported_log() {
    let mut cluster = Cluster::new();
    let ledger = suite::store::begun(&Postgres::shared().new_database(), &cluster).await;
    ledger.append((0..600).map(|_| cluster.tick()).collect()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    ledger.export(folder.path(), &cluster.checkpoint()).await.unwrap();
    let script = keystead_tests::root().join("specs/check_log.py");
    let run = || Command::new("python3").arg(&script).arg(folder.path()).output().unwrap();
    let output = run();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(&cluster.state.history().root().to_string()), "{said}");
    let tile = folder.path().join("tile/1/000.p/2");
    std::fs::write(&tile, vec![0; 64]).unwrap();
    assert!(!run().status.success());
}

/// Seals of many keys; those of the first are in no table any more once they are erased, and the others are where they were.
#[tokio::test]
async fn k05_an_erased_seal_is_in_no_table_of_postgresql() {
    let (server, cluster) = (Postgres::shared(), Cluster::new());
    let url = server.new_database();
    let ledger = suite::store::begun(&url, &cluster).await;
    let mixed = |it: u32| it.wrapping_mul(0x9e37_79b1);
    // Longer than a page, as a share is, and short, as a seed is.
    let seal = |key: u32, words: u32| {
        (0..words).flat_map(|it| mixed(key * 10_000 + it).to_be_bytes()).collect::<Vec<u8>>()
    };
    let seals = [(0, 4_000), (1, 80), (2, 4_000), (3, 80)].map(|(key, words)| seal(key, words));
    for (key, seal) in seals.iter().enumerate() {
        ledger.save_sealed_key(&format!("key-{key}").parse().unwrap(), 0, seal).await.unwrap();
    }
    let found = |seals: &[Vec<u8>], folder: &str| {
        let checkpoint = ["--no-psqlrc", "--quiet", "--command", "CHECKPOINT"];
        assert!(Command::new("psql").args(checkpoint).arg(&url).status().unwrap().success());
        let mut canaries = Canaries::default();
        for piece in seals.iter().flat_map(|it| it.chunks_exact(32)).step_by(7) {
            canaries.add("a seal", piece);
        }
        canaries.found_below(&server.data().join(folder), &|_| false).0.len()
    };
    assert!(found(&seals[..2], "base") > 0 && found(&seals[2..], "base") > 0, "they were there");
    for key in ["key-0", "key-1"] {
        assert_eq!(ledger.erase_sealed_key(&key.parse().unwrap()).await.unwrap(), 1);
    }
    // A transaction of that moment, as one of the server's own that looks at new tables, keeps rows: once more, as at a start.
    for _ in 0..MANY_TIMES {
        if found(&seals[..2], "base") == 0 {
            break;
        }
        ledger.write_seals_anew().await.unwrap();
    }
    assert_eq!(found(&seals[..2], "base"), 0);
    assert!(found(&seals[2..], "base") > 0);
    println!(
        "in what PostgreSQL wrote ahead: {} files with pieces of erased seals",
        found(&seals[..2], "pg_wal")
    );
    assert_eq!(ledger.count_sealed_keys().await.unwrap(), 2);
}

/// A dump that goes on stops nobody who erases; what it kept from being written anew is gone after the next start.
#[tokio::test]
async fn k05_a_table_of_seals_that_others_use_is_written_anew_later() {
    let url = Postgres::shared().new_database();
    let ledger = suite::store::begun(&url, &Cluster::new()).await;
    let (key, size) = ("hot".parse().unwrap(), "SELECT pg_relation_size('sealed_keys')");
    ledger.save_sealed_key(&key, 0, &[7; 200]).await.unwrap();
    let mut dump = suite::raw::Raw::connect(&url).await;
    dump.run("BEGIN").await.unwrap();
    dump.run("LOCK TABLE sealed_keys IN ACCESS SHARE MODE").await.unwrap();
    assert_eq!(ledger.erase_sealed_key(&key).await.unwrap(), 1);
    assert_ne!(dump.numbers(size).await, [0]);
    dump.run("ROLLBACK").await.unwrap();
    ledger.write_seals_anew().await.unwrap();
    assert_eq!(dump.numbers(size).await, [0]);
}

/// No transaction of the server's own outlives so many checkpoints.
const MANY_TIMES: usize = 100;
