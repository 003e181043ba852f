//! When which job starts: a pure state machine, and one driver.
