//! Wiring: from the resolved configuration to running tasks.
