"""How good the labels are: against gold labels, and without any."""
