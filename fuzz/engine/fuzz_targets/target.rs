//! One program for every target: `KEYSTEAD_FUZZ` names the parser that it feeds.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use keystead_fuzz::{Target, target};
use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<&Target> = OnceLock::new();

fuzz_target!(
    init: {
        let name = std::env::var("KEYSTEAD_FUZZ").unwrap_or_default();
        let chosen = target(&name).unwrap_or_else(|| panic!("no target is called {name:?}"));
        if let Some(folder) = std::env::var_os("KEYSTEAD_CORPUS") {
            write_seeds(chosen, Path::new(&folder));
        }
        TARGET.get_or_init(|| chosen);
    },
    |data: &[u8]| {
        if let Some(chosen) = TARGET.get() {
            (chosen.run)(data);
        }
    }
);

/// The seeds as files, which is how libFuzzer takes them.
fn write_seeds(target: &Target, folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder for the corpus");
    for (place, seed) in (target.seeds)(target.name).iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{place}")), seed).expect("a file of the corpus");
    }
}
