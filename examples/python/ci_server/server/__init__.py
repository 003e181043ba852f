"""A CI server on `ci_core`: watches a repository, and shows what became of its commits."""
