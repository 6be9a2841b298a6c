//! How hard may they push.
