//! Server state: administrative and operational state, weights, queues. Pure.
