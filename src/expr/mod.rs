//! Sample fetches, converters, ACLs, log-format, rules as data. Pure.
