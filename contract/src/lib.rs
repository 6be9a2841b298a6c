//! What does the API promise.
