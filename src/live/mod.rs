//! The running configuration: one object per proxy, server and listener, with state and counters.
