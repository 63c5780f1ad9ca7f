//! SRTP: nothing that was not sealed opens; whatever seals, opens to what it was.
#![no_main]
use jiangtai_core::srtp::{Opener, Profile, Sealer, MAX_OVERHEAD};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for profile in [Profile::AeadAes128Gcm, Profile::AeadAes256Gcm, Profile::Aes128CmSha1_80] {
        let (key, salt) = (&[7; 32][..profile.key_len()], &[9; 14][..profile.salt_len()]);
        let mut opener = Opener::new(profile, key, salt).unwrap();
        assert!(opener.open_rtp(&mut data.to_vec()).is_err() && opener.open_rtcp(&mut data.to_vec()).is_err());
        let mut sealer = Sealer::new(profile, key, salt).unwrap();
        let mut buf = [data, &[0; MAX_OVERHEAD]].concat();
        if let Ok(n) = sealer.seal_rtp(&mut buf, data.len()) {
            let opened = opener.open_rtp(&mut buf[..n]);
            assert_eq!((opened, &buf[..data.len()]), (Ok(data.len()), data));
        }
    }
});
