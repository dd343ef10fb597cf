//! NEAR by the real program: what is read offline, and what is refused before anybody is asked.

use crate::script::{Script, fails, ok};

/// What is read offline, and what a key of another scheme is told.
pub(crate) fn each_command(script: &mut Script) {
    script.play([
        ok("ana", "near destination bob.testnet --network testnet --method ft_transfer").has("/selector", "0x"),
        ok("ana", "near destination code:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 --network testnet").has("/id", "0x"),
        fails("ana", "near inspect {tmp}/nothing --network testnet", "cli.file"),
        fails("ana", "request near {tmp}/nothing --key hot --network testnet", "cli.file"),
        fails(
            "ana",
            "request near-transfer --key hot --network testnet --from us.testnet --to bob.testnet --yocto 5 --nonce 1 --block 7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv",
            "near.no_key",
        ),
    ]);
}
