//! The stats socket: sessions and commands.
