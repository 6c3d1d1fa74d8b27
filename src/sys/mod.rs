//! The kernel, and the only unsafe code: sockets, netlink, clocks, randomness, processes.
