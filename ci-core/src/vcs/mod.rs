//! Facts of a run from its repository.
