//! Rules, batching, limits and tries on virtual time; what messages say.

mod delivery;
mod forms;
mod kit;
mod rules;
