//! What people rolled for a key, in the folder of the node that is to be its home, until the key is born.

use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use keystead_base::Name;
use keystead_signing::{ClientError, Refusal, Rolls, Source};

use crate::NodeError;

/// The folder `rolls` in a node's data: `hot.dice` and `hot.coins` are for the key `hot`.
#[derive(Clone, Debug)]
pub(crate) struct RollsFolder(PathBuf);

impl RollsFolder {
    pub(crate) fn new(data: &Path) -> Self {
        Self(data.join(ROLLS_FOLDER))
    }

    /// What lies there for a key, each source in its order.
    ///
    /// # Errors
    ///
    /// A file that cannot be read refuses the ceremony: whoever rolled is not to get a key without their rolls.
    pub(crate) fn read(&self, key: &Name) -> Result<Vec<Rolls>, NodeError> {
        let mut all = Vec::new();
        for (source, path) in self.paths(key) {
            match read(&path) {
                Ok(text) => all.push(Rolls { source, text }),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    let text = format!(
                        "{}: {error}; write the rolls anew, and ask for the key again",
                        path.display()
                    );
                    let refusal = Refusal { code: "entropy.rolls".to_owned(), text };
                    return Err(NodeError::Enclave(ClientError::Refused(refusal)));
                }
            }
        }
        Ok(all)
    }

    /// The key is born and sealed: its rolls are overwritten and gone, as far as a disk forgets.
    pub(crate) fn forget(&self, key: &Name) -> Result<(), NodeError> {
        for (_, path) in self.paths(key) {
            if path.exists() {
                erase(&path).map_err(|error| NodeError::File { path, error })?;
            }
        }
        Ok(())
    }

    fn paths(&self, key: &Name) -> [(Source, PathBuf); 2] {
        [Source::Dice, Source::Coins].map(|it| (it, self.0.join(format!("{key}.{it}"))))
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::with_capacity(MAX_ROLLS_BYTES);
    std::fs::File::open(path)?.take(MAX_ROLLS_BYTES as u64).read_to_string(&mut text)?;
    Ok(text)
}

fn erase(path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
    let length = file.metadata()?.len();
    file.rewind()?;
    std::io::copy(&mut std::io::repeat(0).take(length), &mut file)?;
    file.flush()?;
    file.sync_all()?;
    std::fs::remove_file(path)
}

/// In a node's data folder.
pub const ROLLS_FOLDER: &str = "rolls";
/// More than the 4,096 symbols that are taken, with blanks between.
const MAX_ROLLS_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_are_read_for_their_key_alone_and_forgotten_once_it_is_born() {
        let data = tempfile::tempdir().unwrap();
        let folder = RollsFolder::new(data.path());
        let [hot, cold] = ["hot", "cold"].map(|it| it.parse::<Name>().unwrap());
        assert!(folder.read(&hot).unwrap().is_empty(), "no folder, no rolls");
        std::fs::create_dir(data.path().join(ROLLS_FOLDER)).unwrap();
        let file = |name: &str| data.path().join(ROLLS_FOLDER).join(name);
        std::fs::write(file("hot.coins"), "ht").unwrap();
        std::fs::write(file("hot.dice"), "123").unwrap();
        let found = folder.read(&hot).unwrap();
        let named: Vec<_> = found.iter().map(|it| (it.source, it.text.as_str())).collect();
        assert_eq!(named, [(Source::Dice, "123"), (Source::Coins, "ht")]);
        assert!(folder.read(&cold).unwrap().is_empty());
        folder.forget(&hot).unwrap();
        assert!(folder.read(&hot).unwrap().is_empty());
        std::fs::create_dir(file("hot.dice")).unwrap();
        assert!(
            matches!(folder.read(&hot), Err(NodeError::Enclave(ClientError::Refused(_)))),
            "fails closed"
        );
    }
}
