"""Encoders: media to features. One file a family."""
