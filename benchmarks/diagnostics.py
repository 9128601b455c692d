"""What the diagnostics are worth: do they see, without gold labels, what gold labels show?

Usage:
    python benchmarks/diagnostics.py [data]

For each dataset below `data/01_raw` that has gold labels and a run's outputs on disk:

- for each diagnostic of a document, its mean, its Spearman correlation with the document's sample-F1, how well it finds
  errors (AUROC, an error being a sample-F1 below 0.5), and the mean sample-F1 of the tenth it trusts least. Two
  alternatives are listed for comparison: the plug-in estimate of expected F1, and the score of the best path;
- for the diagnostics of a class, their Spearman correlation with what gold labels say of it.

And over all runs, those of `conf/base` and each seed of each variant of an ablation: the diagnostics of the run beside
its sample-F1.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from hmltc_kedro.corpus import gold_labels, raw_files
from hmltc_kedro.corpus.tensors import read_tensors
from hmltc_kedro.decoding.best_classes import open_probabilities
from hmltc_kedro.evaluation import diagnostics
from hmltc_kedro.evaluation.metrics import sample_f1_scores
from hmltc_kedro.taxonomy import Taxonomy

ERROR = 0.5
"""A document of a lower sample-F1 is an error."""


@dataclass(frozen=True, eq=False)
class Run:
    """One training on one dataset: the documents with gold labels.

    Attributes:
        name: dataset, variant and seed.
        taxonomy: of C classes.
        gold: label sets, shape (n, C).
        predictions: columns doc_id, class_ids, paths, scores, n rows.
        probabilities: shape (n, C).
        candidates: of the test documents; empty where a variant has none of its own.
        silver_labels: of the test documents.
    """

    name: str
    taxonomy: Taxonomy
    gold: sparse.csr_array
    predictions: pd.DataFrame
    probabilities: Any
    candidates: pd.DataFrame
    silver_labels: pd.DataFrame


def read_runs(data: Path) -> Iterator[Run]:
    """Yield every run on disk that has gold labels."""
    for gold_path in sorted(data.glob("01_raw/*/test/doc2labels.txt")):
        dataset = gold_path.parents[1].name
        table = data / "02_intermediate" / dataset / "taxonomy.parquet"
        if not table.exists():
            continue
        taxonomy = Taxonomy.from_frame(pd.read_parquet(table))
        gold = raw_files.read_text_table(gold_path, "\t")
        for path in sorted((data / "07_model_output" / dataset).rglob("predictions.parquet")):
            yield from _read_trainings(data, path, taxonomy, gold)


def _read_trainings(data: Path, path: Path, taxonomy: Taxonomy, gold: raw_files.RawTable) -> Iterator[Run]:
    folder = path.parent.relative_to(data / "07_model_output")
    predictions = pd.read_parquet(path)
    tensors = next(
        (p for name in ("", "../final/") if (p := path.parent / f"{name}probabilities.safetensors").exists()), None
    )
    tensors = tensors or path.parent / "class_probabilities.safetensors"
    if not tensors.exists():
        return
    table = read_tensors(tensors)
    candidates, silver = (
        _read_labelled(data / "05_model_input", folder, name) for name in ("candidate_scores", "silver_labels")
    )
    several = "seed" in predictions
    for name, probabilities in (table.arrays if several else {"": open_probabilities(table)}).items():
        seed = int(name.removeprefix("seed_")) if "seed" in predictions else None
        own = predictions if seed is None else predictions[predictions["seed"] == seed].reset_index(drop=True)
        gold_sets = gold_labels.align_gold_labels(gold, taxonomy, list(own["doc_id"]))
        shown = folder.as_posix() if seed is None else f"{folder.as_posix()} {seed}"
        scored = own.iloc[gold_sets.rows].reset_index(drop=True)
        values, truth = np.asarray(probabilities[gold_sets.rows]), gold_sets.labels[gold_sets.labelled]
        yield Run(shown, taxonomy, truth, scored, values, candidates, silver)


def _read_labelled(data: Path, folder: Path, name: str) -> pd.DataFrame:
    """Return an entry about the test documents: a variant's own, or that which it shares."""
    path = next(p for f in (folder, *folder.parents) if (p := data / f / f"{name}.parquet").exists())
    frame = pd.read_parquet(path)
    return frame[frame["split"] == "test"]


