//! Checks of what Python passes in; every refusal names the argument.

use jiangtai_core::layer::LAYERS;
use jiangtai_core::media::{Codec, CodecName, Extensions, Kind};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

fn bad(argument: &str, why: &str) -> PyErr {
    PyValueError::new_err(format!("{argument}: {why}"))
}

/// Ids are never 0.
pub fn id(argument: &str, id: u64) -> PyResult<u64> {
    if id == 0 {
        return Err(bad(argument, "0 is not an id"));
    }
    Ok(id)
}

pub fn ids(argument: &str, list: Vec<u64>) -> PyResult<Vec<u64>> {
    if list.len() > 64 {
        return Err(bad(argument, "at most 64"));
    }
    list.into_iter().map(|one| id(argument, one)).collect()
}

/// Non-empty printable ASCII of bounded length.
pub fn text(argument: &str, value: &str, limit: usize) -> PyResult<String> {
    if value.is_empty() || value.len() > limit || !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(bad(argument, &format!("1 to {limit} printable ASCII characters")));
    }
    Ok(value.to_owned())
}

pub fn kind(value: &str) -> PyResult<Kind> {
    match value {
        "audio" => Ok(Kind::Audio),
        "video" => Ok(Kind::Video),
        _ => Err(bad("kind", "audio or video")),
    }
}

/// (payload type, name, RTX payload type); payload types are 7 bits and distinct.
pub fn codecs(list: &[(u8, String, Option<u8>)]) -> PyResult<Vec<Codec>> {
    if list.is_empty() || list.len() > 16 {
        return Err(bad("codecs", "1 to 16"));
    }
    let mut seen = Vec::new();
    let mut codecs = Vec::new();
    for (pt, name, rtx_pt) in list {
        let name = CodecName::parse(name).ok_or_else(|| bad("codecs", "opus, red, vp8, h264, vp9 or av1"))?;
        for pt in std::iter::once(pt).chain(rtx_pt) {
            if *pt > 127 || seen.contains(pt) {
                return Err(bad("codecs", "payload types are 0 to 127 and distinct"));
            }
            seen.push(*pt);
        }
        codecs.push(Codec { pt: *pt, name, rtx_pt: *rtx_pt });
    }
    Ok(codecs)
}

/// At most three distinct simulcast layer names (RFC 8852).
pub fn rids(list: &[String]) -> PyResult<Vec<String>> {
    if list.len() > LAYERS {
        return Err(bad("rids", "at most 3"));
    }
    let rids: Vec<String> = list.iter().map(|rid| text("rids", rid, 16)).collect::<PyResult<_>>()?;
    if rids.iter().enumerate().any(|(n, rid)| rids.iter().take(n).any(|other| other == rid)) {
        return Err(bad("rids", "distinct"));
    }
    Ok(rids)
}

/// 32 bytes of hex, colons allowed, an algorithm name in front ignored if it is sha-256.
pub fn fingerprint(value: &str) -> PyResult<[u8; 32]> {
    let error = || bad("fingerprint", "SHA-256 as hex with colons");
    let hex = value.trim();
    let hex = hex.strip_prefix("sha-256 ").unwrap_or(hex);
    let mut bytes = [0u8; 32];
    let mut parts = hex.split(':');
    for byte in &mut bytes {
        let part = parts.next().filter(|part| part.len() == 2).ok_or_else(error)?;
        *byte = u8::from_str_radix(part, 16).map_err(|_| error())?;
    }
    match parts.next() {
        None => Ok(bytes),
        Some(_) => Err(error()),
    }
}

/// Known names only; ids 1 to 255 except 15 in one-byte form are the negotiation's business.
pub fn extensions(dict: &Bound<'_, PyDict>) -> PyResult<Extensions> {
    let mut extensions = Extensions::default();
    for (name, id) in dict.iter() {
        let (name, id): (String, u8) = (name.extract()?, id.extract()?);
        if id == 0 {
            return Err(bad("extensions", "ids are 1 to 255"));
        }
        let place = match name.as_str() {
            "mid" => &mut extensions.mid,
            "rid" => &mut extensions.rid,
            "rrid" => &mut extensions.rrid,
            "audio_level" => &mut extensions.audio_level,
            "twcc" => &mut extensions.twcc,
            "abs_send_time" => &mut extensions.abs_send_time,
            _ => return Err(bad("extensions", "unknown name")),
        };
        *place = Some(id);
    }
    Ok(extensions)
}
