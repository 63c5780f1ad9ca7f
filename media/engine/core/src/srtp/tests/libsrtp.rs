//! Packets recorded from libsrtp (tests/unit/media/test_srtp_interop.py): sealed to the same bytes, opened to the same bytes.

use super::*;

#[test]
fn the_same_bytes_as_libsrtp_in_both_directions() {
    let mut context: Option<(Sealer, Opener)> = None;
    let mut profile = None;
    let mut packets = 0;
    for line in include_str!("libsrtp.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["profile", id] => profile = Profile::from_id(id.parse().unwrap()),
            ["key", key] => {
                let (profile, key) = (profile.unwrap(), hex(key));
                let (key, salt) = key.split_at(profile.key_len());
                context = Some((Sealer::new(profile, key, salt).unwrap(), Opener::new(profile, key, salt).unwrap()));
            }
            [kind, plain, sealed] => {
                let (plain, sealed) = (hex(plain), hex(sealed));
                let (sealer, opener) = context.as_mut().unwrap();
                let (ours, opened, again) = if kind == "rtp" {
                    (sealed_rtp(sealer, &plain), opened_rtp(opener, &sealed), opened_rtp(opener, &sealed))
                } else {
                    (sealed_rtcp(sealer, &plain), opened_rtcp(opener, &sealed), opened_rtcp(opener, &sealed))
                };
                assert_eq!(ours.as_deref(), Ok(&sealed[..]), "sealing, {profile:?}, packet {packets}");
                assert_eq!(opened.as_deref(), Ok(&plain[..]), "opening, {profile:?}, packet {packets}");
                assert_eq!(again, Err(Error::Replay), "{profile:?}, packet {packets}");
                packets += 1;
            }
            _ => panic!("{line}"),
        }
    }
    assert_eq!(packets, 3 * 42);
}
