//! The product's machines behind one face, whatever they run: messages in, messages out, an end.

use keystead_base::Secret;
use keystead_keys::Fill;
use keystead_threshold::{
    Abort, Begun, Bip340, Ceremony, Deal, Delivery, Dkls23, EcdsaEngine, EcdsaShare, Ed25519, End, Generate,
    Kept, KeyShare, Machine, Parcel, Protocol, PublicShares, Purpose, Repair, Scheme, Sign, Step, Suite,
    Unwritten,
};

/// What a run ends with.
pub(crate) enum Ended {
    /// A share to be sealed.
    Share(Vec<u8>),
    /// The node holds nothing afterwards.
    Nothing,
    /// 64 bytes.
    Signature([u8; 64]),
}

/// What came of a step.
pub(crate) struct Out {
    pub(crate) messages: Vec<Parcel>,
    pub(crate) end: Option<Result<Ended, Unwritten<Abort>>>,
}

/// A machine of any protocol.
pub(crate) trait Run {
    fn start(&mut self, fill: Fill<'_>) -> Out;
    fn on_message(&mut self, message: Delivery, fill: Fill<'_>) -> Out;
    fn give_up(&mut self) -> Out;
    fn missing(&self) -> Vec<keystead_base::Name>;
}

struct Typed<P: Protocol> {
    machine: Machine<P>,
    read: fn(P::Output) -> Ended,
}

impl<P: Protocol> Typed<P> {
    fn out(&self, step: Step<P::Output>) -> Out {
        let end = step.end.map(|end| match end {
            End::Done(output) => Ok((self.read)(output)),
            End::Aborted(unwritten) => Err(unwritten),
        });
        Out { messages: step.messages, end }
    }
}

impl<P: Protocol> Run for Typed<P> {
    fn start(&mut self, fill: Fill<'_>) -> Out {
        let step = self.machine.start(fill);
        self.out(step)
    }

    fn on_message(&mut self, message: Delivery, fill: Fill<'_>) -> Out {
        let step = self.machine.on_message(message, fill);
        self.out(step)
    }

    fn give_up(&mut self) -> Out {
        let step = self.machine.give_up();
        self.out(step)
    }

    fn missing(&self) -> Vec<keystead_base::Name> {
        self.machine.missing()
    }
}

pub(crate) fn boxed<P: Protocol + 'static>(
    begun: Begun,
    protocol: P,
    read: fn(P::Output) -> Ended,
) -> Box<dyn Run> {
    Box::new(Typed { machine: Machine::new(begun, protocol), read })
}

/// A node's part in a signature; `None` where its share is none.
pub(crate) fn sign(begun: Begun, share: &[u8], text: &[u8; 32]) -> Option<Box<dyn Run>> {
    match begun.session().scheme {
        Scheme::EcdsaDkls23 => Some(boxed(begun, Dkls23::sign(whole(share)?), |(_, signature)| {
            let mut bytes = [0; 64];
            bytes[..32].copy_from_slice(&signature.r);
            bytes[32..].copy_from_slice(&signature.s);
            Ended::Signature(bytes)
        })),
        Scheme::Bip340Frost => schnorr::<Bip340>(begun, share, text),
        Scheme::Ed25519Frost => schnorr::<Ed25519>(begun, share, text),
    }
}

fn schnorr<C: Suite>(begun: Begun, share: &[u8], text: &[u8; 32]) -> Option<Box<dyn Run>>
where
    Sign<C>: Protocol<Output = (KeyShare, keystead_threshold::Signature)> + 'static,
{
    let protocol = Sign::<C>::new(bare(share)?, text.to_vec());
    Some(boxed(begun, protocol, |(_, signature)| Ended::Signature(signature.0)))
}

/// A node's part in a ceremony.
pub(crate) fn ceremony(
    begun: Begun,
    share: Option<&[u8]>,
    old: Option<(&PublicShares, [u8; 32])>,
) -> Option<Box<dyn Run>> {
    match begun.session().scheme {
        Scheme::EcdsaDkls23 => ecdsa(begun, share, old),
        Scheme::Bip340Frost => frost::<Bip340>(begun, share, old),
        Scheme::Ed25519Frost => frost::<Ed25519>(begun, share, old),
    }
}

fn frost<C: Suite + 'static>(
    begun: Begun,
    share: Option<&[u8]>,
    old: Option<(&PublicShares, [u8; 32])>,
) -> Option<Box<dyn Run>> {
    let held = |share: Option<KeyShare>| share.map_or(Ended::Nothing, sealed);
    let me = begun.me().clone();
    let public = || old.map(|(public, _)| public.clone());
    match begun.session().purpose.clone() {
        Purpose::Generate => Some(boxed(begun, Generate::<C>::new(), sealed)),
        Purpose::Refresh => Some(boxed(begun, Deal::<C>::refresh(bare(share?)?), held)),
        Purpose::Reshare { dealers, .. } if dealers.contains(&me) => {
            Some(boxed(begun, Deal::<C>::reshare(bare(share?)?), held))
        }
        Purpose::Reshare { .. } => Some(boxed(begun, Deal::<C>::receive(public()?), held)),
        Purpose::Repair { lost, .. } if lost == me => {
            Some(boxed(begun, Repair::<C>::recover(public()?), held))
        }
        Purpose::Repair { .. } => Some(boxed(begun, Repair::<C>::help(bare(share?)?), held)),
        Purpose::Sign { .. } | Purpose::Import { .. } | Purpose::Take { .. } => None,
    }
}

