//! `cargo xtask simulate`: runs seeds of the simulator and prints what they did and found.

use crate::step::{Failure, Step};

/// Builds the simulator and hands it the arguments.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    Step::new(&["cargo", "run", "--release", "--locked", "--quiet", "--package", "keystead-simulator", "--"])
        .with(arguments)
        .run()
}
