//! SPDX license expressions: `AND`, `OR`, `WITH`, parentheses, and the old `/` for `OR`.

use std::fmt;

/// Whether an expression can be satisfied with licenses that `accepts` says yes to.
///
/// `OR` lets us choose, `AND` does not. A license with an exception is asked for as `LICENSE WITH EXCEPTION`,
/// one with `+` as the license itself.
///
/// # Errors
///
/// [`SpdxError`] for text that is not an expression.
pub(crate) fn is_satisfied(expression: &str, accepts: &dyn Fn(&str) -> bool) -> Result<bool, SpdxError> {
    let tokens = tokens_of(expression);
    if tokens.len() > MAX_TOKENS {
        return Err(SpdxError::TooLong { limit: MAX_TOKENS, found: tokens.len() });
    }
    let mut parser = Parser { rest: &tokens, accepts };
    let satisfied = parser.any_of()?;
    match parser.rest.first() {
        None => Ok(satisfied),
        Some(token) => Err(SpdxError::Unexpected { expected: "the end", found: token.clone() }),
    }
}

struct Parser<'a> {
    rest: &'a [String],
    accepts: &'a dyn Fn(&str) -> bool,
}

impl Parser<'_> {
    fn any_of(&mut self) -> Result<bool, SpdxError> {
        let mut satisfied = self.all_of()?;
        while self.take("OR") {
            satisfied |= self.all_of()?;
        }
        Ok(satisfied)
    }

    fn all_of(&mut self) -> Result<bool, SpdxError> {
        let mut satisfied = self.one()?;
        while self.take("AND") {
            satisfied &= self.one()?;
        }
        Ok(satisfied)
    }

    fn one(&mut self) -> Result<bool, SpdxError> {
        if self.take("(") {
            let satisfied = self.any_of()?;
            return if self.take(")") { Ok(satisfied) } else { Err(self.unexpected("`)`")) };
        }
        let license = self.name("a license")?;
        let license = license.trim_end_matches('+');
        if !self.take("WITH") {
            return Ok((self.accepts)(license));
        }
        let exception = self.name("an exception")?;
        Ok((self.accepts)(&format!("{license} WITH {exception}")))
    }

    fn name(&mut self, expected: &'static str) -> Result<String, SpdxError> {
        match self.rest.split_first() {
            Some((token, rest)) if !RESERVED.contains(&token.as_str()) => {
                self.rest = rest;
                Ok(token.clone())
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    fn take(&mut self, wanted: &str) -> bool {
        match self.rest.split_first() {
            Some((token, rest)) if token == wanted => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn unexpected(&self, expected: &'static str) -> SpdxError {
        let found = self.rest.first().map_or("the end", String::as_str);
        SpdxError::Unexpected { expected, found: found.to_owned() }
    }
}

fn tokens_of(expression: &str) -> Vec<String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// Why a text is not a license expression.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SpdxError {
    /// Something stands where it may not.
    Unexpected {
        /// What may stand there.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// More words than any real expression has.
    TooLong {
        /// The limit.
        limit: usize,
        /// The number found.
        found: usize,
    },
}

impl fmt::Display for SpdxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::TooLong { limit, found } => write!(f, "at most {limit} words, found {found}"),
        }
    }
}

const RESERVED: [&str; 5] = ["AND", "OR", "WITH", "(", ")"];
const MAX_TOKENS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(license: &str) -> bool {
        ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception", "MPL-2.0"].contains(&license)
    }

    #[test]
    fn expressions_are_evaluated_and_not_searched() {
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0/MIT", true),
            ("GPL-3.0 AND MIT", false),
            ("MIT OR GPL-3.0 AND BUSL-1.1", true),
            ("(MIT OR GPL-3.0) AND BUSL-1.1", false),
            ("ISC AND (GPL-3.0 OR MIT)", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT WITH LLVM-exception", false),
            ("MPL-2.0+", true),
        ] {
            assert_eq!(is_satisfied(expression, &accepts), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_an_error() {
        for text in ["", "MIT MIT", "MIT OR", "(MIT", "MIT)", "WITH MIT", "MIT WITH"] {
            assert!(is_satisfied(text, &accepts).is_err(), "{text}");
        }
        assert!(is_satisfied(&"(".repeat(101), &accepts).is_err());
    }
}
