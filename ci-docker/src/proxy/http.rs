//! The heads of requests, as far as a filter has to know them (RFC 9112): read once, written anew, so
//! that the engine reads them as the filter did.

use std::fmt::Write as _;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// How long a head may be.
const HEAD: usize = 64 * 1024;

/// How long a body may be that is looked into.
const BODY: usize = 8 * 1024 * 1024;

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) path: String,
    /// Names and values as they are written, encoded.
    pub(super) query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
}

/// A request whose head was read, and what came with it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) head: Head,
    /// The first bytes of the body, or what comes after it.
    pub(super) rest: Vec<u8>,
}

fn bad(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Reads up to the end of a head. None if there is none any more.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            let text = std::str::from_utf8(&bytes[..end]).map_err(|_| bad("not text"))?;
            let head = parse(text)?;
            return Ok(Some(Request { head, rest }));
        }
        if bytes.len() > HEAD {
            return Err(bad("the head is too long"));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return if bytes.is_empty() {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
    }
}

fn parse(text: &str) -> io::Result<Head> {
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let mut words = first.split(' ');
    let words = [words.next(), words.next(), words.next(), words.next()];
    let [
        Some(method),
        Some(target),
        Some("HTTP/1.1" | "HTTP/1.0"),
        None,
    ] = words
    else {
        return Err(bad("no request line"));
    };
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| bad("no header"))?;
        let is_plain = |it: char| it.is_ascii_graphic();
        // A folded or strange line is read in two ways by two programs.
        if name.is_empty() || !name.chars().all(is_plain) || value.contains(['\r', '\n', '\0']) {
            return Err(bad("a strange header"));
        }
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if !path.starts_with('/') {
        return Err(bad("no path"));
    }
    let query = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        });
    Ok(Head {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.collect(),
        headers,
    })
}

impl Head {
    fn header(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(it, _)| it.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether the connection is to become something else than HTTP.
    pub(super) fn is_upgrade(&self) -> bool {
        self.header("upgrade").next().is_some()
    }

    /// The length of the body. None if it comes in pieces; an error if two programs could read two.
    pub(super) fn length(&self) -> io::Result<Option<usize>> {
        let lengths: Vec<&str> = self.header("content-length").collect();
        let pieces: Vec<&str> = self.header("transfer-encoding").collect();
        match (lengths.as_slice(), pieces.as_slice()) {
            ([], []) => Ok(Some(0)),
            ([length], []) => {
                let length = length.parse().map_err(|_| bad("a strange length"))?;
                Ok(Some(length))
            }
            ([], [only]) if only.eq_ignore_ascii_case("chunked") => Ok(None),
            _ => Err(bad("the length of the body is told twice")),
        }
    }

    /// The value of a query, decoded.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let mut found = self.query.iter().filter(|(it, _)| decoded(it) == name);
        found.next().map(|(_, value)| decoded(value))
    }

    /// Sets a query, which then is there once.
    pub(super) fn set_query(&mut self, name: &str, value: &str) {
        self.query.retain(|(it, _)| decoded(it) != name);
        self.query.push((name.to_owned(), encoded(value)));
    }

    /// The head as the engine gets it: for one request, or one that upgrades. `length` is that of a body
    /// that was written anew.
    pub(super) fn written(&self, length: Option<usize>) -> Vec<u8> {
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let query = query.join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        let mut text = format!("{} {}{mark}{query} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            let is_ours = name.eq_ignore_ascii_case("connection")
                || (length.is_some() && name.eq_ignore_ascii_case("content-length"));
            if !is_ours {
                let _ = write!(text, "{name}: {value}\r\n");
            }
        }
        if let Some(length) = length {
            let _ = write!(text, "Content-Length: {length}\r\n");
        }
        // One request a connection: what comes after it is never taken for another one.
        let connection = if self.is_upgrade() {
            "Upgrade"
        } else {
            "close"
        };
        let _ = write!(text, "Connection: {connection}\r\n\r\n");
        text.into_bytes()
    }
}

/// Reads a whole body. `rest` is what came of it already, and keeps what comes after it.
pub(super) async fn body(
    stream: &mut (impl AsyncRead + Unpin),
    head: &Head,
    rest: &mut Vec<u8>,
) -> io::Result<Vec<u8>> {
    let length = head.length()?;
    let length = length.ok_or_else(|| bad("a body in pieces cannot be looked into"))?;
    if length > BODY {
        return Err(bad("the body is too long"));
    }
    while rest.len() < length {
        if stream.read_buf(rest).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let after = rest.split_off(length);
    Ok(std::mem::replace(rest, after))
}

/// An answer of the filter's own, in the form of the engine's errors.
pub(super) fn answer(status: &str, message: &str) -> Vec<u8> {
    let body = serde_json::json!({ "message": message }).to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Text of a query without its escapes.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |it: Option<u8>| it.and_then(|it| char::from(it).to_digit(16));
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut ahead = rest.clone();
                if let (Some(high), Some(low)) = (hex(ahead.next()), hex(ahead.next())) {
                    bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                    rest = ahead;
                } else {
                    bytes.push(byte);
                }
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Text with the escapes of a query.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| match byte {
            byte if plain(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn request(text: &str) -> io::Result<Request> {
        let mut bytes = text.as_bytes();
        Ok(read(&mut bytes).await?.unwrap())
    }

    #[tokio::test]
    async fn a_request_is_written_as_it_was_read() {
        let text = "POST /v1.41/build?t=a%3Ab&x= HTTP/1.1\r\nHost: d\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}after";
        let mut request = request(text).await.unwrap();
        assert_eq!(request.head.query("t").as_deref(), Some("a:b"));
        request.head.set_query("labels", r#"{"a":"b c"}"#);
        let mut none: &[u8] = &[];
        let read = body(&mut none, &request.head, &mut request.rest)
            .await
            .unwrap();
        assert_eq!(
            (read.as_slice(), request.rest.as_slice()),
            (&b"{}"[..], &b"after"[..])
        );
        let written = String::from_utf8(request.head.written(Some(3))).unwrap();
        assert_eq!(
            written,
            "POST /v1.41/build?t=a%3Ab&x=&labels=%7B%22a%22%3A%22b%20c%22%7D HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(decoded("%7B%22a%22%3A%22b+c%22%7D%"), r#"{"a":"b c"}%"#);
    }

    #[tokio::test]
    async fn what_two_programs_read_in_two_ways_is_refused() {
        for text in [
            "GET / HTTP/2.0\r\n\r\n",
            "GET  / HTTP/1.1\r\n\r\n",
            "GET http://x/ HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nA : b\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\nX: c\r\n\r\n",
        ] {
            assert!(request(text).await.is_err(), "{text:?}");
        }
        for headers in [
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Content-Length: x",
        ] {
            let text = format!("POST / HTTP/1.1\r\n{headers}\r\n\r\n");
            let request = request(&text).await.unwrap();
            assert!(request.head.length().is_err(), "{headers}");
        }
    }
}
