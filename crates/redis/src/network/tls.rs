//! Encryption of the connections.
