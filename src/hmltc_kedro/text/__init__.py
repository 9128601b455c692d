"""Texts to vectors, by meaning and by words."""
