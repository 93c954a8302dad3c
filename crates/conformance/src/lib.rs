//! The conformance suite for token stores: one named test a rule.
