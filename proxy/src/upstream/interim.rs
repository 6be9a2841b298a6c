// SPDX-License-Identifier: Apache-2.0
//! Counts the interim answers (1xx) in front of an answer, which hyper skips without limit (T18).

/// Most interim answers of one exchange.
pub(crate) const INTERIM_MAX: u32 = 5;

/// `HTTP/1.x d`: as much of a status line as tells an interim answer from a final one.
const PREFIX_BYTES: usize = 10;

/// Where in the answer the connection is.
#[derive(Debug)]
pub(crate) struct Interim {
    state: State,
    count: u32,
}

#[derive(Debug)]
enum State {
    /// At the beginning of a status line, so many of its bytes seen.
    Start { seen: usize },
    /// Inside an interim answer; whether the current line is empty so far.
    Skipping { line_is_empty: bool },
    /// The final answer has begun.
    Final,
}

/// More than [`INTERIM_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Interim {
    /// Before an answer.
    pub(crate) fn new() -> Self {
        Self { state: State::Start { seen: 0 }, count: 0 }
    }

    /// Whether the final answer has begun.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.state, State::Final)
    }

    /// Sees the next bytes of the connection.
    pub(crate) fn observe(&mut self, bytes: &[u8]) -> Result<(), TooMany> {
        for byte in bytes {
            match &mut self.state {
                State::Final => return Ok(()),
                // A parser skips empty lines in front of a status line.
                State::Start { seen: 0 } if matches!(byte, b'\r' | b'\n') => {}
                State::Start { seen } => {
                    *seen = seen.saturating_add(1);
                    if *seen == PREFIX_BYTES {
                        self.status_class(*byte)?;
                    }
                }
                State::Skipping { line_is_empty } => match byte {
                    b'\n' if *line_is_empty => self.state = State::Start { seen: 0 },
                    b'\n' => *line_is_empty = true,
                    b'\r' => {}
                    _ => *line_is_empty = false,
                },
            }
        }
        Ok(())
    }

    fn status_class(&mut self, first_digit: u8) -> Result<(), TooMany> {
        if first_digit != b'1' {
            self.state = State::Final;
            return Ok(());
        }
        self.count = self.count.saturating_add(1);
        self.state = State::Skipping { line_is_empty: false };
        if self.count > INTERIM_MAX { Err(TooMany) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\n";

    #[test]
    fn t18_five_interim_answers_pass_and_six_do_not() {
        let mut interim = Interim::new();
        for _ in 0..5 {
            interim.observe(CONTINUE).unwrap();
        }
        interim.observe(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 100 \r\n\r\n").unwrap();
        let mut interim = Interim::new();
        for _ in 0..5 {
            interim.observe(b"\r\nHTTP/1.1 103\n\n").unwrap();
        }
        assert_eq!(interim.observe(CONTINUE), Err(TooMany));
    }

    proptest! {
        #[test]
        fn t18_however_the_bytes_are_cut(interims in 0_usize..9, cuts in proptest::collection::vec(1_usize..40, 1..30)) {
            let mut all = CONTINUE.repeat(interims);
            all.extend_from_slice(b"HTTP/1.1 200 OK\r\n\r\n");
            let (mut interim, mut rest, mut result) = (Interim::new(), all.as_slice(), Ok(()));
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                result = result.and(interim.observe(now));
                rest = later;
                if rest.is_empty() { break; }
            }
            prop_assert_eq!(result.is_err(), interims > 5);
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Interim::new().observe(&bytes);
        }
    }
}
