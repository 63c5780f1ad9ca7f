//! What a recording says of a track: JSON of who sent it, what it is and how its payload types are coded.

use serde_json::Value;

use crate::follow::source;
use crate::input::{Codec, Source, Start};

/// Longest description that is read, bytes.
const MAX_LABEL: usize = 16 * 1024;
/// Payload types of one track that are looked at.
const MAX_CODECS: usize = 32;

/// One track's description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub participant: String,
    pub source: Source,
    /// Payload type and codec of those that can be packaged.
    codecs: Vec<(u8, Codec)>,
    /// The payload type of redundant sound (RFC 2198).
    pub red: Option<u8>,
}

impl Label {
    /// None if it does not say who and what.
    pub fn parse(json: &[u8]) -> Option<Label> {
        let value: Value = serde_json::from_slice(json.get(..MAX_LABEL.min(json.len()))?).ok()?;
        let participant = value.get("participant")?.as_str()?.to_string();
        let source = source(value.get("source")?.as_str()?)?;
        let (mut codecs, mut red) = (Vec::new(), None);
        for codec in value.get("codecs")?.as_array()?.iter().take(MAX_CODECS) {
            let payload_type = codec.get(0)?.as_u64().and_then(|number| u8::try_from(number).ok())?;
            match codec.get(1)?.as_str()? {
                "h264" => codecs.push((payload_type, Codec::H264)),
                "vp8" => codecs.push((payload_type, Codec::Vp8)),
                "opus" => codecs.push((payload_type, Codec::Opus)),
                "red" => red = Some(payload_type),
                _ => {}
            }
        }
        Some(Label { participant, source, codecs, red })
    }

    /// The payload type of Opus.
    pub fn opus(&self) -> Option<u8> {
        self.codecs.iter().find(|(_, codec)| *codec == Codec::Opus).map(|(payload_type, _)| *payload_type)
    }

    /// How packets of a payload type begin a track; None if they cannot be packaged.
    pub fn start(&self, payload_type: u8, participant: u64) -> Option<Start> {
        let (_, codec) = self.codecs.iter().find(|(known, _)| *known == payload_type)?;
        let clock_rate = if codec.is_video() { 90_000 } else { 48_000 };
        Some(Start { codec: *codec, clock_rate, participant, source: self.source, payload_type: Some(payload_type), red: self.red })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_tells_who_what_and_how() {
        let json = br#"{"participant":"p7","source":"microphone","kind":"audio","codecs":[[111,"opus",null],[63,"red",null]],"rids":[]}"#;
        let label = Label::parse(json).unwrap();
        assert_eq!((label.participant.as_str(), label.source, label.red, label.opus()), ("p7", Source::Microphone, Some(63), Some(111)));
        let start = label.start(111, 1).unwrap();
        assert_eq!((start.codec, start.clock_rate, start.red), (Codec::Opus, 48_000, Some(63)));
        assert_eq!(label.start(96, 1), None);
    }

    #[test]
    fn what_is_no_description_is_refused() {
        for json in ["", "{", "[]", "{\"participant\":1}", "{\"participant\":\"a\",\"source\":\"x\",\"codecs\":[]}"] {
            assert_eq!(Label::parse(json.as_bytes()), None, "{json}");
        }
    }
}
