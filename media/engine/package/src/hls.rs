//! The media playlist of a track (RFC 8216 section 4.3.3): segments are byte ranges of the fragmented files.
//!
//! A segment begins with a key frame wherever there is one; a new configuration is a new file, hence EXT-X-DISCONTINUITY and
//! another EXT-X-MAP.

use std::fmt::Write;

use crate::mp4::Fragment;

/// One file of a track.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    pub name: &'a str,
    /// Length of `ftyp` and `moov` at its beginning.
    pub header_bytes: u64,
    pub fragments: &'a [Fragment],
}

/// `origin_ms`: wall clock of the recording's time 0, milliseconds since 1970 (UTC). `ended`: nothing more comes.
pub fn media_playlist(parts: &[Part<'_>], timescale: u32, origin_ms: i64, ended: bool) -> String {
    let scale = f64::from(timescale.max(1));
    let mut segments: Vec<Vec<Fragment>> = parts.iter().map(|part| crate::mp4::joined(part.fragments, |_, next| !next.key)).collect();
    if let Some(last) = segments.last_mut().filter(|_| !ended) {
        // It may still grow, and a segment that was told never changes.
        last.pop();
    }
    let longest = segments.iter().flatten().map(|segment| segment.duration).max().unwrap_or(0);
    let target = (longest as f64 / scale).round().max(1.0);
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:0\n");
    text += if ended { "#EXT-X-PLAYLIST-TYPE:VOD\n" } else { "#EXT-X-PLAYLIST-TYPE:EVENT\n" };
    if segments.iter().flatten().all(|segment| segment.key) {
        text += "#EXT-X-INDEPENDENT-SEGMENTS\n";
    }
    for (number, (part, segments)) in parts.iter().zip(&segments).enumerate() {
        let Some(first) = segments.first() else { continue };
        if number > 0 {
            text += "#EXT-X-DISCONTINUITY\n";
        }
        let at_ms = (first.time as f64 * 1000.0 / scale).round() as i64;
        // Writing to a string cannot fail.
        _ = writeln!(text, "#EXT-X-MAP:URI=\"{}\",BYTERANGE=\"{}@0\"", part.name, part.header_bytes);
        _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", date_time(origin_ms.saturating_add(at_ms)));
        for segment in segments {
            let seconds = segment.duration as f64 / scale;
            _ = write!(text, "#EXTINF:{seconds:.5},\n#EXT-X-BYTERANGE:{}@{}\n{}\n", segment.bytes, segment.offset, part.name);
        }
    }
    if ended {
        text += "#EXT-X-ENDLIST\n";
    }
    text
}

/// ISO 8601 with milliseconds, UTC, of milliseconds since 1970; the calendar by counting days in eras of 400 years from
/// 0000-03-01.
fn date_time(ms: i64) -> String {
    let (days, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second, milli) = (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1000 % 60, in_day % 1000);
    format!("{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days_and_before_1970() {
        assert_eq!(date_time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(date_time(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(date_time(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(date_time(1_798_761_599_001), "2026-12-31T23:59:59.001Z");
        assert_eq!(date_time(-1), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_segment_begins_with_a_key_and_a_new_file_is_a_discontinuity() {
        let fragment = |offset, time, key| Fragment { offset, bytes: 50, time, duration: 4_000, key };
        let (one, two) = ([fragment(100, 8_000, true), fragment(150, 12_000, false)], [fragment(90, 16_000, true)]);
        let parts = [Part { name: "a.mp4", header_bytes: 80, fragments: &one }, Part { name: "b.mp4", header_bytes: 70, fragments: &two }];
        let text = media_playlist(&parts, 1_000, 0, true);
        let lines = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:8\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n\
            #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"a.mp4\",BYTERANGE=\"80@0\"\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:08.000Z\n\
            #EXTINF:8.00000,\n#EXT-X-BYTERANGE:100@100\na.mp4\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"b.mp4\",BYTERANGE=\"70@0\"\n\
            #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:16.000Z\n#EXTINF:4.00000,\n#EXT-X-BYTERANGE:50@90\nb.mp4\n#EXT-X-ENDLIST\n";
        assert_eq!(text, lines);
        let growing = media_playlist(&parts, 1_000, 0, false);
        assert!(growing.contains("TYPE:EVENT") && !growing.contains("ENDLIST") && growing.ends_with("\na.mp4\n"), "{growing}");
    }
}
