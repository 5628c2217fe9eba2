"""Projectors: features to tokens in the width of the language model."""
