//! What did the client really say.
