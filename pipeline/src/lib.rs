//! In what order.
