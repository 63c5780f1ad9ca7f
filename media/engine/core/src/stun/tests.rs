use super::*;
use crate::testing::{damaged, hex};
use std::net::SocketAddr;

/// RFC 5769 section 2.1.
const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b15126
    3b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
/// RFC 5769 section 2.2.
const RESPONSE_V4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f5
    99fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
/// RFC 5769 section 2.3.
const RESPONSE_V6: &str = "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4
    b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";
const PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";
const ID: TransactionId = [7; 12];

fn key() -> Key {
    Key::new(PASSWORD)
}

fn request() -> Vec<u8> {
    let mut out = [0u8; 256];
    let ice = Ice { username: "local:remote", priority: 0x6e00_01ff, controlling: true, tie_breaker: 99, nominate: true };
    let n = binding_request(&mut out, ID, &ice, &key()).unwrap();
    out[..n].to_vec()
}

/// The same message with other attributes after the first 20 bytes, and the length to match.
fn with_attributes(attributes: &[u8]) -> Vec<u8> {
    let mut message = hex("0001 0000 2112a442 070707070707070707070707");
    message.extend(attributes);
    let len = (attributes.len() as u16).to_be_bytes();
    message[2..4].copy_from_slice(&len);
    message
}

#[test]
fn rfc_5769_request_is_read_and_verified() {
    let bytes = hex(REQUEST);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.class, message.method, message.fingerprint), (Class::Request, BINDING, true));
    assert_eq!(message.username(), Some("evtj:h6vY"));
    assert_eq!((message.local_ufrag(), message.ufrags()), (Some("evtj"), Some(("evtj", "h6vY"))));
    assert_eq!(message.priority(), Some(0x6e00_01ff));
    assert_eq!((message.controlled(), message.controlling()), (Some(0x932f_f9b1_5126_3b36), None));
    assert!(!message.use_candidate());
    assert_eq!(message.attribute(SOFTWARE), Some(&b"STUN test client"[..]));
    assert_eq!(message.verify_integrity(&key()), Ok(()));
    assert_eq!(message.verify_integrity(&Key::new(b"wrong")), Err(Error::Integrity));
    assert_eq!(message.unknown_required().count(), 0);
}

#[test]
fn rfc_5769_responses_are_read_and_verified() {
    for (text, address) in [(RESPONSE_V4, "192.0.2.1:32853"), (RESPONSE_V6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")] {
        let bytes = hex(text);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.class, Class::Success);
        assert_eq!(message.xor_mapped_address(), Some(address.parse::<SocketAddr>().unwrap()));
        assert_eq!(message.verify_integrity(&key()), Ok(()));
    }
}

#[test]
fn an_answer_matches_its_request() {
    let bytes = request();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.controlling(), message.controlled(), message.use_candidate()), (Some(99), None, true));
    for address in ["192.0.2.7:1", "[2001:db8::1]:65535"] {
        let address: SocketAddr = address.parse().unwrap();
        let mut out = [0u8; 256];
        let n = binding_success(&mut out, &message, address, &key()).unwrap();
        let answer = Message::parse(&out[..n]).unwrap();
        assert_eq!((answer.class, answer.method, answer.transaction), (Class::Success, BINDING, ID));
        assert_eq!((answer.xor_mapped_address(), answer.verify_integrity(&key())), (Some(address), Ok(())));
    }
    let mut out = [0u8; 256];
    let n = binding_success(&mut out, &message, "[::ffff:192.0.2.7]:5".parse().unwrap(), &key()).unwrap();
    assert_eq!(Message::parse(&out[..n]).unwrap().xor_mapped_address(), Some("192.0.2.7:5".parse().unwrap()));
    let n = binding_indication(&mut out, ID).unwrap();
    assert_eq!(Message::parse(&out[..n]).unwrap().class, Class::Indication);
}

#[test]
fn refusals_do_not_amplify() {
    let smallest = with_attributes(&[]);
    let message = Message::parse(&smallest).unwrap();
    let mut out = [0u8; 256];
    for code in [400, 401, 420, 487] {
        let n = error_response(&mut out, &message, code, None).unwrap();
        assert!(n * 2 <= smallest.len() * 3, "{n} bytes for {}", smallest.len());
        let answer = Message::parse(&out[..n]).unwrap();
        assert_eq!((answer.class, answer.error_code()), (Class::Failure, Some(code)));
    }
    let unknown = with_attributes(&hex("7001 0000 7002 0001 aa000000"));
    let message = Message::parse(&unknown).unwrap();
    assert_eq!(message.unknown_required().collect::<Vec<_>>(), vec![0x7001, 0x7002]);
    let n = error_response(&mut out, &message, 420, Some(&key())).unwrap();
    let answer = Message::parse(&out[..n]).unwrap();
    assert_eq!(answer.attribute(UNKNOWN_ATTRIBUTES), Some(&[0x70, 0x01, 0x70, 0x02][..]));
    assert_eq!(answer.verify_integrity(&key()), Ok(()));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let signed = request();
    let flips = |bytes: &[u8], covered: usize| {
        for bit in 0..covered * 8 {
            let mut bad = bytes.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            let accepted = Message::parse(&bad).is_ok_and(|m| m.verify_integrity(&key()).is_ok());
            assert!(!accepted, "bit {bit}");
        }
    };
    // FINGERPRINT itself comes after the integrity: there a flip may only turn it into something that is ignored.
    flips(&signed, signed.len() - 8);
    // Without FINGERPRINT, integrity alone has to notice.
    let mut bare = signed[..signed.len() - 8].to_vec();
    let len = (bare.len() as u16 - 20).to_be_bytes();
    bare[2..4].copy_from_slice(&len);
    assert!(Message::parse(&bare).unwrap().verify_integrity(&key()).is_ok());
    flips(&bare, bare.len());
}

