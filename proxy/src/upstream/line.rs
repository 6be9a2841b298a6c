// SPDX-License-Identifier: Apache-2.0
//! One HTTP/1.1 connection to an upstream: its transport, what waits to be sent and to be read, and its deadlines.
//!
//! Whoever has the connection drives it: there is no task beside that of the request, so nothing is handed from one
//! to the other, and a request that is dropped closes its connection at once.

use crate::deadline::Deadline;
use crate::outlet::Outlet;
use crate::tls::Offer;
use crate::upstream::addresses::Addresses;
use crate::upstream::carrier::Carrier;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::outgoing::{Draft, OutgoingBody};
use crate::upstream::target::{Carriage, Target};
use crate::worker::Worker;
use bytes::BytesMut;
use portcullis_pipeline::BodyFault;
use portcullis_wire::{AnswerFault, AnswerHead, AnswerScan, AnswerScanned};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::net::TcpStream;

/// Room made for reading a head at once; small bodies fit as well.
const READ_BYTES: usize = 4 * 1024;
/// The same for what is left of a large body: the most of an answer that waits here (T57).
const READ_BODY_BYTES: usize = 16 * 1024;
/// Less room than this is made larger first.
const READ_BYTES_MIN: usize = 1024;
/// A buffer that has grown beyond this is not kept by an idle connection.
const BUFFER_BYTES_KEPT_MAX: usize = 16 * 1024;

/// A connection.
#[derive(Debug)]
pub(crate) struct Line {
    /// The core it belongs to.
    pub(crate) worker: Arc<Worker>,
    carrier: Carrier,
    outlet: Outlet,
    /// Read and not yet taken.
    pub(crate) buffer: BytesMut,
    peer: SocketAddr,
    /// Of the target's addresses when it was opened.
    generation: u32,
    /// Next byte expected of the upstream.
    pub(crate) step: Arc<Deadline>,
    /// The whole exchange.
    pub(crate) total: Arc<Deadline>,
    /// Whether any byte of the current answer was seen.
    answered: bool,
    sending: Sending,
    /// While idle: when it is closed, in the core's milliseconds.
    idle_until_ms: u64,
}

/// How far the request is with the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    /// Not all of it was taken.
    Open,
    /// The upstream has it.
    Done,
    /// The upstream takes no more of it. It may have said why.
    Broken,
}

/// What a request may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For the upstream's next move, until its answer begins.
    pub(crate) first_byte: Duration,
    pub(crate) total: Duration,
}

/// Why there is no head of an answer.
#[derive(Debug)]
pub(crate) enum NoHead {
    /// The connection ended.
    Closed,
    /// It failed.
    Failed(io::Error),
    /// What came is no answer (T18), or an answer to nothing.
    Disbelieved,
}

impl From<AnswerFault> for NoHead {
    fn from(_: AnswerFault) -> Self {
        Self::Disbelieved
    }
}

impl Line {
    /// A connection over a transport that stands, to a peer of the target's addresses of that generation.
    pub(crate) fn over(worker: &Arc<Worker>, carrier: Carrier, (peer, generation): (SocketAddr, u32)) -> Box<Self> {
        Box::new(Self {
            worker: Arc::clone(worker),
            carrier,
            outlet: Outlet::new(),
            buffer: BytesMut::new(),
            peer,
            generation,
            step: worker.deadlines.register(),
            total: worker.deadlines.register(),
            answered: false,
            sending: Sending::Open,
            idle_until_ms: 0,
        })
    }

    /// A request begins.
    pub(crate) fn begin(&mut self, draft: &Draft, target: &Target, patience: Patience) {
        draft.write(target, &mut self.outlet);
        self.answered = false;
        self.sending = Sending::Open;
        self.arm(patience);
    }

    fn arm(&self, Patience { first_byte, total }: Patience) {
        // The whole is never shorter than a step: one of the two is enough to wait for.
        self.step.arm(first_byte.min(total));
        self.total.arm(total);
    }

