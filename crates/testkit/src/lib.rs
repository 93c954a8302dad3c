//! Starts real database servers for tests.
