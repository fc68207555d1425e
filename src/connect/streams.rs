//! Conversations on standard input and output, in pipes and scripts.

mod lockstep;
mod pipe;
mod standard;
mod stdio;

pub(super) use lockstep::run as lockstep;
pub(super) use pipe::run as pipe;
