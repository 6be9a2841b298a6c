//! What did the operator ask for.
