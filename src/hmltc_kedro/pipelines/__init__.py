"""One package a stage: `pipeline.py` wires, `nodes.py` is thin, `params.py` says what can be set."""

STAGES = ("ingest", "enrich", "pseudo_label", "annotate", "augment", "train", "infer", "evaluate", "report")
"""The stages of a run, in the order in which data flows through them."""
