"""What it is worth that something is said of single documents: judgements, a few labels of people, the audit part.

Usage:
    python benchmarks/annotations.py DATASET ... [--seeds 42 43 44] [--documents 0 250 ...] [--test-share 0 0.2]
    python benchmarks/annotations.py DATASET ... --study labels [--labels 20] [--draws 5]
    python benchmarks/annotations.py DATASET ... --study audits [--draws 10] [--audit 200] [--precision 0.8]

DATASET is a folder of `data/01_raw` with gold test labels and, but for `labels`, recorded judgements
(`judgements.jsonl`). The project's own nodes do all the work, the classifier is trained once a seed, and gold is read
for measuring alone, except by `labels`, which gives some of it away.

- `budgets`, the default: sample-F1 by the number of documents that were asked about; with a test share of 0 no test
  document is. A linear SVM on the same judgements stands beside it.
- `labels`: so many test documents, drawn at random, have their gold label sets in `labels.csv`, and nobody else is
  asked. Sample-F1 of the other test documents, against the same run without labels; the interval of the difference
  over all datasets is of the bootstrap over documents and draws.
- `audits`: what is reported of the precision of accepted label sets, against that precision by the judge and by gold.
  Nothing is run: of the run that lies under `data/`, test documents that it did not ask about are drawn as the audit
  part, once a draw, and the others are measured. The judge needs an answer for them.

Results go to `data/08_reporting/accuracy/<dataset>/annotations.json`, `labels.json` and `audits.json`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from accuracy import KEPT, ROOT, ROWS, Plan, find_commit, make_plan, run_nodes
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from scipy import sparse
from sklearn.svm import LinearSVC

from hmltc_kedro.annotation.calibration import calibrate
from hmltc_kedro.annotation.judge import TASK, judge_documents
from hmltc_kedro.annotation.pins import MODEL
from hmltc_kedro.annotation.rounds import describe_judgements, find_rows, list_queue, select_teaching
from hmltc_kedro.annotation.teaching import score_unseen
from hmltc_kedro.arrays import DoubleArray, IntArray
from hmltc_kedro.config import ProjectConfigLoader, complete_settings
from hmltc_kedro.corpus.gold_labels import align_gold_labels
from hmltc_kedro.corpus.raw_documents import select_split
from hmltc_kedro.corpus.raw_files import RawTable
from hmltc_kedro.decoding.expected_f1 import choose_labels
from hmltc_kedro.errors import InputError
from hmltc_kedro.evaluation.metrics import sample_f1_scores
from hmltc_kedro.llm import ChatAnswer, ChatClient, ChatRequest
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.lexical_view import LexicalView

VECTOR_WEIGHT = 1.5
"""Of sentence vectors beside words in the SVM."""

SEED = 42
"""Of training where only the draws differ, and of the bootstrap."""

N_RESAMPLES = 2000
"""Of the bootstrap."""


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
    training, late, values = run_early(plan)
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


def run_early(plan: Plan) -> tuple[Pipeline, Pipeline, dict[str, Any]]:
    """Run all that knows neither seed nor annotations; return the nodes of training, those after, and the entries."""
    training = plan.pipeline.only_nodes("train_classifier")
    late = plan.pipeline.from_nodes("annotate_documents", "train_classifier") - training
    values, _ = run_nodes(plan.pipeline - late - training, plan.parameters, plan.catalog)
    return training, late, values


# ---------------------------------------------------------------------- a few labels of people


def measure_labels(dataset: str, number: int, draws: int) -> DoubleArray:
    """Return what labels of some test documents add to the sample-F1 of the others.

    Returns:
        Differences to the run without labels, NaN for labelled documents: (draws, test documents with gold labels).
    """
    plan = make_plan(ROWS["base"], dataset)
    training, late, values = run_early(plan)
    known, _ = run_nodes(training, {**values, "params:seed": SEED}, plan.catalog)
    silent = known["params:annotate"].model_copy(update={"max_documents": 0})
    known |= {"params:annotate": silent, "llm": plan.catalog.load("llm")}
    without = run_nodes(late, known, plan.catalog)[0]["predictions"]
    taxonomy, doc_ids = known["taxonomy"], list(without["doc_id"])
    truth, rows = match_gold(plan.catalog.load("gold_labels"), taxonomy, doc_ids)
    before = sample_f1_scores(truth, taxonomy.to_matrix(without["class_ids"].iloc[rows]))
    differences = np.zeros((draws, len(rows)))
    for draw in range(draws):
        chosen = np.sort(np.random.default_rng(draw).choice(len(rows), number, replace=False))
        ids = pd.Series([doc_ids[rows[place]] for place in chosen], dtype="str")
        labels = pd.DataFrame({"split": "test", "doc_id": ids, "class_ids": taxonomy.to_label_sets(truth[chosen])})
        predictions = run_nodes(late, {**known, "labels": labels}, plan.catalog)[0]["predictions"]
        differences[draw] = sample_f1_scores(truth, taxonomy.to_matrix(predictions["class_ids"].iloc[rows])) - before
        differences[draw, chosen] = np.nan
        print(f"{dataset}, draw {draw}: {np.nanmean(differences[draw]):+.4f}", flush=True)
    return differences


def resample_pairs(tables: Sequence[DoubleArray], n_resamples: int = N_RESAMPLES) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean over the cells of all tables, NaN left out.

    Draws and documents are both drawn with replacement, each by itself: the cells of a document have it in common, and
    those of a draw the labels (Owen 2007, the pigeonhole bootstrap).

    Args:
        tables: one a dataset, (draws, documents).
        n_resamples: resampled means.
    """
    generator = np.random.default_rng(SEED)
    total, count = np.zeros(n_resamples), np.zeros(n_resamples)
    for table in tables:
        draws, documents = (generator.multinomial(n, np.full(n, 1 / n), size=n_resamples) for n in table.shape)
        total += ((draws @ np.nan_to_num(table)) * documents).sum(axis=1)
        count += ((draws @ np.isfinite(table)) * documents).sum(axis=1)
    low, high = np.quantile(total / count, [0.025, 0.975])
    return float(low), float(high)


