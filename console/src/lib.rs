//! Show me.
