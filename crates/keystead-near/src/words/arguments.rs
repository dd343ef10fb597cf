//! The arguments of a call that nobody here understands: the bytes themselves, for whoever has to say yes to them.

use keystead_intent::is_plain;
use keystead_speech::{Language, Phrase, grouped};

use crate::intents;

/// Text as it stands, and other bytes in hex; beyond [`SHOWN`] letters the SHA-256 stands for the rest. It is not read as JSON: what a
/// contract makes of a field that is there twice nobody knows.
pub(super) fn say(language: Language, args: &[u8]) -> String {
    if args.is_empty() {
        return language.say(&Phrase::NearNoArguments {});
    }
    let bytes = &grouped(u64::try_from(args.len()).unwrap_or(u64::MAX));
    let (said, letters) = match str::from_utf8(args) {
        Ok(text) => {
            let letters = text.chars().map(letter);
            (language.say(&Phrase::NearArguments { bytes, text: &shown(letters) }), text.chars().count())
        }
        Err(_) => {
            let hex = &shown(args.iter().map(|it| format!("{it:02x}")));
            (language.say(&Phrase::NearArgumentsInHex { bytes, hex }), args.len())
        }
    };
    match letters > SHOWN {
        true => {
            said + &language.say(&Phrase::NearMoreArguments { hash: &format!("{:x}", intents::hash(args)) })
        }
        false => said,
    }
}

fn shown(letters: impl Iterator<Item = String>) -> String {
    letters.take(SHOWN).collect()
}

/// INVARIANT S2: no letter turns a line, hides, or moves what stands beside it.
fn letter(it: char) -> String {
    match is_plain(it) && !it.is_control() {
        true => it.to_string(),
        false => it.escape_unicode().to_string(),
    }
}

/// Letters of text, or bytes: a screen of them.
const SHOWN: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s02_arguments_are_shown_as_they_stand_and_hide_nothing() {
        let say = |args: &[u8]| say(Language::English, args);
        let twice = r#"{"receiver_id":"bob.near","amount":"1","amount":"9"}"#;
        assert!(say(twice.as_bytes()).ends_with(&format!("52 bytes: {twice}")), "{}", say(twice.as_bytes()));
        let turned = say("a\n\u{202e}b\u{1b}[2K".as_bytes());
        assert!(turned.ends_with(r"a\u{a}\u{202e}b\u{1b}[2K"), "{turned}");
        assert!(say(&[0xff, 0, 7]).ends_with("3 bytes that are no text: ff0007"), "{}", say(&[0xff, 0, 7]));
        assert_eq!(say(b""), "No arguments");
    }

    #[test]
    fn s02_of_long_arguments_the_hash_stands_for_the_rest() {
        let long = |last: &str| say(Language::English, ("x".repeat(SHOWN) + last).as_bytes());
        let (one, other) = (long("1"), long("2"));
        assert!(one.contains("2 001 bytes") && one.contains("SHA-256") && one != other, "{one}");
        assert!(!say(Language::English, "é".repeat(SHOWN).as_bytes()).contains("SHA-256"));
    }
}
