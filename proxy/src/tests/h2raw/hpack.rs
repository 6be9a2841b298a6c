// SPDX-License-Identifier: Apache-2.0
//! As much of RFC 7541 as a client needs that told its server to remember nothing.

/// Appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// Appendix B, for ASCII: code and length.
const CODES: [(u32, u8); 128] = [
    (0x1ff8, 13),
    (0x007f_ffd8, 23),
    (0x0fff_ffe2, 28),
    (0x0fff_ffe3, 28),
    (0x0fff_ffe4, 28),
    (0x0fff_ffe5, 28),
    (0x0fff_ffe6, 28),
    (0x0fff_ffe7, 28),
    (0x0fff_ffe8, 28),
    (0x00ff_ffea, 24),
    (0x3fff_fffc, 30),
    (0x0fff_ffe9, 28),
    (0x0fff_ffea, 28),
    (0x3fff_fffd, 30),
    (0x0fff_ffeb, 28),
    (0x0fff_ffec, 28),
    (0x0fff_ffed, 28),
    (0x0fff_ffee, 28),
    (0x0fff_ffef, 28),
    (0x0fff_fff0, 28),
    (0x0fff_fff1, 28),
    (0x0fff_fff2, 28),
    (0x3fff_fffe, 30),
    (0x0fff_fff3, 28),
    (0x0fff_fff4, 28),
    (0x0fff_fff5, 28),
    (0x0fff_fff6, 28),
    (0x0fff_fff7, 28),
    (0x0fff_fff8, 28),
    (0x0fff_fff9, 28),
    (0x0fff_fffa, 28),
    (0x0fff_fffb, 28),
    (0x14, 6),
    (0x3f8, 10),
    (0x3f9, 10),
    (0xffa, 12),
    (0x1ff9, 13),
    (0x15, 6),
    (0xf8, 8),
    (0x7fa, 11),
    (0x3fa, 10),
    (0x3fb, 10),
    (0xf9, 8),
    (0x7fb, 11),
    (0xfa, 8),
    (0x16, 6),
    (0x17, 6),
    (0x18, 6),
    (0x0, 5),
    (0x1, 5),
    (0x2, 5),
    (0x19, 6),
    (0x1a, 6),
    (0x1b, 6),
    (0x1c, 6),
    (0x1d, 6),
    (0x1e, 6),
    (0x1f, 6),
    (0x5c, 7),
    (0xfb, 8),
    (0x7ffc, 15),
    (0x20, 6),
    (0xffb, 12),
    (0x3fc, 10),
    (0x1ffa, 13),
    (0x21, 6),
    (0x5d, 7),
    (0x5e, 7),
    (0x5f, 7),
    (0x60, 7),
    (0x61, 7),
    (0x62, 7),
    (0x63, 7),
    (0x64, 7),
    (0x65, 7),
    (0x66, 7),
    (0x67, 7),
    (0x68, 7),
    (0x69, 7),
    (0x6a, 7),
    (0x6b, 7),
    (0x6c, 7),
    (0x6d, 7),
    (0x6e, 7),
    (0x6f, 7),
    (0x70, 7),
    (0x71, 7),
    (0x72, 7),
    (0xfc, 8),
    (0x73, 7),
    (0xfd, 8),
    (0x1ffb, 13),
    (0x0007_fff0, 19),
    (0x1ffc, 13),
    (0x3ffc, 14),
    (0x22, 6),
    (0x7ffd, 15),
    (0x3, 5),
    (0x23, 6),
    (0x4, 5),
    (0x24, 6),
    (0x5, 5),
    (0x25, 6),
    (0x26, 6),
    (0x27, 6),
    (0x6, 5),
    (0x74, 7),
    (0x75, 7),
    (0x28, 6),
    (0x29, 6),
    (0x2a, 6),
    (0x7, 5),
    (0x2b, 6),
    (0x76, 7),
    (0x2c, 6),
    (0x8, 5),
    (0x9, 5),
    (0x2d, 6),
    (0x77, 7),
    (0x78, 7),
    (0x79, 7),
    (0x7a, 7),
    (0x7b, 7),
    (0x7ffe, 15),
    (0x7fc, 11),
    (0x3ffd, 14),
    (0x1ffd, 13),
    (0x0fff_fffc, 28),
];

/// A string without compression.
pub(super) fn string(bytes: &mut Vec<u8>, text: &str) {
    integer(bytes, 7, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn integer(bytes: &mut Vec<u8>, prefix: u32, value: usize) {
    let max = (1 << prefix) - 1;
    if value < max {
        bytes.push(u8::try_from(value).unwrap());
        return;
    }
    bytes.push(u8::try_from(max).unwrap());
    let mut rest = value - max;
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap() | 0x80);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
}

/// The fields of a header block.
pub(super) fn fields(block: &[u8]) -> Vec<(String, String)> {
    let mut reader = Reader(block);
    let mut fields = Vec::new();
    while let Some(first) = reader.0.first().copied() {
        if first & 0x80 != 0 {
            let (name, value) = STATIC[reader.integer(7) - 1];
            fields.push((name.to_owned(), value.to_owned()));
        } else if first & 0xe0 == 0x20 {
            assert_eq!(reader.integer(5), 0, "a table although none was offered");
        } else {
            let index = reader.integer(if first & 0x40 != 0 { 6 } else { 4 });
            let name = if index == 0 { reader.string() } else { STATIC[index - 1].0.to_owned() };
            fields.push((name, reader.string()));
        }
    }
    fields
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap();
        self.0 = rest;
        *first
    }

    fn integer(&mut self, prefix: u32) -> usize {
        let max = (1_usize << prefix) - 1;
        let mut value = usize::from(self.byte()) & max;
        if value < max {
            return value;
        }
        for shift in (0..28).step_by(7) {
            let byte = self.byte();
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return value;
            }
        }
        panic!("an integer without an end")
    }

    fn string(&mut self) -> String {
        let huffman = self.0[0] & 0x80 != 0;
        let length = self.integer(7);
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        if huffman { expand(text) } else { String::from_utf8(text.to_vec()).unwrap() }
    }
}

fn expand(packed: &[u8]) -> String {
    let (mut text, mut code, mut length) = (String::new(), 0_u32, 0_u8);
    for bit in packed.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)) {
        code = code << 1 | u32::from(bit);
        length += 1;
        if let Some(at) = CODES.iter().position(|known| *known == (code, length)) {
            text.push(char::from(u8::try_from(at).unwrap()));
            (code, length) = (0, 0);
        }
    }
    assert!(length < 8 && code == (1 << length) - 1, "padding is ones");
    text
}
