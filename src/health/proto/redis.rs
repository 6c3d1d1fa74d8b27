//! `option redis-check`: `PING`, answered by `PONG`.

use crate::health::Status;
use crate::health::script::{Say, Step, Test, Want};

/// Ping, expect a pong.
#[must_use]
pub fn steps() -> Vec<Step> {
    vec![
        Step::send(b"*1\r\n$4\r\nPING\r\n"),
        Step::expect(Want {
            test: Test::Text(b"+PONG\r\n".to_vec()),
            error: Some(Status::L7Sts),
            on_ok: Say::Text("Redis server is ok"),
            on_error: Say::FirstLine,
            ..Want::default()
        }),
    ]
}
