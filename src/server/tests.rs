//! Transitions, their effects and their log lines.
