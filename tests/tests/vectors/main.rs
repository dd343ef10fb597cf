//! Public vectors through the product's own paths, with the counts printed: passed, must-reject passed, not
//! covered and why.

mod ethers;
mod halves;
mod slip39;
mod tally;
