//! The bytes of a roster: those that it always had where it says nothing of devices.

use borsh::io::{Read, Result, Write};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::{Roster, RosterDevices};

impl BorshSerialize for Roster {
    fn serialize<W: Write>(&self, writer: &mut W) -> Result<()> {
        // A quorum with the mark in it is more than any roster has nodes: such a roster is refused, whatever its bytes.
        let quorum = self.quorum & !WITH_DEVICES;
        let mark = if self.devices.is_some() { WITH_DEVICES } else { 0 };
        (quorum | mark).serialize(writer)?;
        self.nodes.serialize(writer)?;
        self.services.serialize(writer)?;
        self.people.serialize(writer)?;
        self.devices.as_ref().map_or(Ok(()), |it| it.serialize(writer))
    }
}

impl BorshDeserialize for Roster {
    fn deserialize_reader<R: Read>(reader: &mut R) -> Result<Self> {
        let marked = u32::deserialize_reader(reader)?;
        Ok(Self {
            quorum: marked & !WITH_DEVICES,
            nodes: Vec::deserialize_reader(reader)?,
            services: Vec::deserialize_reader(reader)?,
            people: Vec::deserialize_reader(reader)?,
            devices: match marked & WITH_DEVICES {
                0 => None,
                _ => Some(RosterDevices::deserialize_reader(reader)?),
            },
        })
    }
}

/// Stands in the quorum's number where devices stand behind the people. Software that knows of no devices reads a quorum that no
/// roster has, and refuses the version.
const WITH_DEVICES: u32 = 1 << 31;