#[test]
fn what_follows_the_integrity_is_not_believed() {
    let mut bytes = request();
    bytes.truncate(bytes.len() - 8);
    bytes.extend(hex("8022 0004 65766921 0025 0000 0024 0004 00000001"));
    let len = (bytes.len() as u16 - 20).to_be_bytes();
    bytes[2..4].copy_from_slice(&len);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.verify_integrity(&key()), Ok(()));
    assert_eq!((message.attribute(SOFTWARE), message.priority()), (None, Some(0x6e00_01ff)));
}

#[test]
fn hostile_framing_is_refused() {
    let parsed = |bytes: &[u8]| Message::parse(bytes).map(|_| ());
    assert_eq!(parsed(&[]), Err(Error::NotStun));
    assert_eq!(parsed(&[0; 20]), Err(Error::NotStun));
    assert_eq!(parsed(&hex("8001 0000 2112a442 070707070707070707070707")), Err(Error::NotStun));
    assert_eq!(parsed(&hex("0001 0004 2112a442 070707070707070707070707")), Err(Error::Length));
    assert_eq!(parsed(&hex("0001 ffff 2112a442 070707070707070707070707")), Err(Error::Length));
    // An attribute that announces 65535 bytes, and a datagram that really has them.
    assert_eq!(parsed(&with_attributes(&hex("8022ffff"))), Err(Error::Attribute));
    let mut huge = hex("0001 fffc 2112a442 070707070707070707070707 8022fff8");
    huge.resize(20 + 0xfffc, 0);
    assert_eq!(parsed(&huge), Err(Error::Length));
    assert_eq!(parsed(&with_attributes(&hex("80220000").repeat(MAX_ATTRIBUTES))), Ok(()));
    assert_eq!(parsed(&with_attributes(&hex("80220000").repeat(MAX_ATTRIBUTES + 1))), Err(Error::Attribute));
    // MESSAGE-INTEGRITY and FINGERPRINT of impossible lengths; a wrong FINGERPRINT.
    assert_eq!(parsed(&with_attributes(&hex("00080004 00000000"))), Err(Error::Attribute));
    assert_eq!(parsed(&with_attributes(&hex("80280000"))), Err(Error::Fingerprint));
    assert_eq!(parsed(&with_attributes(&hex("80280004 00000000"))), Err(Error::Fingerprint));
    let mut after = request();
    after.extend(hex("80220000"));
    let len = (after.len() as u16 - 20).to_be_bytes();
    after[2..4].copy_from_slice(&len);
    assert_eq!(parsed(&after), Err(Error::Fingerprint));
    let missing = with_attributes(&[]);
    assert_eq!(Message::parse(&missing).unwrap().verify_integrity(&key()), Err(Error::Integrity));
}

#[test]
fn values_of_wrong_shape_read_as_absent() {
    let bytes = with_attributes(&hex("0006 0002 fffe0000 0024 0002 00010000 802a 0004 00000000 0020 0004 00030000 0009 0004 00000263"));
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.username(), message.priority(), message.controlling()), (None, None, None));
    assert_eq!((message.xor_mapped_address(), message.error_code()), (None, None));
}

#[test]
fn methods_and_classes_survive_their_interleaving() {
    for method in [1, 3, 0x0f, 0x10, 0x80, 0xabc, 0xfff] {
        for class in [Class::Request, Class::Indication, Class::Success, Class::Failure] {
            let mut out = [0u8; 64];
            let n = Builder::new(&mut out, class, method, ID).unwrap().finish(None).unwrap();
            let message = Message::parse(&out[..n]).unwrap();
            assert_eq!((message.class, message.method), (class, method));
        }
    }
}

#[test]
fn a_small_buffer_is_an_error() {
    let bytes = request();
    let message = Message::parse(&bytes).unwrap();
    for room in 0..64 {
        let mut out = vec![0u8; room];
        assert_eq!(binding_success(&mut out, &message, "192.0.2.1:1".parse().unwrap(), &key()).is_ok(), room >= 64, "{room}");
    }
}

#[test]
fn damaged_messages_are_never_authentic() {
    let seeds = [hex(REQUEST), hex(RESPONSE_V4), hex(RESPONSE_V6), request(), with_attributes(&hex("7001 0000 7002 0001 aa000000"))];
    let key = key();
    let mut parsed = 0;
    damaged(&seeds, 40_000, |bytes| {
        let Ok(message) = Message::parse(bytes) else { return };
        parsed += 1;
        if message.verify_integrity(&key).is_ok() {
            let said = |m: &Message<'_>| {
                (m.class, m.method, m.transaction, m.attributes().map(|a| (a.kind, a.value.to_vec())).collect::<Vec<_>>())
            };
            let told = said(&message);
            assert!(seeds.iter().any(|seed| Message::parse(seed).is_ok_and(|m| said(&m) == told)));
        }
        let _ = (message.username(), message.priority(), message.controlling(), message.controlled(), message.error_code());
        let _ = (message.xor_mapped_address(), message.unknown_required().count(), message.attributes().count());
    });
    assert!(parsed > 100, "the damage is not all refused at the door: {parsed}");
}
