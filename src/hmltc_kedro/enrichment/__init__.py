"""Phase 1, semantic refinement: descriptions, keywords, the texts of a class and their vectors."""
