//! Decorators of executors: limits on time, attempts and number.
