//! What a transaction does to its receiver, one after the other.

use crate::reader::{Reader, write_bytes};
use crate::{AccountId, PublicKey, Refusal};

/// One action, as it stands in the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// 0: the receiver is created.
    CreateAccount,
    /// 1: the receiver's code is replaced.
    DeployContract {
        /// The code.
        code: Vec<u8>,
    },
    /// 2: a method of the receiver's contract is called.
    FunctionCall {
        /// Its name.
        method: String,
        /// Its arguments.
        args: Vec<u8>,
        /// Gas for it.
        gas: u64,
        /// What goes along, in yoctoNEAR.
        deposit: u128,
    },
    /// 3: coins go to the receiver.
    Transfer {
        /// How many yoctoNEAR.
        deposit: u128,
    },
    /// 4: coins are locked for a validator.
    Stake {
        /// How many yoctoNEAR in all.
        stake: u128,
        /// The validator's key.
        key: PublicKey,
    },
    /// 5: a key is added to the receiver.
    AddKey {
        /// Which.
        key: PublicKey,
        /// Its first nonce.
        nonce: u64,
        /// What it may do.
        permission: Permission,
    },
    /// 6: a key of the receiver's is removed.
    DeleteKey {
        /// Which.
        key: PublicKey,
    },
    /// 7: the receiver ends, and what it has goes to somebody.
    DeleteAccount {
        /// To whom.
        beneficiary: AccountId,
    },
}

/// What a key may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// 0: call methods of one contract.
    FunctionCall {
        /// How many yoctoNEAR of the account's it may burn for gas; none is all.
        allowance: Option<u128>,
        /// Which contract. The chain takes any text here.
        receiver: String,
        /// Which methods; none is all.
        methods: Vec<String>,
    },
    /// 1: everything.
    FullAccess,
}

impl Action {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Refusal> {
        Ok(match reader.byte()? {
            0 => Self::CreateAccount,
            1 => Self::DeployContract { code: reader.bytes()?.to_vec() },
            2 => Self::FunctionCall {
                method: reader.text()?,
                args: reader.bytes()?.to_vec(),
                gas: reader.u64()?,
                deposit: reader.u128()?,
            },
            3 => Self::Transfer { deposit: reader.u128()? },
            4 => Self::Stake { stake: reader.u128()?, key: PublicKey::read(reader)? },
            5 => Self::AddKey {
                key: PublicKey::read(reader)?,
                nonce: reader.u64()?,
                permission: Permission::read(reader)?,
            },
            6 => Self::DeleteKey { key: PublicKey::read(reader)? },
            7 => Self::DeleteAccount { beneficiary: reader.account()? },
            found => return Err(Refusal::Action { found }),
        })
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::CreateAccount => out.push(0),
            Self::DeployContract { code } => {
                out.push(1);
                write_bytes(out, code);
            }
            Self::FunctionCall { method, args, gas, deposit } => {
                out.push(2);
                write_bytes(out, method.as_bytes());
                write_bytes(out, args);
                out.extend(gas.to_le_bytes());
                out.extend(deposit.to_le_bytes());
            }
            Self::Transfer { deposit } => {
                out.push(3);
                out.extend(deposit.to_le_bytes());
            }
            Self::Stake { stake, key } => {
                out.push(4);
                out.extend(stake.to_le_bytes());
                key.write(out);
            }
            Self::AddKey { key, nonce, permission } => {
                out.push(5);
                key.write(out);
                out.extend(nonce.to_le_bytes());
                permission.write(out);
            }
            Self::DeleteKey { key } => {
                out.push(6);
                key.write(out);
            }
            Self::DeleteAccount { beneficiary } => {
                out.push(7);
                write_bytes(out, beneficiary.as_str().as_bytes());
            }
        }
    }
}

impl Permission {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Refusal> {
        if reader.flag()? {
            return Ok(Self::FullAccess);
        }
        let allowance = if reader.flag()? { Some(reader.u128()?) } else { None };
        let receiver = reader.text()?;
        let count = reader.u32()?;
        // Each name takes four bytes at least: a count beyond what is there ends with the bytes.
        let methods = (0..count).map(|_| reader.text()).collect::<Result<_, _>>()?;
        Ok(Self::FunctionCall { allowance, receiver, methods })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::FullAccess => out.push(1),
            Self::FunctionCall { allowance, receiver, methods } => {
                out.push(0);
                out.push(u8::from(allowance.is_some()));
                out.extend(allowance.iter().flat_map(|it| it.to_le_bytes()));
                write_bytes(out, receiver.as_bytes());
                out.extend(u32::try_from(methods.len()).unwrap_or(u32::MAX).to_le_bytes());
                methods.iter().for_each(|it| write_bytes(out, it.as_bytes()));
            }
        }
    }
}
