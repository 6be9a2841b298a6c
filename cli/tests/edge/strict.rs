// SPDX-License-Identifier: Apache-2.0
//! A second, independent reading of HTTP/1 (RFC 9110, RFC 9112): no repair, no leniency, no code of the product. The
//! recording origin reads with it what the gate sends; the smuggling oracle reads with it what clients sent.

/// A request that leaves nothing to interpretation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) version: String,
    /// Names in lower case, values without the blanks around them.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) chunked: bool,
    /// The head as it came, with the empty line.
    pub(crate) head: Vec<u8>,
    /// Names of trailer fields.
    pub(crate) trailers: Vec<String>,
    /// Bytes of chunk extensions.
    pub(crate) extension_bytes: usize,
}

/// What stands at the start of some bytes.
#[derive(Debug)]
pub(crate) enum Reading {
    /// A request of this many bytes.
    Complete(Box<Message>, usize),
    /// The beginning of one; its head, when that is complete.
    Partial(Option<Box<Message>>),
    /// No request, and why.
    Malformed(&'static str),
}

enum Fault {
    More,
    Bad(&'static str),
}

type Read<T> = Result<T, Fault>;

impl Message {
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }

    /// The one value of a field that must stand once.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        match self.all(name)[..] {
            [value] => Some(value),
            _ => None,
        }
    }
}

/// Reads one request.
pub(crate) fn read(bytes: &[u8]) -> Reading {
    let mut message = Box::<Message>::default();
    let mut at = match head(bytes, &mut message) {
        Ok(at) => at,
        Err(Fault::More) => return Reading::Partial(None),
        Err(Fault::Bad(why)) => return Reading::Malformed(why),
    };
    match body(bytes, &mut at, &mut message) {
        Ok(()) => Reading::Complete(message, at),
        Err(Fault::More) => Reading::Partial(Some(message)),
        Err(Fault::Bad(why)) => Reading::Malformed(why),
    }
}

/// Every request up to the first that is none, and why that is none.
pub(crate) fn read_all(mut bytes: &[u8]) -> (Vec<Message>, Option<&'static str>) {
    let mut messages = Vec::new();
    loop {
        match read(bytes) {
            Reading::Complete(message, used) => {
                messages.push(*message);
                bytes = &bytes[used..];
            }
            Reading::Partial(_) => return (messages, None),
            Reading::Malformed(why) => return (messages, Some(why)),
        }
    }
}

/// A line without its CRLF. A lone CR or LF is a fault as soon as it is seen.
fn line<'a>(bytes: &'a [u8], at: &mut usize) -> Read<&'a [u8]> {
    let rest = &bytes[*at..];
    let Some(end) = rest.iter().position(|b| matches!(b, b'\r' | b'\n')) else { return Err(Fault::More) };
    match (rest[end], rest.get(end + 1)) {
        (b'\r', Some(b'\n')) => {
            *at += end + 2;
            Ok(&rest[..end])
        }
        (b'\r', None) => Err(Fault::More),
        _ => Err(Fault::Bad("a bare CR or LF")),
    }
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn head(bytes: &[u8], message: &mut Message) -> Read<usize> {
    let mut at = 0;
    let first = line(bytes, &mut at)?;
    let mut words = first.split(|b| *b == b' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Fault::Bad("request line"));
    };
    if method.is_empty() || !method.iter().copied().all(is_token_byte) {
        return Err(Fault::Bad("method"));
    }
    if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) || target.contains(&b'#') {
        return Err(Fault::Bad("target"));
    }
    if version != b"HTTP/1.1" && version != b"HTTP/1.0" {
        return Err(Fault::Bad("version"));
    }
    message.method = text(method);
    message.target = text(target);
    message.version = text(version);
    loop {
        let field = line(bytes, &mut at)?;
        if field.is_empty() {
            message.head = bytes[..at].to_vec();
            return Ok(at);
        }
        message.fields.push(field_line(field)?);
    }
}

