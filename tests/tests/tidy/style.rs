//! The shape of the sources: leading sentences, sizes, names, and what tests may not do.

use crate::assert_none;
use crate::sources::Source;

/// The longest file, without its test module.
const MAX_FILE_LINES: usize = 500;
/// The longest function, from its signature to its closing brace.
const MAX_FUNCTION_LINES: usize = 70;
/// How far above an `unsafe` its reason may start.
const MAX_SAFETY_DISTANCE: usize = 8;

/// Words that say nothing about what a file holds.
const EMPTY_NAMES: [&str; 8] = ["common", "helper", "helpers", "manager", "misc", "types", "util", "utils"];

fn all() -> Vec<Source> {
    Source::below(&["apart", "crates", "fixture", "fuzz", "simulator", "tests", "xtask"])
}

#[test]
fn each_file_starts_with_a_sentence() {
    let silent = |source: &Source| !source.lines().first().is_some_and(|line| line.starts_with("//! "));
    let findings = all().iter().filter(|source| silent(source)).map(|source| source.path.clone()).collect();
    assert_none("the first line is a `//!` sentence that says what the file holds", findings);
}

#[test]
fn files_hold_one_concept() {
    let long = |source: &Source| source.product_lines().len() > MAX_FILE_LINES;
    let named = |source: &Source| format!("{}: {}", source.path, source.product_lines().len());
    let findings = all().iter().filter(|source| long(source)).map(named).collect();
    assert_none("a file is longer than 500 lines", findings);
}

#[test]
fn functions_fit_on_a_screen() {
    let findings = all().iter().flat_map(long_functions).collect();
    assert_none("a function is longer than 70 lines", findings);
}

/// What stands behind the test module would escape the rules for product code.
#[test]
fn test_modules_stand_last() {
    let ends_early = |source: &&Source| {
        let behind = source.test_module().map(|at| source.lines().split_off(at));
        behind.is_some_and(|lines| lines.iter().position(|line| *line == "}") != Some(lines.len() - 1))
    };
    let findings = all().iter().filter(ends_early).map(|source| source.path.clone()).collect();
    assert_none("something follows the test module", findings);
}

#[test]
fn files_are_named_after_what_they_hold() {
    let stem = |source: &Source| {
        source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned()
    };
    let empty = |source: &&Source| EMPTY_NAMES.contains(&stem(source).as_str());
    let findings = all().iter().filter(empty).map(|source| source.path.clone()).collect();
    assert_none("a file's name says nothing", findings);
}

#[test]
fn each_unsafe_says_why_it_is_sound() {
    let findings = all().iter().flat_map(unexplained_unsafe).collect();
    assert_none("an `unsafe` without a SAFETY line above it", findings);
}

/// `==` ends at the first difference, and so tells how far a guess was right.
#[test]
fn k05_no_secret_is_compared_with_an_early_end() {
    let compares = |line: &str| {
        let code = code_of(line);
        code.contains(".expose()") && [" == ", " != ", ".eq(", ".cmp("].iter().any(|word| code.contains(word))
    };
    let findings = all().into_iter().filter(|source| source.path.starts_with("crates/") && !source.is_test());
    let findings = findings.flat_map(|source| {
        let lines = source.product_lines().into_iter().enumerate().filter(|(_, line)| compares(line));
        lines.map(|(at, _)| format!("{}:{}", source.path, at + 1)).collect::<Vec<_>>()
    });
    assert_none("a secret is compared by value: `ConstantTimeEq` does it", findings.collect());
}

#[test]
fn tests_neither_sleep_nor_hide() {
    let findings = all().iter().flat_map(forbidden_in_tests).collect();
    assert_none("a test waits by the clock, or is switched off", findings);
}

/// In formatted code a function ends at the first line that is its own indentation and a closing brace.
fn long_functions(source: &Source) -> Vec<String> {
    let lines = source.product_lines();
    let starts = lines.iter().enumerate().filter(|(_, line)| is_function_start(line));
    let lengths = starts.map(|(start, line)| (start, function_length(&lines[start..], indentation(line))));
    let long = lengths.filter(|(_, length)| *length > MAX_FUNCTION_LINES);
    long.map(|(start, length)| format!("{}:{}: {length}", source.path, start + 1)).collect()
}

fn is_function_start(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let before = words.iter().take_while(|word| **word != "fn").copied().collect::<Vec<_>>();
    let modifiers = ["async", "const", "extern", "unsafe", "\"C\""];
    before.len() < words.len()
        && before.iter().all(|word| word.starts_with("pub") || modifiers.contains(word))
}

fn function_length(lines: &[&str], indentation: usize) -> usize {
    let ends = |line: &&str| line.len() > indentation && self::indentation(line) == indentation;
    let closes =
        |line: &&str| ends(line) && (line.trim() == "}" || line.ends_with(';') || line.ends_with("{}"));
    if closes(&lines[0]) {
        return 1;
    }
    lines.iter().position(closes).map_or(lines.len(), |last| last + 1)
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn unexplained_unsafe(source: &Source) -> Vec<String> {
    let lines = source.product_lines();
    let is_explained = |at: usize| {
        let above = &lines[at.saturating_sub(MAX_SAFETY_DISTANCE)..=at];
        above.iter().any(|line| line.contains("SAFETY:") || line.contains("# Safety"))
    };
    let opens = |line: &str| {
        ["unsafe {", "unsafe impl", "unsafe fn", "unsafe extern"].iter().any(|it| code_of(line).contains(it))
    };
    let places = lines.iter().enumerate().filter(|(at, line)| opens(line) && !is_explained(*at));
    places.filter(|_| !source.is_test()).map(|(at, _)| format!("{}:{}", source.path, at + 1)).collect()
}

fn code_of(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn forbidden_in_tests(source: &Source) -> Vec<String> {
    if source.path.ends_with("tidy/style.rs") {
        return Vec::new();
    }
    let places =
        source.test_lines().into_iter().map(code_of).filter(|line| {
            ["#[ignore", "thread::sleep(", "time::sleep("].iter().any(|word| line.contains(word))
        });
    places.map(|line| format!("{}: {}", source.path, line.trim())).collect()
}

#[test]
fn function_lengths_are_counted_from_the_signature() {
    let text = [
        "    pub(crate) async fn a(",
        "        x: u8,",
        "    ) -> u8 {",
        "        x",
        "    }",
        "    fn b() {}",
    ];
    assert!(is_function_start(text[0]) && is_function_start(text[5]) && !is_function_start("let fn_ = 1;"));
    assert_eq!(function_length(&text, 4), 5);
    assert_eq!(function_length(&text[5..], 4), 1);
}
