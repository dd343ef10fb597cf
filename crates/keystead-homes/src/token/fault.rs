//! What a module's return codes mean here.

use cryptoki::error::{Error, RvError};

use crate::HomeError;

/// What is to be done about an error of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is over: open another one and ask once more.
    Stale,
    /// The token is gone.
    Lost,
    /// It does not do that.
    Cannot,
    /// Anything else.
    Refused,
}

pub(crate) fn fault_of(error: &Error) -> Fault {
    let Error::Pkcs11(code, _) = error else {
        return match error {
            Error::NotSupported | Error::NullFunctionPointer => Fault::Cannot,
            _ => Fault::Refused,
        };
    };
    match code {
        RvError::SessionHandleInvalid
        | RvError::SessionClosed
        | RvError::SessionCount
        | RvError::UserNotLoggedIn
        | RvError::ObjectHandleInvalid
        | RvError::KeyHandleInvalid
        | RvError::OperationActive
        | RvError::SlotIdInvalid
        | RvError::CryptokiNotInitialized
        // Modules say these two for whatever they have no word for, a vanished device included.
        | RvError::GeneralError
        | RvError::FunctionFailed => Fault::Stale,
        RvError::DeviceError
        | RvError::DeviceRemoved
        | RvError::DeviceMemory
        | RvError::TokenNotPresent
        | RvError::TokenNotRecognized => Fault::Lost,
        RvError::MechanismInvalid
        | RvError::MechanismParamInvalid
        | RvError::FunctionNotSupported
        | RvError::CurveNotSupported
        | RvError::DomainParamsInvalid => Fault::Cannot,
        _ => Fault::Refused,
    }
}

/// Whether a token answers so that does not know a curve: modules have no one word for it.
pub(crate) fn may_be_of_the_curve(error: &Error) -> bool {
    fault_of(error) == Fault::Cannot
        || matches!(error, Error::Pkcs11(RvError::GeneralError | RvError::FunctionFailed, _))
}

/// The error as it leaves this crate: the code's name, and nothing of what was signed or wrapped.
pub(crate) fn told(home: &str, what: &str, error: &Error) -> HomeError {
    let (home, reason) = (home.to_owned(), reason(error));
    match fault_of(error) {
        Fault::Stale | Fault::Lost => HomeError::Lost { home, reason },
        Fault::Cannot => HomeError::cannot(home, what),
        Fault::Refused => match error {
            Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
                HomeError::Pin { home }
            }
            Error::Pkcs11(RvError::PinLocked, _) => HomeError::Locked { home, state: "is locked".to_owned() },
            Error::Pkcs11(RvError::PinExpired, _) => {
                HomeError::Locked { home, state: "has a PIN that expired".to_owned() }
            }
            _ => HomeError::Refused { home, reason },
        },
    }
}

fn reason(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("{function:?}: {code:?}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;
    use keystead_base::Coded as _;

    use super::*;

    /// A wrong PIN must never look like a connection that is to be opened again: tokens lock after a few.
    #[test]
    fn a_wrong_pin_is_no_reason_to_try_again() {
        for (code, expected) in [
            (RvError::PinIncorrect, "home.pin"),
            (RvError::PinLenRange, "home.pin"),
            (RvError::PinLocked, "home.locked"),
            (RvError::PinExpired, "home.locked"),
            (RvError::DeviceRemoved, "home.lost"),
            (RvError::TokenNotPresent, "home.lost"),
            (RvError::MechanismInvalid, "home.cannot"),
            (RvError::KeyUnextractable, "home.refused"),
        ] {
            let error = Error::Pkcs11(code, Function::Login);
            assert_eq!(told("token", "do that", &error).code(), expected, "{code:?}");
            assert_ne!(fault_of(&error), Fault::Stale, "{code:?}");
        }
    }
}
