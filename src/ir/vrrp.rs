//! A whole `keepalived.conf`, resolved.
