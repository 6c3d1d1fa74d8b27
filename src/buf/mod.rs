//! Buffer pools: memory is held only while bytes are in flight.
