//! Tokens that go, under load and without, and come back.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use keystead_base::{Coded as _, Secret};
use keystead_homes::{Home as _, Label, Pool, ProcessHome, PublicKey, Scheme, ToSign};

use crate::Test;
use crate::conformance::{digest, verifies};
use crate::tokens::{LABELS, Maker, apart, curve, folder, label, maker};

pub(crate) const TESTS: &[Test] = &[
    ("d01_a_token_that_is_gone_is_said_and_found_again", gone),
    ("d01_a_process_that_is_killed_is_started_again", killed),
    ("d01_one_of_three_tokens_is_killed_under_load_and_no_request_fails", under_load),
    ("d01_a_group_without_homes_says_so", nobody),
    ("s07_a_home_that_signs_as_another_key_is_passed_over", another),
    ("d01_a_question_that_is_too_long_takes_no_process_out", too_long),
];

/// The folder or file that a token is kept in. SoftHSM's folders are found by what they hold.
fn backing(token: &str) -> PathBuf {
    if maker() == Maker::Kryoptic {
        let number = LABELS.iter().position(|it| *it == token).unwrap();
        return folder().join("tokens").join(format!("{number}.sql"));
    }
    let mut folders = fs::read_dir(folder().join("tokens")).unwrap().map(|it| it.unwrap().path());
    let holds = |it: &PathBuf| {
        let bytes = fs::read(it.join("token.object")).unwrap_or_default();
        bytes.windows(token.len()).any(|window| window == token.as_bytes())
    };
    folders.find(holds).unwrap()
}

fn gone() {
    let home = apart("away");
    let key = label("away/key");
    let public = home.generate(&key, curve()).unwrap();
    let (place, aside) = (backing("away"), folder().join("aside"));
    fs::rename(&place, &aside).unwrap();
    // What the module still remembers may answer at first; it never answers wrongly, and in the end it says it.
    let last = (0..50).map(|_| home.sign(&key, ToSign::Digest(&digest(1)))).last().unwrap();
    if let Ok(signature) = &last {
        assert!(verifies(&public, 1, signature));
    }
    drop(home);
    let home = apart("away");
    let refused = home.sign(&key, ToSign::Digest(&digest(1))).unwrap_err();
    assert!(["home.lost", "home.no_token"].contains(&refused.code()), "{refused}");
    assert!(refused.to_string().contains("away"), "{refused}");
    fs::rename(&aside, &place).unwrap();
    // The same process, which nobody started again.
    let signature = home.sign(&key, ToSign::Digest(&digest(2)));
    assert!(signature.is_ok_and(|it| verifies(&public, 2, &it)), "it is found again");
    home.destroy(&key).unwrap();
}

fn too_long() {
    let home = apart("away");
    let key = label("away/long");
    home.generate(&key, Scheme::Ed25519).unwrap();
    let process = home.id();
    let refused = home.sign(&key, ToSign::Message(&[1; 70_000])).unwrap_err();
    assert_eq!((refused.code(), home.id()), ("home.too_long", process));
    assert!(home.sign(&key, ToSign::Message(&[1; 1_000])).is_ok());
    home.destroy(&key).unwrap();
}

/// A key that each home of a group has: born in one and sent, or imported where none is sent.
fn in_all(pool: &Pool<ProcessHome>, key: &Label) -> PublicKey {
    match pool.abilities().unwrap().sends {
        true => pool.generate(key, curve()).unwrap(),
        false => pool.import(key, curve(), &Secret::new([7; 32])).unwrap(),
    }
}

fn kill(home: &ProcessHome) {
    let id = home.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-9", &id]).status().unwrap().success());
}

fn killed() {
    let home = apart("away");
    let key = label("killed/key");
    let public = home.generate(&key, curve()).unwrap();
    kill(&home);
    let refused = home.sign(&key, ToSign::Digest(&digest(1))).unwrap_err();
    assert_eq!(refused.code(), "home.lost");
    let signature = home.sign(&key, ToSign::Digest(&digest(1))).unwrap();
    assert!(verifies(&public, 1, &signature));
    home.destroy(&key).unwrap();
}

fn under_load() {
    let pool =
        Pool::new("the tokens", ["one", "two", "three"].map(apart).into()).unwrap().after(Duration::ZERO);
    let key = label("load/key");
    let public = in_all(&pool, &key);
    let before: Vec<u64> = pool.members().iter().map(|it| it.answered).collect();
    let (done, stop) = (AtomicU32::new(0), AtomicBool::new(false));
    let failed = Mutex::new(Vec::new());
    let at = |count: u32| {
        while done.load(Ordering::Relaxed) < count && !stop.load(Ordering::Relaxed) {
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let number = done.fetch_add(1, Ordering::Relaxed);
                    match pool.sign(&key, ToSign::Digest(&digest(number))) {
                        Ok(signature) if verifies(&public, number, &signature) => {}
                        other => {
                            failed.lock().unwrap().push(other);
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        at(300);
        let shares: Vec<u64> =
            pool.members().iter().zip(&before).map(|(it, was)| it.answered - was).collect();
        if shares.iter().any(|it| *it < 30) {
            stop.store(true, Ordering::Relaxed);
            panic!("the load is not shared: {shares:?}");
        }
        // Each of them in its turn; never two at once.
        for (turn, home) in pool.homes().enumerate() {
            if home.id().is_some() {
                kill(home);
            }
            at(300 + 200 * (turn as u32 + 1));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(failed.lock().unwrap().is_empty(), "no request fails: {failed:?}");
    // Whoever was killed last and not asked since is started by the next question.
    pool.homes().for_each(|home| drop(home.public(&key)));
    pool.destroy(&key).unwrap();
}

/// Each home's signature is good for the key that it says it is; one of them holds another key than was born there.
fn another() {
    let key = label("another/key");
    let homes = ["one", "two"].map(apart);
    let publics: Vec<_> = homes
        .iter()
        .zip([3, 4])
        .map(|(home, secret)| home.import(&key, curve(), &Secret::new([secret; 32])).unwrap())
        .collect();
    let pool = Pool::new("the tokens", homes.into()).unwrap().after(Duration::ZERO);
    for number in 0..6 {
        let signature = pool.sign_as(&key, &publics[1], ToSign::Digest(&digest(number))).unwrap();
        assert!(verifies(&publics[1], number, &signature));
    }
    let lost: Vec<_> = pool.members().into_iter().map(|it| it.lost.map(|error| error.code())).collect();
    assert_eq!(lost, [Some("home.unverified"), None]);
    // It is there, which says nothing of the key that it signs with.
    pool.check();
    assert!(pool.members()[0].lost.is_some());
    pool.destroy(&key).unwrap();
}

fn nobody() {
    assert_eq!(Pool::<ProcessHome>::new("nobody", Vec::new()).map(drop).unwrap_err().code(), "home.cannot");
    let pool = Pool::new("the tokens", ["one", "two"].map(apart).into()).unwrap();
    let key = label("nobody/key");
    in_all(&pool, &key);
    pool.homes().for_each(kill);
    let refused = pool.sign(&key, ToSign::Digest(&digest(1))).unwrap_err();
    assert_eq!(refused.code(), "home.lost");
    assert!(pool.members().iter().all(|it| it.lost.is_some()));
    let refused = pool.sign(&key, ToSign::Digest(&digest(1))).unwrap_err();
    assert_eq!(refused.code(), "home.lost", "the pause is not over, and it is still said");
}
