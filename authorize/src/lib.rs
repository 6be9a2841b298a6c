//! What may they touch.
