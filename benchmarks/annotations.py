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
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from accuracy import KEPT, ROWS, find_commit, make_plan, run_nodes
from scipy import sparse
from sklearn.svm import LinearSVC

from hmltc_kedro.annotation.judge import TASK
from hmltc_kedro.annotation.pins import MODEL
from hmltc_kedro.annotation.rounds import find_rows, select_teaching
from hmltc_kedro.arrays import IntArray
from hmltc_kedro.corpus.gold_labels import align_gold_labels
from hmltc_kedro.corpus.raw_files import RawTable
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


def measure(
    dataset: str, seeds: Sequence[int], documents: Sequence[int], shares: Sequence[float]
) -> list[dict[str, Any]]:
    """Return one row a seed, number of documents and share of test documents."""
    plan = make_plan(ROWS["base"], dataset)
    training = plan.pipeline.only_nodes("train_classifier")
    late = plan.pipeline.from_nodes("annotate_documents", "train_classifier") - training
    values, _ = run_nodes(plan.pipeline - late - training, plan.parameters, plan.catalog)
    gold, llm = plan.catalog.load("gold_labels"), plan.catalog.load("llm")
    subjects = llm.list_subjects(TASK) or frozenset()
    rows = []
    for seed in seeds:
        known, _ = run_nodes(training, {**values, "params:seed": seed}, plan.catalog)
        for share, number in [(share, number) for share in shares for number in documents]:
            allowed = frozenset(subject for subject in subjects if share or not subject.startswith("test/"))
            settings = known["params:annotate"].model_copy(update={"max_documents": number, "share": share or 1.0})
            given = {**known, "llm": Restricted(llm, allowed), "params:annotate": settings}
            made, _ = run_nodes(late, given, plan.catalog)
            rows.append({"seed": seed, "documents": number, "test_share": share, **score(made, gold)})
            print(rows[-1], flush=True)
    return rows


def score(made: Mapping[str, Any], gold: RawTable) -> dict[str, Any]:
    """Return sample-F1 of all test documents, of those asked and not asked about, and of an SVM on the same labels."""
    taxonomy, predictions = made["taxonomy"], made["predictions"]
    gold_sets = align_gold_labels(gold, taxonomy, list(predictions["doc_id"]))
    truth, rows = gold_sets.labels[gold_sets.labelled], gold_sets.rows
    scores = sample_f1_scores(truth, taxonomy.to_matrix(predictions["class_ids"].iloc[rows]))
    asked = (predictions["source"].iloc[rows] != MODEL).to_numpy()
    calibration = made["calibration"]
    return {
        "annotated": len(select_teaching(made["annotations"])),
        "sample_f1": float(scores.mean()),
        "asked": float(scores[asked].mean()) if asked.any() else None,
        "unasked": float(scores[~asked].mean()),
        "n_asked": int(asked.sum()),
        "svm": score_svm(made, truth, rows),
        "agreement": calibration["agreement"],
        "agreement_interval": calibration["agreement_interval"],
        "share_accepted": calibration["share_accepted"],
        "precision_interval": calibration["precision_interval"],
    }


def score_svm(made: Mapping[str, Any], truth: sparse.csr_array, rows: IntArray) -> float | None:
    """Return the sample-F1 of a linear SVM whose classes are the label sets of the annotations; None with under two."""
    taxonomy, documents, taught = made["taxonomy"], made["documents"], select_teaching(made["annotations"])
    sets = taught["class_ids"].map(tuple)
    if sets.nunique() < 2:
        return None
    lexical = LexicalView.from_frame(made["lexical_view"], taxonomy)
    vectors = VECTOR_WEIGHT * np.asarray(made["document_embeddings"]["vectors"])
    features = sparse.csr_array(sparse.hstack([lexical.represent(list(documents["text"])), vectors], format="csr"))
    names = {labels: name for name, labels in enumerate(dict.fromkeys(sets))}
    machine = LinearSVC(C=0.5).fit(features[find_rows(documents, taught)], sets.map(names))
    test = np.flatnonzero((documents["split"] == "test").to_numpy())[rows]
    back = list(names)
    found = [back[name] for name in machine.predict(features[test])]
    return float(sample_f1_scores(truth, taxonomy.to_matrix(found)).mean())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument("--documents", type=int, nargs="+", default=[0, 250, 500, 1000, 2000])
    parser.add_argument("--test-share", type=float, nargs="+", default=[0.0, 0.2])
    options = parser.parse_args(arguments)
    rows = measure(options.dataset, options.seeds, options.documents, options.test_share)
    target = KEPT / options.dataset / "annotations.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"commit": find_commit(), "rows": rows}, indent=1), "utf-8")
    frame = pd.DataFrame(rows).drop(columns=["agreement_interval", "precision_interval"])
    print(frame.groupby(["test_share", "documents"]).mean().round(4).to_string())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
