//! The descriptors that a client has: the set that is part of the program, and files that the signed policy names.

use std::collections::BTreeMap;

use alloy_primitives::{Address, TxKind, U256};
use keystead_base::Digest;
use keystead_chain::typed_data::Document;
use keystead_chain::{Speaker, Transaction, Unsigned};
use keystead_intent::{AssetIndex, AssetKind, ChainId, ContractKind};
use keystead_speech::{Language, Phrase};

use crate::descriptor::object;
use crate::language::Catalogue;
use crate::render::{Call, Scene};
use crate::{Descriptor, DescriptorError, abi, descriptor_digest, value};

/// The number of the bundled set; another set has another number.
pub const BUNDLED_SET: u32 = 2;

/// The most lines of one payload, calls in calls included.
const MAX_LINES: usize = 1024;

/// A file of the bundled set.
struct Bundled {
    name: &'static str,
    text: &'static str,
    /// Kinds of contracts that it is for wherever the signed registry lists one: the registry knows a Safe's proxy
    /// and every other token, no list of deployments does.
    kinds: &'static [ContractKind],
}

const TOKENS: &[ContractKind] = &[ContractKind::Token(AssetKind::Fungible)];

/// In the order in which they are asked: what is for one contract comes before what is for a kind.
const BUNDLE: &[Bundled] = &[
    bundled("usdc.json", include_str!("../descriptors/usdc.json"), &[]),
    bundled("usdc-signed.json", include_str!("../descriptors/usdc-signed.json"), &[]),
    bundled("usdt.json", include_str!("../descriptors/usdt.json"), &[]),
    bundled("dai.json", include_str!("../descriptors/dai.json"), &[]),
    bundled("dai-signed.json", include_str!("../descriptors/dai-signed.json"), &[]),
    bundled("aave-v3-pool.json", include_str!("../descriptors/aave-v3-pool.json"), &[]),
    bundled("permit2.json", include_str!("../descriptors/permit2.json"), &[ContractKind::Permit2]),
    bundled(
        "permit2-signed.json",
        include_str!("../descriptors/permit2-signed.json"),
        &[ContractKind::Permit2],
    ),
    bundled("safe.json", include_str!("../descriptors/safe.json"), &[ContractKind::Safe]),
    bundled("safe-signed.json", include_str!("../descriptors/safe-signed.json"), &[ContractKind::Safe]),
    bundled("erc20.json", include_str!("../descriptors/erc20.json"), TOKENS),
    bundled("erc20-signed.json", include_str!("../descriptors/erc20-signed.json"), TOKENS),
];

const fn bundled(name: &'static str, text: &'static str, kinds: &'static [ContractKind]) -> Bundled {
    Bundled { name, text, kinds }
}

/// One hash over the bundled set: names, texts and translations.
#[cfg(test)]
pub(crate) fn bundled_digest() -> Digest {
    let languages = [("de.json", include_str!("../languages/de.json"))];
    let files = BUNDLE.iter().map(|it| (it.name, it.text)).chain(languages);
    let list: String =
        files.map(|(name, text)| format!("{name} {}\n", descriptor_digest(text.as_bytes()))).collect();
    descriptor_digest(list.as_bytes())
}

/// Descriptors, and the language that their words are said in.
#[derive(Clone, Debug)]
pub struct Library {
    bundled: Vec<(&'static str, &'static [ContractKind], Descriptor)>,
    own: BTreeMap<Digest, Descriptor>,
    catalogue: Catalogue,
    language: Language,
}

/// A descriptor that is for a contract, or why there is none.
pub(crate) enum Match<'l> {
    Bundled(&'static str, &'l Descriptor),
    Own(Digest, &'l Descriptor),
    /// The policy names one, and no file here has that digest, or the file is for other contracts.
    Missing(Digest),
    Nothing,
}

impl Library {
    /// The bundled set in a language.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`] where a file of the set is none; a test reads all of them.
    pub fn bundled(language: Language) -> Result<Self, DescriptorError> {
        let set = |name: &str| BUNDLE.iter().find(|it| it.name == name).and_then(|it| object(it.text).ok());
        let read = |it: &'static Bundled| Ok((it.name, it.kinds, Descriptor::parse_in(it.text, &set)?));
        let bundled = BUNDLE.iter().map(read).collect::<Result<_, DescriptorError>>()?;
        Ok(Self { bundled, own: BTreeMap::new(), catalogue: Catalogue::of(language), language })
    }

