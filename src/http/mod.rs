//! HTTP/1 messages: heads, bodies, cookies, dates. Pure.