fn ecdsa(begun: Begun, share: Option<&[u8]>, old: Option<(&PublicShares, [u8; 32])>) -> Option<Box<dyn Run>> {
    let parts = |share: &[u8]| whole(share).map(EcdsaShare::into_parts);
    let read = |share: Option<EcdsaShare<Dkls23>>| {
        let sealed = share.and_then(|share| share.to_secret());
        sealed.map_or(Ended::Nothing, |bytes| Ended::Share(bytes.expose().clone()))
    };
    let protocol = match &begun.session().purpose {
        Purpose::Generate => Ceremony::<Dkls23>::generate(),
        Purpose::Refresh => {
            let (share, chain) = parts(share?)?;
            Ceremony::refresh(share, chain)
        }
        Purpose::Reshare { dealers, .. } if dealers.contains(begun.me()) => {
            let (share, chain) = parts(share?)?;
            Ceremony::reshare(share, chain)
        }
        Purpose::Reshare { .. } => old.map(|(public, chain)| Ceremony::receive(public.clone(), chain))?,
        Purpose::Repair { .. } | Purpose::Sign { .. } | Purpose::Import { .. } | Purpose::Take { .. } => {
            return None;
        }
    };
    Some(boxed(begun, protocol, read))
}

/// What is public of a share that was sealed.
pub(crate) fn public_of(scheme: Scheme, bytes: &[u8]) -> Option<(PublicShares, [u8; 32])> {
    if scheme == Scheme::EcdsaDkls23 {
        let share = whole(bytes)?;
        return Some((share.share().public().clone(), *share.chain_code()));
    }
    bare(bytes).map(|share| (share.public().clone(), [0; 32]))
}

fn sealed(share: KeyShare) -> Ended {
    Ended::Share(share.to_secret().expose().clone())
}

fn bare(bytes: &[u8]) -> Option<KeyShare> {
    KeyShare::from_secret(&Secret::new(bytes.to_vec()))
}

fn whole(bytes: &[u8]) -> Option<EcdsaShare<Dkls23>> {
    match EcdsaShare::from_secret(&Secret::new(bytes.to_vec()))? {
        Kept::Whole(share) => Some(share),
        Kept::Bare(..) => None,
    }
}
