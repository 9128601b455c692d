"""Phase 5, inference: from class probabilities to label sets that hang together."""
