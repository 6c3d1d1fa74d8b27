//! Tests of the lowering.

mod differential;
mod dump;
mod fixtures;
mod machine;
mod replay;
mod values;
