//! Tests of the graph.

mod dag;
