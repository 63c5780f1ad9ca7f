//! AV1 payloads: any bytes; elements stay within the packet and units within their element.
#![no_main]
use jiangtai_core::av1::{dimensions, starts_key_frame, Obu, Payload, MAX_ELEMENTS};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    assert!(starts_key_frame(data) || dimensions(data).is_none());
    let Some(packet) = Payload::parse(data) else { return };
    let elements: Vec<&[u8]> = packet.elements().collect();
    assert!(elements.len() <= MAX_ELEMENTS && elements.iter().map(|element| element.len()).sum::<usize>() < data.len());
    for element in elements {
        let Some(obu) = Obu::parse(element) else { continue };
        assert!(
            obu.kind < 16 && obu.payload.len() < element.len() && obu.layer.is_none_or(|(temporal, spatial)| temporal < 8 && spatial < 4)
        );
    }
});
