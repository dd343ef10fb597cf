//! The catalogue of attacks, the folder of plays, both programs and SECURITY.md name the same.

use keystead_tests::attacks::CATALOGUE;
use keystead_tests::root;

#[test]
fn the_catalogue_is_what_the_folder_holds() {
    let folder = root().join("tests/src/attacks");
    let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = files.filter_map(|it| Some(it.strip_suffix(".rs")?.to_owned())).collect();
    names.retain(|name| name != "mod");
    names.sort();
    assert_eq!(names, CATALOGUE);
}

/// Both binaries play the same attacks: this one with the controls, the other without.
#[test]
fn each_attack_of_the_catalogue_has_its_control_and_its_twin() {
    let controls = [
        include_str!("../attacks.rs"),
        include_str!("backups.rs"),
        include_str!("devices.rs"),
        include_str!("life.rs"),
        include_str!("shares.rs"),
    ];
    let twins = [include_str!("../attack_twins.rs"), include_str!("../attack_twins/shares.rs")];
    for source in [controls.concat(), twins.concat()] {
        // Some are played with a kind of key: `attack::<Ecdsa>(`.
        let played =
            |name: &str| ["(", "::<"].iter().any(|it| source.contains(&format!("{name}::attack{it}")));
        let is_missing = |name: &&&str| !played(name);
        let missing: Vec<_> = CATALOGUE.iter().filter(is_missing).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

/// SECURITY.md names every attack's twin, or the function that takes its place, and none that is not there.
#[test]
fn security_md_names_the_twins_that_exist() {
    let page = std::fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let quoted: Vec<_> = page.split('`').filter_map(|word| word.split_once("::")).collect();
    for name in CATALOGUE {
        let source = std::fs::read_to_string(root().join(format!("tests/src/attacks/{name}.rs"))).unwrap();
        let twins: Vec<_> = quoted.iter().filter(|(module, _)| *module == name).collect();
        assert!(!twins.is_empty(), "SECURITY.md names no twin of {name}");
        let exists = |twin: &str| {
            let forms = [
                format!("struct {twin};"),
                format!("fn {twin}("),
                format!("fn {twin}<"),
                format!(" as {twin};"),
            ];
            forms.map(|it| source.contains(&it))
        };
        assert!(twins.iter().all(|(_, twin)| exists(twin).contains(&true)), "{name}: {twins:?}");
    }
}
