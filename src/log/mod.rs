//! Log targets and framings, HAProxy's formats.
