//! One HTTP/1.1 request and its response over a non-blocking socket (RFC 9112): plain, one connection per request, bodies of known length,
//! chunked, or to the end of the connection.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

/// Larger responses are an error.
const LARGEST: usize = 4 << 20;
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    pub method: &'static str,
    pub url: String,
    pub token: Option<String>,
    pub kind: &'static str,
    pub body: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    pub status: u16,
    pub location: Option<String>,
    pub body: String,
}

/// The parts of a plain http URL: authority and path.
pub fn split_url(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    (!authority.is_empty()).then_some((authority, if path.is_empty() { "/" } else { path }))
}

/// `location` as the response to a request for `url` means it (RFC 3986 section 5, absolute URLs and absolute paths only).
pub fn resolve(url: &str, location: &str) -> String {
    match split_url(url) {
        Some((authority, _)) if location.starts_with('/') => format!("http://{authority}{location}"),
        _ => location.into(),
    }
}

impl Request {
    fn encode(&self, authority: &str, path: &str) -> Vec<u8> {
        let Request { method, token, kind, body, .. } = self;
        let token = token.as_ref().map(|t| format!("Authorization: Bearer {t}\r\n")).unwrap_or_default();
        let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        let len = body.len();
        format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n{token}{kind}Content-Length: {len}\r\n\r\n{body}")
            .into()
    }
}

/// None: more is needed; `ended`: nothing more will come.
fn decode(bytes: &[u8], ended: bool) -> Result<Option<Response>, String> {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        return if ended { Err("connection closed before a response".into()) } else { Ok(None) };
    };
    let head = String::from_utf8_lossy(&bytes[..end]);
    let body = &bytes[end + 4..];
    let mut lines = head.split("\r\n");
    let status: u16 = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).ok_or("not HTTP")?;
    let (mut location, mut length, mut chunked) = (None, None, false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match name.trim().to_ascii_lowercase().as_str() {
            "location" => location = Some(value.trim().to_string()),
            "content-length" => length = Some(value.trim().parse::<usize>().map_err(|_| "bad Content-Length")?),
            "transfer-encoding" => chunked = value.to_ascii_lowercase().contains("chunked"),
            _ => {}
        }
    }
    let body = if chunked {
        let Some(body) = unchunk(body)? else {
            return if ended { Err("response was cut".into()) } else { Ok(None) };
        };
        body
    } else {
        match length {
            Some(length) if body.len() < length => return if ended { Err("response was cut".into()) } else { Ok(None) },
            Some(length) => body[..length].to_vec(),
            None if !ended && !matches!(status, 204 | 304) => return Ok(None),
            None => body.to_vec(),
        }
    };
    Ok(Some(Response { status, location, body: String::from_utf8_lossy(&body).into_owned() }))
}

/// None: more is needed.
fn unchunk(mut bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    loop {
        let Some(end) = bytes.windows(2).position(|w| w == b"\r\n") else { return Ok(None) };
        let size = String::from_utf8_lossy(&bytes[..end]);
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).map_err(|_| "bad chunk")?;
        if size > LARGEST {
            return Err("bad chunk".into());
        }
        if size == 0 {
            return Ok(Some(body));
        }
        let Some(chunk) = bytes.get(end + 2..end + 2 + size) else { return Ok(None) };
        body.extend(chunk);
        let Some(rest) = bytes.get(end + 2 + size + 2..) else { return Ok(None) };
        bytes = rest;
    }
}

/// A request under way.
pub struct Exchange {
    stream: TcpStream,
    incoming: Vec<u8>,
}

impl Exchange {
    /// Connects and sends, waiting for that (requests are small, servers near).
    pub fn start(request: &Request) -> Result<Exchange, String> {
        let (authority, path) = split_url(&request.url).ok_or_else(|| format!("not a plain http URL: {}", request.url))?;
        let with_port =
            if authority.rsplit(']').next().unwrap_or_default().contains(':') { authority.into() } else { format!("{authority}:80") };
        let address: SocketAddr =
            with_port.to_socket_addrs().ok().and_then(|mut a| a.next()).ok_or_else(|| format!("unknown host {authority}"))?;
        let send = || {
            let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.write_all(&request.encode(authority, path))?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        };
        let stream = send().map_err(|e: std::io::Error| format!("{authority}: {e}"))?;
        Ok(Exchange { stream, incoming: Vec::new() })
    }

    pub fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Receives what is there; the response when it is complete.
    pub fn drive(&mut self) -> Result<Option<Response>, String> {
        let mut buffer = [0; 16_384];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return decode(&self.incoming, true),
                Ok(n) if self.incoming.len() + n <= LARGEST => self.incoming.extend(&buffer[..n]),
                Ok(_) => return Err("response too large".into()),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return decode(&self.incoming, false),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e.to_string()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_complete_at_every_framing_and_not_before() {
        let known = b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\nLocation: /r/1\r\n\r\nabc";
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n";
        for (bytes, location) in [(&known[..], Some("/r/1".into())), (&chunked[..chunked.len() - 2], None)] {
            assert!((0..bytes.len() - 1).all(|cut| matches!(decode(&bytes[..cut], false), Ok(None))));
            assert!((0..bytes.len() - 3).all(|cut| decode(&bytes[..cut], true).is_err()));
            let response = decode(bytes, false).unwrap().unwrap();
            assert_eq!((response.body.as_str(), response.location), ("abc", location));
        }
        let open = b"HTTP/1.0 200 OK\r\n\r\nabc";
        assert_eq!(decode(open, false), Ok(None));
        assert_eq!(decode(open, true).unwrap().unwrap().body, "abc");
        assert!(decode(b"SSH-2.0\r\n\r\n", false).is_err());
    }

    #[test]
    fn urls() {
        assert_eq!(split_url("http://a:1/b/c?d"), Some(("a:1", "/b/c?d")));
        assert_eq!(split_url("http://a"), Some(("a", "/")));
        assert_eq!(split_url("https://a/"), None);
        assert_eq!(resolve("http://a:1/b", "/c"), "http://a:1/c");
        assert_eq!(resolve("http://a:1/b", "http://d/c"), "http://d/c");
    }

    #[test]
    fn a_request_over_a_real_socket() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/whip", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"v=0") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok").unwrap();
            String::from_utf8(request).unwrap()
        });
        let request = Request { method: "POST", url, token: Some("t".into()), kind: "application/sdp", body: "v=0".into() };
        let mut exchange = Exchange::start(&request).unwrap();
        let response = loop {
            match exchange.drive().unwrap() {
                Some(response) => break response,
                None => std::thread::yield_now(),
            }
        };
        assert_eq!((response.status, response.body.as_str()), (201, "ok"));
        let request = server.join().unwrap();
        assert!(request.starts_with("POST /whip HTTP/1.1\r\n") && request.contains("Authorization: Bearer t\r\n"));
    }
}