    /// Sends what there is of the request, its body too as it comes. `patience`: the upstream's time runs only while
    /// it is the upstream that is waited for. Only a body that fails is an error: an upstream that takes no more of it
    /// may have answered.
    pub(crate) fn poll_send(
        &mut self,
        body: &mut OutgoingBody,
        patience: Option<Patience>,
        cx: &mut Context<'_>,
    ) -> Result<(), BodyFault> {
        while self.sending == Sending::Open {
            let offered = self.offer(body, cx)?;
            if let (Some(patience), OutgoingBody::Stream(_)) = (patience, &*body) {
                match offered {
                    Offered::WaitsForClient => {
                        self.step.clear();
                        self.total.clear();
                    }
                    Offered::Moved => self.arm(patience),
                    Offered::Nothing => {}
                }
            }
            match self.outlet.poll_write(cx, &mut self.carrier) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(_)) => self.sending = Sending::Broken,
                Poll::Ready(Ok(())) if self.outlet.is_complete() => self.sending = Sending::Done,
                Poll::Ready(Ok(())) if offered == Offered::WaitsForClient => return Ok(()),
                Poll::Ready(Ok(())) => {}
            }
        }
        Ok(())
    }

    /// Puts the next piece of the body into the outlet.
    fn offer(&mut self, body: &mut OutgoingBody, cx: &mut Context<'_>) -> Result<Offered, BodyFault> {
        let OutgoingBody::Stream(stream) = body else { return Ok(Offered::Nothing) };
        if self.outlet.is_complete() || !self.outlet.has_room() {
            return Ok(Offered::Nothing);
        }
        let put = match stream.poll_data(cx) {
            Poll::Pending => return Ok(Offered::WaitsForClient),
            Poll::Ready(Some(data)) => self.outlet.push(data?),
            Poll::Ready(None) => self.outlet.finish(),
        };
        // More or less than it said.
        put.map(|()| Offered::Moved).map_err(|_| BodyFault::Malformed)
    }

    /// Reads the head of the answer.
    pub(crate) fn poll_head(
        &mut self,
        scan: &mut AnswerScan,
        to_head: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<AnswerHead, NoHead>> {
        loop {
            match ready!(self.poll_fill(0, cx)) {
                Ok(0) if self.answered => return Poll::Ready(Err(NoHead::Disbelieved)),
                Ok(0) => return Poll::Ready(Err(NoHead::Closed)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(NoHead::Failed(error))),
            }
            self.answered = true;
            if self.outlet.is_untouched() {
                return Poll::Ready(Err(NoHead::Disbelieved));
            }
            match scan.head(&mut self.buffer, to_head) {
                AnswerScanned::NeedMore => {}
                AnswerScanned::Head(head) => return Poll::Ready(Ok(head)),
                AnswerScanned::Refused(fault) => return Poll::Ready(Err(fault.into())),
            }
        }
    }

    /// Reads what there is, as far as there is room, for a body with so many bytes to come; 0: no more comes.
    pub(crate) fn poll_fill(&mut self, expected: u64, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.buffer.capacity().saturating_sub(self.buffer.len()) < READ_BYTES_MIN {
            let more = usize::try_from(expected).unwrap_or(READ_BODY_BYTES);
            self.buffer.reserve(more.clamp(READ_BYTES, READ_BODY_BYTES));
        }
        pin!(self.carrier.read_buf(&mut self.buffer)).poll(cx)
    }

    /// Whether any byte of the current answer was seen.
    pub(crate) fn has_answered(&self) -> bool {
        self.answered
    }

    /// Whether the upstream took nothing of the current request.
    pub(crate) fn is_untouched(&self) -> bool {
        self.outlet.is_untouched()
    }

    /// Whether more of the request is to be sent.
    pub(crate) fn is_sending(&self) -> bool {
        self.sending == Sending::Open
    }

    /// Whether another request may follow: this one was taken whole before it was answered, so that nobody wonders
    /// what its rest will be taken for (SM-13), and nothing came behind its answer.
    pub(crate) fn is_reusable(&self) -> bool {
        self.sending == Sending::Done && self.buffer.is_empty()
    }

    /// The connection is no longer one of HTTP: its transport, and what came behind the last head.
    pub(crate) fn into_transport(self) -> (Carrier, BytesMut) {
        (self.carrier, self.buffer)
    }

    /// The exchange is over and the connection waits for the next.
    pub(crate) fn rest(&mut self, idle: Duration) {
        self.step.clear();
        self.total.clear();
        if self.buffer.capacity() > BUFFER_BYTES_KEPT_MAX {
            self.buffer = BytesMut::new();
        }
        let idle_ms = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        self.idle_until_ms = self.worker.deadlines.now_ms().saturating_add(idle_ms);
    }

    /// Whether it may wait on, or be used, after it has rested: its time is not up, and nothing came in, neither an
    /// end nor an answer to nothing (T18). Costs no system call unless something did.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut cx = Context::from_waker(Waker::noop());
        self.worker.deadlines.now_ms() < self.idle_until_ms
            && Pin::new(&mut self.carrier).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    /// Whether it leads to where the target is now.
    pub(crate) fn is_current(&self, addresses: &Addresses) -> bool {
        addresses.leads_to(self.peer, self.generation)
    }
}

