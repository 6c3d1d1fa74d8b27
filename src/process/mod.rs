//! The process: daemon, signals, pid files, privileges, supervision.
