//! Reads `haproxy.cfg` and `keepalived.conf` into syntax trees with spans and diagnostics.
//!
//! Pure: no input or output, no clock, no unsafe code.