def study_labels(datasets: Sequence[str], number: int, draws: int) -> None:
    """Measure, write and print what a few labels add, by dataset and over all."""
    tables = [measure_labels(dataset, number, draws) for dataset in datasets]
    pooled = summarise(tables)
    for dataset, table in zip(datasets, tables, strict=True):
        own = summarise([table])
        by_draw = np.nanmean(table, axis=1).tolist()
        result = {"labels": number, **own, "by_draw": by_draw, "datasets": list(datasets), "pooled": pooled}
        keep(dataset, "labels", result)
        print(f"{dataset}: {show_interval(own)}")
    print(f"pooled: {show_interval(pooled)}")


def summarise(tables: Sequence[DoubleArray]) -> dict[str, Any]:
    """Return the mean over the cells of all tables and its interval."""
    return {"mean": float(np.nanmean(np.hstack(tables))), "interval": resample_pairs(tables)}


def show_interval(result: Mapping[str, Any]) -> str:
    """Return a difference with its interval."""
    low, high = result["interval"]
    return f"{result['mean']:+.4f} [{low:+.4f}, {high:+.4f}]"


# ---------------------------------------------------------------------- what the audit part says


def measure_audits(dataset: str, draws: int, size: int, precision: float) -> pd.DataFrame:
    """Return one row a draw: the precision reported by an audit part, and that of the other documents accepted by it.

    Args:
        dataset: whose run lies under `data/`.
        draws: of audit parts among the test documents that were not asked about.
        size: documents of an audit part.
        precision: wished for.

    Returns:
        seed, reported, low, high; by_judge and by_gold, the precision on the documents of no audit part; accepted.
    """
    entries = load_run(dataset)
    taxonomy, predictions = entries["taxonomy"], entries["predictions"]
    test = select_split(entries["documents"], "test").reset_index(drop=True)
    judged, answered = judge_unasked(entries, test[(predictions["source"] == MODEL).to_numpy()])
    if answered <= size:
        raise InputError(
            f"{dataset}: {answered} of the test documents that the run did not ask about have a judgement, too few for "
            f"audit parts of {size}; --audit takes fewer, `kedro run --params=annotate.max_documents=...` asks fewer"
        )
    places = pd.Index(predictions["doc_id"]).get_indexer(judged["doc_id"])
    probabilities = np.asarray(entries["class_probabilities"]["probabilities"])[places]
    scores = score_unseen(judged, probabilities, taxonomy)
    truth, rows = match_gold(entries["gold_labels"], taxonomy, list(judged["doc_id"]))
    gold = np.full(len(judged), np.nan)
    gold[rows] = measure_precision(choose_labels(probabilities[rows], taxonomy)[0], truth)
    judge, expected = (scores[name].to_numpy(np.float64) for name in ("precision", "expected_precision"))
    found = []
    for seed in range(SEED, SEED + draws):
        drawn = np.zeros(len(judged), dtype=bool)
        drawn[np.random.default_rng(seed).choice(len(judged), size, replace=False)] = True
        said = calibrate(scores[drawn].reset_index(drop=True), precision, seed)
        if said["accept"] is None:
            raise InputError(f"an audit part of {size} is too small to say from where on a label set is accepted")
        accepted = ~drawn & (expected >= said["accept"])
        low, high = said["precision_interval"] or (np.nan, np.nan)
        row = {"seed": seed, "reported": said["precision"], "low": low, "high": high}
        row |= {"by_judge": judge[accepted].mean(), "by_gold": np.nanmean(gold[accepted])}
        found.append(row | {"accepted": accepted.sum() / (~drawn).sum()})
    print(f"{answered} of the test documents that were not asked about have a judgement", flush=True)
    return pd.DataFrame(found)


