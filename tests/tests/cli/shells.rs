//! The completion scripts load in the shells that they are for.

use std::process::Command;

use keystead_tests::binary;

use crate::desk::path;

#[test]
fn completions_load_in_their_shells() {
    let home = tempfile::tempdir().unwrap();
    for (shell, program, check) in [
        (
            "bash",
            "bash",
            "source FILE && complete -p keystead && COMP_WORDS=(keystead req) COMP_CWORD=1 && _keystead keystead req keystead && echo \"${COMPREPLY[@]}\"",
        ),
        (
            "zsh",
            "zsh",
            "autoload -U compinit && compinit -D -u && source FILE && echo ${_comps[keystead]} && whence -w _keystead && echo request",
        ),
        ("fish", "fish", "source FILE; complete -C 'keystead req'"),
    ] {
        let output = Command::new(binary("keystead")).args(["completions", shell]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let file = home.path().join(shell);
        std::fs::write(&file, &output.stdout).unwrap();
        let mut command = Command::new(program);
        // No file of whoever runs the tests changes what a fresh shell does.
        command.env("HOME", home.path()).args(["-c", &check.replace("FILE", path(&file))]);
        let loaded = command
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}; cargo xtask test installs it"));
        assert!(loaded.status.success(), "{shell}: {loaded:?}");
        assert!(String::from_utf8_lossy(&loaded.stdout).contains("request"), "{shell}: {loaded:?}");
    }
}
