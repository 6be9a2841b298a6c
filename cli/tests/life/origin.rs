// SPDX-License-Identifier: Apache-2.0
//! An origin of plain threads: keep-alive, one note for every id; ids that begin with `slow` take their time.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// How long a slow answer takes.
pub(crate) const SLOW: Duration = Duration::from_millis(1_500);

/// Starts an origin that lives as long as the test process.
pub(crate) fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(&stream));
        }
    });
    address
}

fn serve(stream: &TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let id = line.split(' ').nth(1)?.rsplit('/').next()?.to_owned();
        loop {
            let mut field = String::new();
            reader.read_line(&mut field).ok()?;
            if field.trim().is_empty() {
                break;
            }
        }
        if id.starts_with("slow") {
            std::thread::sleep(SLOW);
        }
        let body = format!(r#"{{"id":"{id}","owner":"u-alice","text":"hello"}}"#);
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        (&mut &*stream).write_all(format!("{head}{body}").as_bytes()).ok()?;
    }
}