def load_run(dataset: str) -> dict[str, Any]:
    """Return what the audits need of the run that lies under `data/`, by entry."""
    loader = ProjectConfigLoader(
        str(ROOT / "conf"), env="base", runtime_params={"dataset": dataset}, **CONFIG_LOADER_ARGS
    )
    names = ("documents", "taxonomy", "class_descriptions", "candidate_scores", "class_probabilities", "predictions")
    config = {name: loader["catalog"][name] for name in (*names, "gold_labels", "llm")}
    catalog = DataCatalog.from_config(config, loader["credentials"])
    parameters = complete_settings(loader["parameters"])
    return {name: catalog.load(name) for name in config} | {"annotate": parameters["annotate"]}


def judge_unasked(entries: Mapping[str, Any], unasked: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return annotations of the documents that the judge has an answer for, as if they were drawn; and how many."""
    subjects = entries["llm"].list_subjects(TASK) or frozenset()
    asked = unasked[("test/" + unasked["doc_id"]).isin(subjects)].reset_index(drop=True)
    how = {name: entries["annotate"][name] for name in ("max_characters", "temperature", "max_tokens")}
    parts = asked, entries["candidate_scores"], entries["taxonomy"], list(entries["class_descriptions"]["description"])
    k, llm = entries["annotate"]["candidates"], entries["llm"]
    queue = list_queue(asked, {"audit": np.arange(len(asked))}, 1)
    annotations = describe_judgements(queue, judge_documents(*parts, llm, k=k, seed=SEED, **how), llm.name)
    answered = annotations[annotations["error"] == ""].reset_index(drop=True)
    return answered, len(answered)


def measure_precision(chosen: sparse.csr_array, right: sparse.csr_array) -> DoubleArray:
    """Return the share of right classes in each label set, (n,): both 0/1 (n, C)."""
    hits = np.asarray(chosen.multiply(right).sum(axis=1), dtype=np.float64).ravel()
    return np.asarray(hits / np.maximum(np.asarray(chosen.sum(axis=1)).ravel(), 1))


def study_audits(dataset: str, draws: int, size: int, precision: float) -> None:
    """Measure, write and print how often the reported interval holds what it speaks of."""
    table = measure_audits(dataset, draws, size, precision)
    inside = {name: int(table[name].between(table["low"], table["high"]).sum()) for name in ("by_judge", "by_gold")}
    result = {"precision": precision, "audit": size, "inside": inside, "rows": table.to_dict("records")}
    keep(dataset, "audits", result)
    print(table.round(3).to_string(), table.mean().round(3).to_string(), sep="\n")
    print(
        f"{dataset}: of {len(table)} intervals {inside['by_judge']} hold it by the judge, {inside['by_gold']} by gold"
    )


# ---------------------------------------------------------------------- budgets


def score(made: Mapping[str, Any], gold: RawTable) -> dict[str, Any]:
    """Return sample-F1 of all test documents, of those asked and not asked about, and of an SVM on the same labels."""
    taxonomy, predictions = made["taxonomy"], made["predictions"]
    truth, rows = match_gold(gold, taxonomy, list(predictions["doc_id"]))
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


def match_gold(gold: RawTable, taxonomy: Taxonomy, doc_ids: Sequence[str]) -> tuple[sparse.csr_array, IntArray]:
    """Return the gold label sets of those documents that have one, (m, C), and where they stand, (m,)."""
    sets = align_gold_labels(gold, taxonomy, doc_ids)
    return sets.labels[sets.labelled], sets.rows


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


def study_budgets(dataset: str, seeds: Sequence[int], documents: Sequence[int], shares: Sequence[float]) -> None:
    """Measure, write and print sample-F1 by the number of documents that were asked about."""
    rows = measure(dataset, seeds, documents, shares)
    keep(dataset, "annotations", {"rows": rows})
    frame = pd.DataFrame(rows).drop(columns=["agreement_interval", "precision_interval"])
    print(frame.groupby(["test_share", "documents"]).mean().round(4).to_string())


def keep(dataset: str, name: str, result: Mapping[str, Any]) -> None:
    """Write a result, with the commit of the code."""
    target = KEPT / dataset / f"{name}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"commit": find_commit(), **result}, indent=1), "utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", metavar="DATASET")
    parser.add_argument("--study", choices=["budgets", "labels", "audits"], default="budgets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument("--documents", type=int, nargs="+", default=[0, 250, 500, 1000, 2000])
    parser.add_argument("--test-share", type=float, nargs="+", default=[0.0, 0.2])
    parser.add_argument("--labels", type=int, default=20)
    parser.add_argument("--draws", type=int, help="default: 5 of labels, 10 of audits")
    parser.add_argument("--audit", type=int, default=200)
    parser.add_argument("--precision", type=float, default=0.8)
    options = parser.parse_args(arguments)
    if options.study == "labels":
        study_labels(options.datasets, options.labels, options.draws or 5)
        return 0
    for dataset in options.datasets:
        if options.study == "audits":
            study_audits(dataset, options.draws or 10, options.audit, options.precision)
        else:
            study_budgets(dataset, options.seeds, options.documents, options.test_share)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
