//! For tests of executors and of programs that embed the engine: a mock executor, a virtual clock and the executor conformance kit.