fn field_line(field: &[u8]) -> Read<(String, String)> {
    let Some(colon) = field.iter().position(|b| *b == b':') else { return Err(Fault::Bad("no colon")) };
    let (name, value) = (&field[..colon], &field[colon + 1..]);
    if name.is_empty() || !name.iter().copied().all(is_token_byte) {
        return Err(Fault::Bad("field name"));
    }
    if !value.iter().all(|b| matches!(b, b' '..=b'~' | b'\t')) {
        return Err(Fault::Bad("field value"));
    }
    let value = text(value);
    Ok((text(name).to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn body(bytes: &[u8], at: &mut usize, message: &mut Message) -> Read<()> {
    let hosts = message.all("host").len();
    if hosts > 1 || (hosts == 0 && message.version == "HTTP/1.1") {
        return Err(Fault::Bad("host"));
    }
    let (lengths, codings) = (message.all("content-length"), message.all("transfer-encoding"));
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok(()),
        ([length], []) => {
            let length = plain_decimal(length).ok_or(Fault::Bad("content-length"))?;
            let end = at.checked_add(length).ok_or(Fault::Bad("content-length"))?;
            message.body = bytes.get(*at..end).ok_or(Fault::More)?.to_vec();
            *at = end;
            Ok(())
        }
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") && message.version == "HTTP/1.1" => {
            message.chunked = true;
            chunks(bytes, at, message)
        }
        _ => Err(Fault::Bad("framing")),
    }
}

fn plain_decimal(digits: &str) -> Option<usize> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    (plain && (digits == "0" || !digits.starts_with('0'))).then(|| digits.parse().ok())?
}

fn chunks(bytes: &[u8], at: &mut usize, message: &mut Message) -> Read<()> {
    loop {
        let size_line = line(bytes, at)?;
        let digits = size_line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let extension = &size_line[digits..];
        if digits == 0 || digits > 16 || !matches!(extension.first(), None | Some(b';')) {
            return Err(Fault::Bad("chunk size"));
        }
        if !extension.iter().all(|b| matches!(b, b' '..=b'~' | b'\t')) {
            return Err(Fault::Bad("chunk extension"));
        }
        message.extension_bytes += extension.len();
        let size = usize::from_str_radix(&text(&size_line[..digits]), 16).map_err(|_| Fault::Bad("chunk size"))?;
        if size == 0 {
            break;
        }
        let end = at.checked_add(size).ok_or(Fault::Bad("chunk size"))?;
        let data = bytes.get(*at..end).ok_or(Fault::More)?;
        match bytes.get(end..).unwrap_or_default() {
            [b'\r', b'\n', ..] => {}
            [] | [b'\r'] => return Err(Fault::More),
            _ => return Err(Fault::Bad("chunk end")),
        }
        message.body.extend_from_slice(data);
        *at = end + 2;
    }
    loop {
        let trailer = line(bytes, at)?;
        if trailer.is_empty() {
            return Ok(());
        }
        message.trailers.push(field_line(trailer)?.0);
    }
}

#[test]
fn the_second_reading_is_strict() {
    let good =
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;e=1\r\nhello\r\n0\r\nT: 1\r\n\r\nGET";
    let (messages, fault) = read_all(good);
    assert!(fault.is_none(), "{fault:?}");
    assert_eq!((messages.len(), messages[0].body.as_slice(), messages[0].extension_bytes), (1, &b"hello"[..], 4));
    assert_eq!(messages[0].trailers, ["t"]);
    for bad in [
        "GET /a HTTP/1.1\nHost: x\r\n\r\n",
        "GET  /a HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /a HTTP/1.1\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 01\r\n\r\na",
        "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "POST /a HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        assert!(matches!(read(bad.as_bytes()), Reading::Malformed(_)), "{bad:?}");
        for end in 0..bad.len() {
            assert!(!matches!(read(&bad.as_bytes()[..end]), Reading::Complete(..)), "{bad:?} cut at {end}");
        }
    }
}
