// SPDX-License-Identifier: Apache-2.0
//! A body that does what it is told.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use portcullis_pipeline::{BodyFault, Flow, OriginBody};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Fault(BodyFault),
    Panic,
    /// Never again.
    Stall,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Steps {
    steps: VecDeque<Step>,
    exact: bool,
}

impl Steps {
    /// A body of known length.
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let steps = if bytes.is_empty() { VecDeque::new() } else { VecDeque::from([Step::Data(bytes)]) };
        Self { steps, exact: true }
    }

    /// A body whose length nobody knows.
    pub(crate) fn stream(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), exact: false }
    }

    /// Everything it says, put together.
    pub(crate) fn all(&self) -> Bytes {
        let data =
            self.steps.iter().filter_map(|step| if let Step::Data(bytes) = step { Some(&bytes[..]) } else { None });
        data.collect::<Vec<_>>().concat().into()
    }
}

pub(crate) fn data(bytes: impl Into<Bytes>) -> Step {
    Step::Data(bytes.into())
}

impl Body for Steps {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match self.steps.pop_front() {
            None => Poll::Ready(None),
            Some(Step::Data(bytes)) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Some(Step::Trailers(fields)) => Poll::Ready(Some(Ok(Frame::trailers(fields)))),
            Some(Step::Fault(fault)) => Poll::Ready(Some(Err(fault))),
            Some(Step::Panic) => panic!("the body of a test panics"),
            Some(Step::Stall) => {
                self.steps.push_front(Step::Stall);
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.exact { SizeHint::with_exact(self.all().len() as u64) } else { SizeHint::default() }
    }
}

impl OriginBody for Steps {
    fn pass_on(&mut self, _: Flow) {}
}
