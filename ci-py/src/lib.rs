//! Python bindings of ci-core: the extension module behind `import ci_core`.
