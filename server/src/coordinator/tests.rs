//! Groups as their members see them, with the clock and the log in the tests' hands.

mod compacting;
mod groups;
mod model;
mod offsets;
mod statics;
mod world;