    /// Takes a file in. It is used only for contracts for which the signed policy names its digest.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`] where it is no descriptor that stands alone.
    pub fn add(&mut self, bytes: &[u8]) -> Result<Digest, DescriptorError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| DescriptorError::Json { reason: error.to_string() })?;
        let digest = descriptor_digest(bytes);
        self.own.insert(digest, Descriptor::parse(text)?);
        Ok(digest)
    }

    /// The bundled descriptors by the names of their files, then one's own by their digests.
    pub fn entries(&self) -> impl Iterator<Item = (String, &Descriptor)> {
        let bundled = self.bundled.iter().map(|(name, _, it)| ((*name).to_owned(), it));
        bundled.chain(self.own.iter().map(|(digest, it)| (digest.to_string(), it)))
    }

    /// What descriptors say of a payload; nothing where none is for it.
    ///
    /// Each line but headings begins with `>`, so that none can pass for a sentence of ours.
    #[must_use]
    pub fn words(&self, unsigned: &Unsigned, speaker: &Speaker<'_>) -> Vec<String> {
        let lines = self.all_words(unsigned, speaker);
        match lines.first().filter(|_| lines.len() > MAX_LINES) {
            Some(heading) => vec![heading.clone(), format!("> {}", self.phrase(Phrase::TooLong {}))],
            None => lines,
        }
    }

    fn all_words(&self, unsigned: &Unsigned, speaker: &Speaker<'_>) -> Vec<String> {
        match (unsigned.transaction(), unsigned.typed_data()) {
            (Some(transaction), _) => call_of(unsigned, transaction)
                .map(|call| self.call_words(&call, speaker, 0))
                .unwrap_or_default(),
            (None, Some(document)) => self.message_words(unsigned, document, speaker),
            (None, None) => Vec::new(),
        }
    }

    /// The words of one call; `depth` says how many calls it stands in.
    pub(crate) fn call_words(&self, call: &Call<'_>, speaker: &Speaker<'_>, depth: usize) -> Vec<String> {
        let Some(selector) = call.data.first_chunk::<4>() else { return Vec::new() };
        let known = |it: &Descriptor| it.call(*selector).is_some();
        let found = self.find(speaker.registry(), speaker.chain(), call.to, &known);
        let Some((heading, descriptor, bundled)) = self.heading(&found) else { return Vec::new() };
        let Some((descriptor, (function, shown))) = descriptor.and_then(|it| Some((it, it.call(*selector)?)))
        else {
            return vec![heading];
        };
        let words = match abi::decode(&function.parts, call.data.get(4..).unwrap_or_default()) {
            Some(data) => Scene::new(self, speaker, descriptor, bundled, call, data, depth).lines(shown),
            None => {
                vec![format!("> {}", self.phrase(Phrase::MalformedCall {}))]
            }
        };
        [vec![heading], words].concat()
    }

    fn message_words(&self, unsigned: &Unsigned, document: &Document, speaker: &Speaker<'_>) -> Vec<String> {
        let Some(contract) = document.domain().verifying_contract else { return Vec::new() };
        let known = |it: &Descriptor| it.message(document).is_some() && it.admits(document.domain());
        let found = self.find(speaker.registry(), speaker.chain(), contract, &known);
        let Some((heading, descriptor, bundled)) = self.heading(&found) else { return Vec::new() };
        let described = descriptor.and_then(|it| {
            let (kind, shown) = it.message(document)?;
            Some((it, shown, value::message(kind, document)?))
        });
        let Some((descriptor, shown, data)) = described else { return vec![heading] };
        let call = Call { from: unsigned.account(), to: contract, value: U256::ZERO, data: &[] };
        let words = Scene::new(self, speaker, descriptor, bundled, &call, data, 0).lines(shown);
        [vec![heading], words].concat()
    }

    /// What the signed policy names comes before what is part of the program.
    fn find(
        &self,
        registry: &AssetIndex,
        chain: ChainId,
        contract: Address,
        known: &dyn Fn(&Descriptor) -> bool,
    ) -> Match<'_> {
        let binds = |it: &Descriptor| it.is_deployed_at(chain, contract) || it.names_its_verifier();
        if let Some(ContractKind::Described(digest)) = registry.contract(chain, contract).map(|it| it.kind) {
            return match self.own.get(&digest).filter(|it| binds(it)) {
                Some(descriptor) if known(descriptor) => Match::Own(digest, descriptor),
                Some(_) => Match::Nothing,
                None => Match::Missing(digest),
            };
        }
        let kind = registry.kind(chain, contract);
        let mut bundled = self.bundled.iter().filter(|(_, kinds, it)| {
            let listed = it.is_deployed_at(chain, contract) || kind.is_some_and(|kind| kinds.contains(&kind));
            listed && known(it)
        });
        bundled.next().map_or(Match::Nothing, |(name, _, it)| Match::Bundled(name, it))
    }

    /// Whose words they are, and whether they are of the bundled set.
    fn heading<'l>(&self, found: &Match<'l>) -> Option<(String, Option<&'l Descriptor>, bool)> {
        match found {
            Match::Nothing => None,
            Match::Bundled(name, it) => {
                let (title, set) = (&it.title, &BUNDLED_SET.to_string());
                Some((self.phrase(Phrase::WordsOfBundled { title, set, name }), Some(it), true))
            }
            Match::Own(digest, it) => {
                let (title, digest) = (&it.title, &digest.to_string());
                Some((self.phrase(Phrase::WordsOfOwn { title, digest }), Some(it), false))
            }
            Match::Missing(digest) => {
                Some((self.phrase(Phrase::DescriptorMissing { digest: &digest.to_string() }), None, false))
            }
        }
    }

    /// The language that its words are said in.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// A phrase of ours in that language.
    pub(crate) fn phrase(&self, phrase: Phrase<'_>) -> String {
        self.language.say(&phrase)
    }

    /// A sentence of the bundled set in it.
    pub(crate) fn say<'a>(&'a self, english: &'a str) -> &'a str {
        self.catalogue.say(english)
    }

    /// The other language's sentences.
    #[cfg(test)]
    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }
}

fn call_of<'u>(unsigned: &Unsigned, transaction: &'u Transaction) -> Option<Call<'u>> {
    use alloy_consensus::Transaction as _;
    match transaction.kind() {
        TxKind::Call(to) => {
            Some(Call { from: unsigned.account(), to, value: transaction.value(), data: transaction.input() })
        }
        TxKind::Create => None,
    }
}
