//! Modules of this process: each is loaded and initialized once, however many of its tokens are used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::slot::Slot;

use super::fault::told;
use crate::HomeError;

static MODULES: Mutex<BTreeMap<PathBuf, Arc<Pkcs11>>> = Mutex::new(BTreeMap::new());

/// The module, initialized. With `anew`, and where nobody else uses it, it is initialized once more: it finds tokens then that
/// came back, or came late.
pub(crate) fn module(path: &Path, anew: bool) -> Result<Arc<Pkcs11>, HomeError> {
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = modules.remove(path) {
        match Arc::try_unwrap(known) {
            Ok(alone) if anew => {
                // One that refuses to end is loaded anew all the same.
                let _ended = alone.finalize();
            }
            Ok(alone) => return Ok(keep(&mut modules, path, Arc::new(alone))),
            Err(shared) => return Ok(keep(&mut modules, path, shared)),
        }
    }
    let failed = |reason: String| HomeError::Module { module: path.display().to_string(), reason };
    let context = Pkcs11::new(path).map_err(|error| failed(error.to_string()))?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(failed(error.to_string())),
    }
    Ok(keep(&mut modules, path, Arc::new(context)))
}

fn keep(modules: &mut BTreeMap<PathBuf, Arc<Pkcs11>>, path: &Path, module: Arc<Pkcs11>) -> Arc<Pkcs11> {
    modules.insert(path.to_owned(), Arc::clone(&module));
    module
}

/// The slot that the token with this label is in now.
pub(crate) fn slot(module: &Pkcs11, label: &str, home: &str) -> Result<Slot, HomeError> {
    let slots =
        module.get_slots_with_initialized_token().map_err(|error| told(home, "list its slots", &error))?;
    let named =
        slots.into_iter().filter_map(|it| Some((it, module.get_token_info(it).ok()?.label().to_owned())));
    let named: Vec<(Slot, String)> = named.collect();
    let mut found = named.iter().filter(|(_, it)| it == label);
    match (found.next(), found.next()) {
        (Some((slot, _)), None) => Ok(*slot),
        (Some(_), Some(_)) => Err(HomeError::Ambiguous { home: home.to_owned(), label: label.to_owned() }),
        (None, _) => {
            let labels: Vec<&str> = named.iter().map(|(_, it)| it.as_str()).collect();
            let found = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
            Err(HomeError::NoToken { label: label.to_owned(), found })
        }
    }
}
