//! Calls of our own to the outside.
