//! Listeners, TCP and HTTP sessions, pools, queues, tunnels.
