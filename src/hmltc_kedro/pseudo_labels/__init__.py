"""Phase 2, pseudo-labels: scores of every class for every document, silver labels by gaps, starved classes."""
