//! Runs a workflow: wires the scheduler, the executors, the events, the store and the storage.