/// What was found to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offered {
    /// All there is waits to be taken.
    Nothing,
    /// A piece, or the end.
    Moved,
    /// The next piece is not here.
    WaitsForClient,
}

/// Opens a connection.
pub(crate) async fn connect(worker: &Arc<Worker>, endpoint: &Endpoint, patience: Duration) -> io::Result<Box<Line>> {
    let dialled = dial(worker, endpoint, patience, Offer::One);
    let (carrier, peer) = tokio::time::timeout(patience, dialled).await??;
    Ok(Line::over(worker, carrier, (peer, endpoint.addresses.generation_of(peer))))
}

/// `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM` and `EADDRNOTAVAIL` of Linux.
const OUR_ERRORS: [i32; 5] = [24, 23, 105, 12, 99];

/// Whether a connection failed because this machine or process has no more to give.
pub(crate) fn is_ours(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| OUR_ERRORS.contains(&number))
}

/// A transport to one of the target's addresses; none of them may use up the time of the others.
pub(crate) async fn dial(
    worker: &Arc<Worker>,
    endpoint: &Endpoint,
    patience: Duration,
    offer: Offer,
) -> io::Result<(Carrier, SocketAddr)> {
    let beside = |work| worker.upstream_tasks.spawn(work);
    let addresses = endpoint.addresses.to_try(worker.deadlines.now_ms(), beside).await?;
    let each = patience.checked_div(u32::try_from(addresses.len()).unwrap_or(1)).unwrap_or(patience);
    let mut last = io::ErrorKind::NotFound.into();
    for address in addresses {
        match tokio::time::timeout(each, open(endpoint, address, offer)).await {
            Ok(Ok(carrier)) => return Ok((carrier, address)),
            Ok(Err(error)) => last = error,
            Err(late) => last = late.into(),
        }
    }
    Err(last)
}

/// A connection to one address, with the handshake where the target says `https`.
async fn open(endpoint: &Endpoint, address: SocketAddr, offer: Offer) -> io::Result<Carrier> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    match (endpoint.target.scheme, &endpoint.tls) {
        (Carriage::Plain, _) => Ok(Carrier::Plain(socket)),
        (Carriage::Tls, Some(tls)) => {
            // On the heap while it lasts: it is far larger than what a plain connection needs here.
            let shaken = Box::pin(tls.connect(socket, &endpoint.target.host_name(), offer)).await?;
            Ok(Carrier::Tls(Box::new(shaken)))
        }
        // Never plain where TLS was asked for.
        (Carriage::Tls, None) => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f36_running_out_of_descriptors_is_not_the_upstreams_fault() {
        assert!(OUR_ERRORS.iter().all(|number| is_ours(&io::Error::from_raw_os_error(*number))));
        for theirs in [io::ErrorKind::ConnectionRefused, io::ErrorKind::TimedOut, io::ErrorKind::HostUnreachable] {
            assert!(!is_ours(&theirs.into()), "{theirs}");
        }
        assert!(!is_ours(&io::Error::from_raw_os_error(111)));
    }
}
