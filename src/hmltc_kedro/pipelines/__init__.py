"""One folder a stage: `pipeline.py` wires, `nodes.py` works, `params.py` says what can be set."""
