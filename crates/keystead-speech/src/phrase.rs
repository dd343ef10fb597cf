//! Every phrase, with the values that it is said with.

/// Makes the enum, and beside it the list of names and values that languages are held to.
macro_rules! phrases {
    ($($name:ident { $($value:ident),* },)*) => {
        /// A phrase with its values, in no language yet.
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs, reason = "the English text of each stands in languages/en.json under its name")]
        pub enum Phrase<'a> {
            $($name { $($value: &'a str),* },)*
        }

        impl Phrase<'_> {
            /// The name under which a language has its text.
            pub(crate) fn key(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => stringify!($name),)*
                }
            }

            /// The values by name.
            pub(crate) fn values(&self) -> Vec<(&'static str, &str)> {
                match self {
                    $(Self::$name { $($value),* } => vec![$((stringify!($value), *$value)),*],)*
                }
            }
        }

        /// The names of all phrases, each with those of its values.
        #[cfg(test)]
        pub(crate) const SHAPES: &[(&str, &[&str])] =
            &[$((stringify!($name), &[$(stringify!($value)),*]),)*];
    };
}

phrases! {
    // What the whole is.
    Statement {},
    Transfer {},
    Allowance {},
    UnlimitedAllowance {},
    Authority {},
    DelegateCall {},
    Opaque {},
    BlindDigest {},
    Cancel {},
    Replacement {},
    PartlyOpaque {},
    // Who and what.
    OwnAccount { key, index, address },
    OwnByTheNodesWord { who, key, index },
    AnotherAccount { address },
    OwnAccountAlone {},
    UnnamedAccount {},
    Nobody {},
    NotInAddressBook { address },
    LooksLike { name, address },
    UnknownToken { token },
    UnitsOfUnknownToken { amount, token },
    // What happens to tokens and rights.
    Moves { amount, from, to },
    NftMoves { token, id, from, to },
    PiecesMove { amount, token, id, from, to },
    NothingMoves {},
    MayTake { spender, amount, owner },
    MayTakeMore { spender, amount, owner },
    MayTakeLess { spender, amount, owner },
    MayTakeNo { spender, token, owner },
    All { token },
    BySignature {},
    Until { moment },
    WithoutEnd {},
    MayTakeNft { spender, token, id, owner },
    MayTakeEvery { operator, token, owner },
    MayTakeNoneAnyMore { operator, token, owner },
    SignaturesBecomeVoid { account },
    // Who commands.
    OwnerChanges { target },
    RoleChanges { target },
    ModuleChanges { target },
    GuardChanges { target },
    CodeChanges { target },
    SwitchChanges { target },
    AuthorityChanges { target },
    Subject { change, whom },
    GetsCode { whose, delegate, chain, nonce },
    GetsNoCode { whose, chain, nonce },
    Creation { hash },
    RunsAs { target, caller },
    // What is signed or not understood.
    SignsText { text },
    ApprovesHash { digest },
    NotUnderstood { function, why },
    NotUnderstoodFor { whom, function, why },
    Function { selector },
    FunctionElsewhere { selector, signature },
    WhyUnknownSelector {},
    WhyMalformedArguments {},
    WhyAmbiguousContract {},
    WhyTooDeep {},
    WhyUnknownTypedData {},
    WhyUnstatedAmount {},
    WhyNotText {},
    WhyDataOutput {},
    WhyUnknownScript {},
    InCall { place, words },
    TypedData { kind },
    TypedOf { said, name },
    TypedVersion { said, version },
    TypedFor { said, contract },
    // What stands below.
    NetworkFee { fee, chain },
    Nonce { nonce, account },
    DigestToSign { digest },
    SignedBy { key, index },
    AskedBy { requester, version },
    // Runs.
    RunFound {},
    RunUnknown {},
    Simulated { number, time, ending },
    RunCut {},
    RunAheadOne {},
    RunAhead { count },
    RunCreates { address },
    RunSucceeds { gas },
    RunReverts { gas },
    RunRevertsWith { reason, gas },
    RunHalts { gas },
    RunNotTakenNonce {},
    RunNotTakenFunds {},
    RunNotTakenFee {},
    RunNotTakenGas {},
    RunNotTakenRule {},
    RunLoses { whose, what },
    RunGains { whose, what },
    RunPieces { amount, token, id },
    RunMayTake { holder, amount, owner },
    RunMayTakeNft { holder, token, id, owner },
    RunMayNotTakeNft { holder, token, id, owner },
    RunMayTakeEvery { holder, token, owner },
    RunMayNotTakeEvery { holder, token, owner },
    // The words of descriptors.
    WordsOfBundled { title, set, name },
    WordsOfOwn { title, digest },
    DescriptorMissing { digest },
    MalformedCall {},
    TooLong {},
    RuledOut { label },
    UnequalLists { label },
    CoinsNotSpokenOf { amount },
    LeftOut { items },
    NotSpokenOf { items },
    BlockHeight { number },
    Sender { who },
    OfUnknownToken { amount },
    ByTheDescriptorsWord { amount, ticker },
    NotInTheseBytes { label },
    NoneOf { label },
    Unfit { value },
    NoCallData {},
    CallOf { label, whom },
    NumberedToken { token, id },
    LongBytes { count, hash },
    LongText { count, hash },
    LongList { count },
    // Bitcoin.
    Sends { amount, whom },
    NamedAddress { name, address },
    AddressNotInBook { address },
    Change { amount, place },
    ToOurselves { amount, place },
    WritesBytes { count, bytes },
    SendsToScript { amount, script },
    Fee { fee, rate, size, network },
    SpendsOurs { pieces, amount },
    OthersPay { pieces, amount },
    LeavesUs { amount },
    OneCoin {},
    Coins { count },
    Replaceable {},
    KeptField { scope, name, key },
    MoreKept { count },
    CoinsDigest { digest },
    NotBeforeBlock { height },
    NotBeforeTime { seconds },
    NotBeforeBlocks { blocks },
    NotBeforeSeconds { seconds },
    BytesCut { bytes, more },
    TakesThePlaceOf { request },
    SignedByAccount { key, index },
    FromSharedWallet { name, threshold, keys },
    // Changes of authority.
    ChangeOfAuthority {},
    ThawAll {},
    ThawKey { key },
    KeyCreate { key, home },
    KeyBackup { key, readers },
    KeyExport { key, reader },
    KeySuspend { key },
    KeyResume { key },
    KeyDestroy { key },
    KeyRestore { key, home },
    KeyGenerate { key, shares },
    KeyGenerateBip340 { key, shares },
    KeyRefresh { key },
    KeyReshare { key, dealers, shares },
    KeyRepair { key, dealers, lost },
    KeyAbort { key, request },
    KeyLift { key, node },
    KeyExit { key, readers },
    KeyImport { key, who, address, shares },
    KeyImportFromHome { key, home, address, shares },
    Shares { threshold, holders, spare },
    PolicyUnreadable { error, code },
    PolicyCannotFollow { error },
    PolicyFollows { next, current, sections },
}
