//! The ledger's own cases once more, on PostgreSQL: each on a database of its own in one private server.

#[macro_use]
#[path = "../../crates/keystead-ledger/tests/suite/mod.rs"]
mod suite;

use std::process::Command;

use keystead_tests::Postgres;
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
