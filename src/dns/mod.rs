//! Names followed while running: resolver state (pure) and its runner.
