//! Tests of the lowering.

mod differential;
mod fixtures;
mod machine;
mod replay;
mod values;
