"""The classifier and how it is trained. Importing this package imports torch."""

