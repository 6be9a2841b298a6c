//! What happened, provably.
