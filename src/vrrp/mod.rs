//! VRRP: packets, election, tracking (pure), and the engine that moves the address.
