"""Which entries are as they would be made now, and why the others are not: docs/freshness.md.

It takes nothing in: `digests` is imported by modules that need no more than the digest of a file.
"""
