//! The key layout of embedded token stores: keys, encoding, and which entries a write touches.
