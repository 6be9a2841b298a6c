// SPDX-License-Identifier: Apache-2.0
//! One process takes the place of another without a refused connection (F06).
//!
//! A gateway listens at a door, a Unix socket beside its data that only its own user may knock at. A new process knocks
//! and is given copies of the listening sockets, so that from then on somebody always holds them and the kernel queues
//! whoever connects. When the new one has loaded and checked everything it says `go`: the old one answers what is under
//! way, ends the trail with a last checkpoint and says `done`; only then the new one opens the trail. So the trail has
//! one writer at any time, and connections wait for as long as that takes.

use super::sockets::{SOCKETS_MAX, Sockets};
use super::unusable;
use crate::outcome::Failure;
use parking_lot::Mutex;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The door's name below the data directory.
const DOOR: &str = "take-over.sock";
/// First word of whoever opens.
const GREETING: &str = "portcullis-take-over/1";
const GO: &[u8] = b"go\n";
const CLOSED: u8 = b'c';
const DONE: u8 = b'd';
/// How long the other side may take for a word.
const WORD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the old process may take to end what is under way: its drain, and the trail.
const DONE_TIMEOUT: Duration = Duration::from_mins(1);

/// The sockets a gateway can give away, until it has none any more.
pub(super) type Held = Arc<Mutex<Option<Sockets>>>;

/// Where a running gateway can be asked for its place.
#[derive(Debug)]
pub(super) struct Door {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Door {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}

/// A process that is ready to go on.
#[derive(Debug)]
pub(super) struct Successor(UnixStream);

impl Door {
    /// Opens the door. Whoever holds the trail's lock is the only one to do so.
    pub(super) fn open(data: &Path) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = data.join(DOOR);
        drop(std::fs::remove_file(&path));
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    /// Waits for a process that is ready to go on; one that gives up changes nothing. Blocks.
    pub(super) fn wait(&self, held: &Held) -> io::Result<Successor> {
        loop {
            let (stream, _) = self.listener.accept()?;
            if let Ok(successor) = welcome(stream, held) {
                return Ok(successor);
            }
        }
    }
}

/// Gives a visitor the sockets and waits for its word.
fn welcome(stream: UnixStream, held: &Held) -> io::Result<Successor> {
    if socket_peercred(&stream)?.uid != rustix::process::geteuid() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    stream.set_write_timeout(Some(WORD_TIMEOUT))?;
    give(&stream, held.lock().as_ref().ok_or(io::ErrorKind::NotConnected)?)?;
    // Loading may take as long as it takes; a visitor that dies closes the stream.
    let mut word = [0; GO.len()];
    (&stream).read_exact(&mut word)?;
    if word == GO { Ok(Successor(stream)) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn give(stream: &UnixStream, sockets: &Sockets) -> io::Result<()> {
    let (public, admin) = (&sockets.public, sockets.admin.as_ref());
    let all: Vec<BorrowedFd<'_>> = public.iter().chain(admin).map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&all)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let greeting = format!("{GREETING} {} {}\n", public.len(), usize::from(admin.is_some()));
    sendmsg(stream, &[IoSlice::new(greeting.as_bytes())], &mut control, SendFlags::empty())?;
    Ok(())
}

impl Successor {
    /// Whether it is still there.
    pub(super) fn is_there(&self) -> bool {
        let mut byte = [0];
        // It says nothing after its word: anything but silence is its end.
        self.0.set_nonblocking(true).is_ok()
            && matches!((&self.0).read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            && self.0.set_nonblocking(false).is_ok()
    }

    /// From here on connections wait for it.
    pub(super) fn closed(&mut self) -> io::Result<()> {
        self.0.write_all(&[CLOSED])
    }

    /// The trail is free.
    pub(super) fn done(mut self) -> io::Result<()> {
        self.0.write_all(&[DONE])
    }
}

/// A running gateway whose place is being taken.
#[derive(Debug)]
pub(super) struct Predecessor(UnixStream);

/// Knocks at the door of a running gateway and is given its sockets.
pub(super) fn knock(data: &Path) -> Result<(Predecessor, Sockets), Failure> {
    let path = data.join(DOOR);
    let refused = |error: io::Error| {
        unusable(
            format!("no gateway at `{}` gives up its place: {error}", path.display()),
            "start without --take-over where none runs",
        )
    };
    let stream = UnixStream::connect(&path).map_err(refused)?;
    receive(&stream).map(|sockets| (Predecessor(stream), sockets)).map_err(refused)
}

fn receive(stream: &UnixStream) -> io::Result<Sockets> {
    if socket_peercred(stream)?.uid != rustix::process::geteuid() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    stream.set_read_timeout(Some(WORD_TIMEOUT))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 128];
    let message = recvmsg(stream, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut listeners: Vec<TcpListener> = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
            _ => None,
        })
        .flatten()
        .map(TcpListener::from)
        .collect();
    let text = std::str::from_utf8(bytes.get(..message.bytes).unwrap_or_default()).unwrap_or_default();
    let mut words = text.trim_end().split(' ');
    let greeted = words.next() == Some(GREETING);
    let (public, admin) = (number(words.next()), number(words.next()));
    if !greeted || public == 0 || listeners.len() != public.saturating_add(admin) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it speaks another version of the hand-over"));
    }
    let admin = if admin == 1 { listeners.pop() } else { None };
    Ok(Sockets { public: listeners, admin })
}

fn number(word: Option<&str>) -> usize {
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

impl Predecessor {
    /// Everything here is ready. Returns when the trail is free; `closed` is called when connections begin to wait.
    /// Blocks.
    pub(super) fn go(mut self, closed: impl FnOnce()) -> io::Result<()> {
        self.0.write_all(GO)?;
        self.0.set_read_timeout(Some(DONE_TIMEOUT))?;
        let mut byte = [0];
        self.0.read_exact(&mut byte)?;
        if byte != [CLOSED] {
            return Err(io::ErrorKind::InvalidData.into());
        }
        closed();
        match self.0.read_exact(&mut byte) {
            // The old process may end before its last word is read: the lock of the trail decides.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            other => other,
        }
    }
}
