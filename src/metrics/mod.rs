//! Counters and gauges that sessions write and the surfaces read.
