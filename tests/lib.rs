//! Doctests of the documents at the top of the tree.
