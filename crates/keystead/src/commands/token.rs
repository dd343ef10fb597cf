//! `keystead token`: tokens for programs that call the coordinator, each good for something and for some time.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use keystead_base::{Name, Secret, Timestamp};
use keystead_coordinator::{Scope, TokenFile, TokenRecord, certificate_key};
use serde_json::json;

use super::Global;
use crate::config::Config;
use crate::failure::{Advise as _, Failure};
use crate::output::Report;
use crate::outside;
use crate::table::Table;

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and show it, this once.
    ///
    /// What is kept of it is its digest, in the file that `[coordinator] tokens` of keystead.toml names. A coordinator that
    /// runs knows it at once. Scopes: `read` to look, `request` to ask for signatures by REST, `approve` to hand in what
    /// people have signed, `rpc` for all of JSON-RPC. What is asked for is asked in the name of the coordinator's service, and policy
    /// decides about it as ever: a token narrows who may ask, and never widens what is allowed.
    ///
    /// Example: keystead token create reporting --scope read --days 90
    ///
    /// Example: keystead token create payouts --scope read,request --key hot
    ///
    /// With `--certificate` it is good only on TLS connections on which its holder also proves to have that certificate's
    /// key; with `--certificate-alone` that key is all that is shown, and no token is made. No authority is asked: a
    /// certificate that its holder signed itself will do.
    ///
    /// Example: keystead token create desk --scope rpc --certificate desk.pem
    Create(CreateArgs),
    /// Show what each token is good for, and until when.
    ///
    /// Example: keystead token list
    List,
    /// Take a token back, at once.
    ///
    /// Example: keystead token revoke payouts
    Revoke(RevokeArgs),
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Whose it is.
    name: Name,
    /// What it is good for: read, request, approve, rpc.
    #[arg(long, value_delimiter = ',', required = true, value_parser = scope)]
    scope: Vec<Scope>,
    /// For these keys alone; for all of them when none is named.
    #[arg(long, value_delimiter = ',')]
    key: Vec<Name>,
    /// Bind it to the key of this certificate, in PEM form.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Make no token: the certificate's key is enough.
    #[arg(long, requires = "certificate")]
    certificate_alone: bool,
    /// For how many days.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=MAX_DAYS))]
    days: u64,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// Whose it is.
    name: Name,
}

pub(crate) fn run(global: &Global, command: TokenCommand) -> Result<Report, Failure> {
    let path = path(&global.dir)?;
    match command {
        TokenCommand::Create(args) => create(&path, args),
        TokenCommand::List => Ok(list(&read(&path)?, outside::now())),
        TokenCommand::Revoke(args) => revoke(&path, &args.name),
    }
}

fn create(path: &Path, args: CreateArgs) -> Result<Report, Failure> {
    let _turn = outside::lock(path)?;
    let mut file = read(path)?;
    let now = outside::now();
    // A name whose token has ended is free again.
    file.tokens.retain(|token| token.name != args.name || token.expires > now);
    let expires = now.plus_seconds(args.days.saturating_mul(86_400));
    let key = args.certificate.as_deref().map(certificate_key).transpose();
    let key = key.advise("`openssl x509 -in FILE -noout -pubkey` shows what is looked for")?;
    let what = (args.scope, args.key);
    let (token, record) = match key.filter(|_| args.certificate_alone) {
        Some(key) => (None, TokenRecord::of_certificate(args.name, what, expires, key)),
        None => {
            let mut random = Secret::new([0; 32]);
            outside::fill(random.expose_mut());
            let (token, record) = TokenRecord::mint(args.name, what, expires, &random);
            (Some(token), key.map_or(record.clone(), |key| record.bound_to(key)))
        }
    };
    file.tokens.push(record.clone());
    write(path, &file)?;
    let token = token.as_ref().map(Secret::expose);
    Ok(Report::new(json!({"token": token, "record": record}), made(token, &record)))
}

fn made(token: Option<&String>, record: &TokenRecord) -> String {
    let (name, until) = (&record.name, record.expires);
    let ends = format!("It is good until {until}; `keystead token revoke {name}` ends it before.");
    let Some(token) = token else {
        return format!(
            "whoever proves to have the certificate's key is {name}, and shows nothing else. {ends}"
        );
    };
    let bound = match record.certificate_key {
        Some(_) => ", on a connection with the certificate that it is bound to",
        None => "",
    };
    format!(
        "{token}\n\nThis is the only time that it is shown. {ends}\nnext: Authorization: Bearer {}…{bound}",
        token.get(..8).unwrap_or_default()
    )
}

fn list(file: &TokenFile, now: Timestamp) -> Report {
    let mut table = Table::new(&["name", "shows", "good for", "keys", "until"]);
    for token in &file.tokens {
        let scopes: Vec<_> = token.scopes.iter().map(|scope| scope.word()).collect();
        let keys: Vec<_> = token.keys.iter().map(Name::as_str).collect();
        let keys = if keys.is_empty() { "all".to_owned() } else { keys.join(", ") };
        let until = if token.expires > now { token.expires.to_string() } else { "ended".to_owned() };
        let shows = match (token.digest, token.certificate_key) {
            (_, None) => "a token",
            (Some(_), Some(_)) => "a token and a certificate",
            (None, Some(_)) => "a certificate",
        };
        table.row([token.name.to_string(), shows.to_owned(), scopes.join(", "), keys, until]);
    }
    Report::new(json!({"tokens": file.tokens}), table.render())
}

fn revoke(path: &Path, name: &Name) -> Result<Report, Failure> {
    let _turn = outside::lock(path)?;
    let mut file = read(path)?;
    let before = file.tokens.len();
    file.tokens.retain(|token| token.name != *name);
    if file.tokens.len() == before {
        let what = format!("there is no token of `{name}`");
        return Err(Failure::usage(what, "`keystead token list` shows those there are"));
    }
    write(path, &file)?;
    Ok(Report::new(json!({"revoked": name}), format!("the token of `{name}` is good for nothing any more")))
}

/// Where the coordinator of this folder keeps them.
fn path(folder: &Path) -> Result<PathBuf, Failure> {
    Config::read(folder)?.coordinator()?.tokens.clone().ok_or_else(|| {
        let what = "keystead.toml names no file for tokens, so that callers need none or the one of `token`";
        Failure::new(
            "config.tokens",
            what,
            "add `tokens = \"tokens.json\"` under [coordinator], and start it again",
        )
    })
}

fn read(path: &Path) -> Result<TokenFile, Failure> {
    if !path.exists() {
        return Ok(TokenFile::default());
    }
    TokenFile::parse(&outside::read_text(path)?)
        .advise("mend the file, or remove it and make the tokens anew")
}

fn write(path: &Path, file: &TokenFile) -> Result<(), Failure> {
    file.check().advise("revoke one first, or choose another name or other scopes")?;
    let json = serde_json::to_vec_pretty(file)
        .map_err(|error| Failure::new("cli.file", error.to_string(), "report this as a bug"))?;
    outside::replace(path, &json)
}

fn scope(text: &str) -> Result<Scope, String> {
    let known = Scope::ALL.into_iter().find(|scope| scope.word() == text);
    known.ok_or_else(|| format!("expected read, request, approve or rpc, found {text:?}"))
}

/// Ten years: longer than anybody remembers what it was for.
const MAX_DAYS: u64 = 3650;
