//! Consumer groups over TCP: each request at each version, and members that come, go, die, and outlive the broker.

mod churn;
mod growth;
mod loading;
mod members;
mod offsets;
mod statics;
mod versions;
