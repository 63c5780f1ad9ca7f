//! The scalability structure (RFC 9628 section 4.2.1): how many spatial layers, how large, and a repeating group of pictures.

use crate::bytes::Reader;

/// What a scalability structure says; the group of pictures is only passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structure {
    /// Spatial layers, 1..=8.
    pub layers: u8,
    /// (width, height) in pixels of the highest one, if told.
    pub size: Option<(u16, u16)>,
    /// Pictures in the group, 0 if none is described.
    pub pictures: u8,
}

impl Structure {
    /// Reads one to its end; None if it is cut short. At most 1055 bytes.
    pub(super) fn parse(reader: &mut Reader<'_>) -> Option<Self> {
        let first = reader.u8()?;
        let layers = (first >> 5).saturating_add(1);
        let mut structure = Self { layers, size: None, pictures: 0 };
        if first & 0x10 != 0 {
            for _ in 0..layers {
                structure.size = Some((reader.u16()?, reader.u16()?));
            }
        }
        if first & 0x08 != 0 {
            structure.pictures = reader.u8()?;
            for _ in 0..structure.pictures {
                let references = reader.u8()? >> 2 & 3;
                reader.take(usize::from(references))?;
            }
        }
        Some(structure)
    }
}
