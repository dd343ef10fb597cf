//! `keystead descriptor`: what contracts' authors say of their bytes, checked and listed.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use keystead_words::{BUNDLED_SET, Descriptor, Library, descriptor_digest, join};
use serde_json::{Value, json};

use super::Global;
use crate::failure::{Advise as _, Failure};
use crate::output::Report;
use crate::table::Table;
use crate::{outside, reading};

/// Descriptors (ERC-7730) give the words that people read beside the effects that are read from the bytes. A set
/// for stablecoins, Permit2, Safe and Aave is part of this program. A file of one's own lies in the folder
/// `descriptors` beside keystead.toml, and is read for the contracts for which the policy in force names its digest.
#[derive(Debug, Subcommand)]
pub(crate) enum DescriptorCommand {
    /// Check a file, and print the lines for the contracts of a policy.
    ///
    /// Example: keystead descriptor check vault.json
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Join a file and those that it includes into one that stands alone, as a policy names it.
    ///
    /// Example: keystead descriptor join registry/vault.json --output vault.json
    Join {
        /// The file; names of included ones are paths from the file that includes them.
        file: PathBuf,
        /// The new file.
        #[arg(long)]
        output: PathBuf,
    },
    /// List the bundled set, and the files of the folder `descriptors`.
    ///
    /// Example: keystead descriptor list
    List,
}

pub(crate) fn run(global: &Global, command: DescriptorCommand) -> Result<Report, Failure> {
    match command {
        DescriptorCommand::Check { file } => check(&file),
        DescriptorCommand::Join { file, output } => joined(&file, &output),
        DescriptorCommand::List => Ok(list(&reading::library(&global.dir, global.language)?)),
    }
}

fn check(file: &Path) -> Result<Report, Failure> {
    let bytes = reading::descriptor(file)?;
    let text = String::from_utf8_lossy(&bytes);
    let descriptor = Descriptor::parse(&text).advise(MEND)?;
    let digest = descriptor_digest(&bytes);
    let entries: Vec<Value> = descriptor
        .deployments()
        .map(|(chain, address)| {
            json!({"chain": chain, "address": address, "name": "NAME", "kind": {"described": digest}})
        })
        .collect();
    let mut table = Table::pairs();
    table.pair("words of", descriptor.title()).pair("digest", digest);
    descriptor.described().for_each(|it| {
        table.pair("describes", it);
    });
    let lines: Vec<String> = entries.iter().map(ToString::to_string).collect();
    let next = match lines.is_empty() {
        true => "\nnext: name a contract in `deployments`; without one no policy can name it for any\n",
        false => "\nnext: `keystead policy propose` with one of these among its `contracts`:\n",
    };
    let json = json!({"digest": digest, "described": descriptor.described().collect::<Vec<_>>(), "contracts": entries});
    Ok(Report::new(json, format!("{}{next}{}\n", table.render(), lines.join("\n"))))
}

fn joined(file: &Path, output: &Path) -> Result<Report, Failure> {
    let text = String::from_utf8_lossy(&reading::descriptor(file)?).into_owned();
    // Where the file lies that was read last: what it includes is named from there.
    let folder = RefCell::new(file.parent().map(Path::to_owned).unwrap_or_default());
    let read = |name: &str| {
        let path = folder.borrow().join(name);
        let text = String::from_utf8(reading::descriptor(&path).ok()?).ok()?;
        folder.replace(path.parent().map(Path::to_owned).unwrap_or_default());
        Some(text)
    };
    let joined = join(&text, &read).advise("put the files side by side as they include one another")?;
    Descriptor::parse(&joined).advise(MEND)?;
    outside::create(output, joined.as_bytes())?;
    let next = format!("next: keystead descriptor check {}\n", output.display());
    Ok(Report::new(json!({"file": output, "digest": descriptor_digest(joined.as_bytes())}), next))
}

fn list(library: &Library) -> Report {
    let mut table = Table::new(&["descriptor", "words of", "describes"]);
    let mut listed = Vec::new();
    for (name, descriptor) in library.entries() {
        table.row([name.clone(), descriptor.title().to_owned(), descriptor.described().count().to_string()]);
        listed.push(json!({"descriptor": name, "described": descriptor.described().collect::<Vec<_>>()}));
    }
    Report::new(json!({"bundled_set": BUNDLED_SET, "descriptors": listed}), table.render())
}

const MEND: &str = "mend the file; specs/words.md says what is read";
