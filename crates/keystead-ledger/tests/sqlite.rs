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
