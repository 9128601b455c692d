"""What lies on disk: raw files and their checks, tensors, the paper's data."""
