"""Phase 3, augmentation: reviews for starved classes in the corpus' style, and what training sees."""
