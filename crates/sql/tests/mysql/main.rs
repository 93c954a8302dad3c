//! MySQL, proved on MariaDB, beyond what the conformance suite asks.
