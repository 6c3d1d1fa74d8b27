//! Load balancing algorithms, one file each. Pure.
