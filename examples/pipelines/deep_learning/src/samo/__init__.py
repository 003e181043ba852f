"""Emotions in what people write."""
