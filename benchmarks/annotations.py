"""What judgements of a language model are worth: sample-F1 by the number of documents that were asked about.

Usage:
    python benchmarks/annotations.py DATASET [--seeds 42 43 44] [--documents 0 250 ...] [--test-share 0 0.2]

DATASET is a folder of `data/01_raw` with gold test labels and recorded judgements (`judgements.jsonl`). For each seed
the classifier is trained once; then, for each number of documents, judgements are asked for under that budget, the
student is taught and the test documents are labelled, by the project's own nodes. With a test share of 0 no test
document is asked about. A linear SVM on the same judgements and the judge's own labels stand beside it. Gold is read
for measuring alone. Results go to `data/08_reporting/accuracy/<dataset>/annotations.json`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.svm import LinearSVC

from accuracy import KEPT, ROWS, find_commit, make_plan, run_nodes
from hmltc_kedro.annotation.judge import TASK
from hmltc_kedro.arrays import IntArray
from hmltc_kedro.corpus.gold_labels import align_gold_labels
from hmltc_kedro.evaluation.metrics import sample_f1_scores
from hmltc_kedro.llm import ChatAnswer, ChatClient, ChatRequest
from hmltc_kedro.text.lexical_view import LexicalView

VECTOR_WEIGHT = 1.5
"""Of sentence vectors beside words in the SVM."""


class Restricted:
    """A client that may be asked about some documents only."""

    def __init__(self, client: ChatClient, subjects: frozenset[str]) -> None:
        """Remember whom to ask about."""
        self.name, self.usage = client.name, client.usage
        self._client, self._subjects = client, subjects

    def ask(self, requests: Sequence[ChatRequest]) -> list[ChatAnswer]:
        """Pass the questions on."""
        return self._client.ask(requests)

    def list_subjects(self, task: str) -> frozenset[str] | None:
        """Return the documents of the restriction."""
        return self._subjects if task == TASK else self._client.list_subjects(task)


def measure(dataset: str, seeds: Sequence[int], documents: Sequence[int], shares: Sequence[float]) -> list[dict[str, Any]]:
    """Return one row a seed, number of documents and share of test documents."""
    plan = make_plan(ROWS["base"], dataset)
    late = plan.pipeline.from_nodes("annotate_documents", "train_classifier")
    values, _ = run_nodes(plan.pipeline - late, plan.parameters, plan.catalog)
    gold, llm = plan.catalog.load("gold_labels"), plan.catalog.load("llm")
    subjects = llm.list_subjects(TASK) or frozenset()
    rows = []
    for seed in seeds:
        known = {**values, "params:seed": seed}
        trained, _ = run_nodes(plan.pipeline.only_nodes("train_classifier"), _with(known, plan, late), plan.catalog)
        for share in shares:
            allowed = frozenset(s for s in subjects if share or not s.startswith("test/"))
            for number in documents:
                budget = known["params:annotate"].model_copy(update={"max_documents": number, "share": 1.0})
                rest = late - plan.pipeline.only_nodes("train_classifier")
                given = {**trained, "llm": Restricted(llm, allowed), "params:annotate": budget}
                made, _ = run_nodes(rest, _limit_test(given, share), plan.catalog)
                rows.append({"seed": seed, "documents": number, "test_share": share, **score(made, gold)})
                print(rows[-1], flush=True)
    return rows