def diagnose(run: Run) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return the diagnostics of documents (in the order of the predictions), classes and run."""
    documents = diagnostics.diagnose_documents(
        run.predictions, run.probabilities, run.candidates, run.silver_labels, run.taxonomy
    )
    classes = diagnostics.diagnose_classes(run.predictions, run.silver_labels, documents, run.taxonomy)
    whole = diagnostics.diagnose_run(documents, run.predictions, run.silver_labels, {}, run.taxonomy)
    return documents.set_index("doc_id").loc[run.predictions["doc_id"]].reset_index(), classes, whole


def compare_documents(run: Run, documents: pd.DataFrame) -> pd.DataFrame:
    """Return one row a diagnostic: mean, rho, auroc, f1_of_worst_tenth."""
    predicted = run.taxonomy.to_matrix(run.predictions["class_ids"])
    f1 = sample_f1_scores(run.gold, predicted)
    probabilities = np.asarray(run.probabilities, dtype=np.float32)
    size, right = np.asarray(predicted.sum(axis=1)).ravel(), predicted.multiply(probabilities).sum(axis=1)
    columns = {
        **{name: documents[name].to_numpy() for name in ("expected_f1", "view_agreement", "teacher_agreement")},
        "1 - doubt": 1 - documents["doubt"].to_numpy(),
        "(plug-in)": 2 * np.asarray(right).ravel() / (size + probabilities.sum(axis=1)),
        "(best path)": np.array([scores[0] if len(scores) else 0.0 for scores in run.predictions["scores"]]),
    }
    rows = {name: _measure(values, f1) for name, values in columns.items() if np.isfinite(values).any()}
    return pd.DataFrame(rows, index=["mean", "rho", "auroc", "f1_of_worst_tenth"]).T


def _measure(values: Any, f1: Any) -> list[float]:
    values, f1 = values[np.isfinite(values)], f1[np.isfinite(values)]
    worst = np.argsort(values, kind="stable")[: max(1, len(values) // 10)]
    auroc = roc_auc_score(f1 < ERROR, -values) if 0 < (f1 < ERROR).sum() < len(f1) else np.nan
    return [float(values.mean()), float(spearmanr(values, f1)[0]), float(auroc), float(f1[worst].mean())]


def compare_classes(run: Run, classes: pd.DataFrame, at_least: int = 5) -> str:
    """Return how a class's diagnostics go with what gold labels say of it, in a sentence."""
    predicted = run.taxonomy.to_matrix(run.predictions["class_ids"])
    right, n_predicted, n_gold = (
        np.asarray(m.sum(axis=0)).ravel() for m in (predicted.multiply(run.gold), predicted, run.gold)
    )
    taken = np.asarray(diagnostics.count_taken(run.gold, predicted, run.taxonomy).sum(axis=0)).ravel()
    often = n_predicted >= at_least
    precision = spearmanr(classes["expected_f1"][often], (right / np.maximum(n_predicted, 1))[often])[0]
    excess = spearmanr(classes["n_predicted"] - classes["n_silver"], n_predicted - n_gold)[0]
    return (
        f"classes, rho: expected_f1 with precision {precision:.2f} ({often.sum()} predicted {at_least} times), n_taken "
        f"with documents wrongly taken {spearmanr(classes['n_taken'], taken)[0]:.2f}, "
        f"n_predicted - n_silver with n_predicted - n_gold {excess:.2f}\n{count_changes(run)}"
    )


def count_changes(run: Run) -> str:
    """Return how many of the documents that a class took from another were right afterwards, or had been before."""
    positions = pd.Index(run.silver_labels["doc_id"]).get_indexer(run.predictions["doc_id"])
    silver = run.taxonomy.to_matrix(run.silver_labels["class_ids"].iloc[positions])
    predicted = run.taxonomy.to_matrix(run.predictions["class_ids"])
    before = sparse.csr_array(silver.multiply(predicted.maximum(run.gold)))  # of what was lost, that which is gold
    after = sparse.csr_array(predicted.multiply(silver.maximum(run.gold)))  # of what was taken
    every, lost, won = (
        int(diagnostics.count_taken(a, b, run.taxonomy).sum())
        for a, b in ((silver, predicted), (before, predicted), (silver, after))
    )
    return f"of {every} taken, {won} were right afterwards and {lost} had been before"


def main(argv: Sequence[str] | None = None) -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=Path("data"), help="the folder of runs and raw files")
    arguments = parser.parse_args(argv)
    whole = []
    for run in read_runs(arguments.data):
        documents, classes, numbers = diagnose(run)
        f1 = sample_f1_scores(run.gold, run.taxonomy.to_matrix(run.predictions["class_ids"]))
        whole.append({"run": run.name, "sample_f1": f1.mean(), **numbers})
        if "/" not in run.name:
            print(f"\n{run.name}: {len(f1)} documents, sample-F1 {f1.mean():.3f}, {(f1 < ERROR).mean():.0%} errors")
            print(compare_documents(run, documents).round(3).to_string())
            print(compare_classes(run, classes))
    if not whole:
        parser.error(f"{arguments.data}: no run on a dataset with gold labels lies there; `kedro run` makes one")
    table = pd.DataFrame(whole).drop(columns=["n_docs", "n_compared"]).set_index("run")
    print(f"\n{table.round(3).to_string()}")
    correlations = {"all runs": table, **dict(iter(table.groupby(table.index.str.partition("/").get_level_values(0))))}
    print("\nSpearman correlation with sample_f1 over runs:")
    shown = {f"{k} ({len(t)})": t.corr("spearman")["sample_f1"] for k, t in correlations.items() if len(t) > 2}
    print(pd.DataFrame(shown).drop("sample_f1").round(2).to_string())


if __name__ == "__main__":
    main()
