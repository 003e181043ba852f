//! The project settings file: resource classes, gates, budgets, image substitutions.
