"""What the report says about a run: small tables and samples of its entries. Every cap is a constant here."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

import numpy as np
import pandas as pd
from pydantic import BaseModel

from hmltc_kedro import cases
from hmltc_kedro.llm.usage import format_cost
from hmltc_kedro.report.entries import RunEntries
from hmltc_kedro.taxonomy import Taxonomy

STAGES = ("ingest", "enrich", "pseudo_label", "augment", "train", "infer", "evaluate", "report")
PACKAGES = (
    *("hmltc_kedro", "kedro", "kedro-datasets", "numpy", "pandas", "scipy", "scikit-learn", "plotly", "pydantic"),
    *("safetensors", "sentence-transformers", "torch", "transformers"),
)

MAX_DOCUMENTS = 3000
"""Predictions on the page, those of `MAX_DOUBTFUL` left aside."""
MAX_PER_CLASS = 50
"""Predictions on the page with the same best class."""
MAX_DOUBTFUL = 200
"""Predictions that are called doubtful: the tenth with the most doubt, at most so many."""
MAX_TEXT = 500
"""Characters of a text that are shown."""
MAX_ROWS = 1000
"""Rows of a table of classes."""
MAX_CASES = 20
"""Wrong and rejected documents that are listed."""
PER_SAMPLE = 4
"""Silver labels shown of each kind."""
MAX_TAKERS = 10
"""Classes listed that take documents from others."""
MEASURED = 10_000
"""Documents whose length is measured."""


def shorten(text: str) -> str:
    """Return `text`, cut after `MAX_TEXT` characters."""
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1].rstrip() + "…"


def read_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as dictionaries."""
    return cast(list[dict[str, Any]], frame.to_dict("records"))


# ---------------------------------------------------------------------- input


def summarise_corpus(documents: pd.DataFrame, rejected: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one row a split: split, documents, rejected, words (the median), longest (in words).

    Words are counted in at most `MEASURED` documents of a split, evenly spread.
    """
    rows = []
    for split in ("train", "test"):
        texts = documents.loc[documents["split"] == split, "text"]
        words = texts.iloc[:: max(1, len(texts) // MEASURED)].str.count(r"\S+")
        rows.append(
            {
                "split": split,
                "documents": len(texts),
                "rejected": int((rejected["split"] == split).sum()),
                "words": float(words.median()) if len(words) else np.nan,
                "longest": int(words.max()) if len(words) else 0,
            }
        )
    return rows


def summarise_taxonomy(run: RunEntries) -> list[tuple[str, int]]:
    """Return counts of classes by what they are and have, as (what, how many)."""
    taxonomy = run.taxonomy
    counts = [
        ("classes", len(taxonomy)),
        ("edges", taxonomy.n_edges),
        ("roots", len(taxonomy.roots)),
        ("leaves", len(taxonomy.leaves)),
        ("levels", taxonomy.depth),
        ("classes with several parents", sum(len(parents) > 1 for parents in taxonomy.parents)),
        ("classes without keywords", sum(not words for words in taxonomy.keywords)),
    ]
    completed = sum(
        bool(k) and not own for k, own in zip(run.enriched_taxonomy.keywords, taxonomy.keywords, strict=True)
    )
    sources = Counter(map(str, run.class_descriptions["source"]))
    return [
        *counts,
        ("of these, completed by the language model", completed),
        *((f"descriptions, source: {source}", n) for source, n in sources.most_common()),
    ]


def list_classes(run: RunEntries) -> list[dict[str, Any]]:
    """Return one row a class, at most `MAX_ROWS`: its path, counts of documents, keywords and description."""
    predicted = count_predictions(run.predictions)
    written = count_synthetic(run.synthetic_documents)
    described = run.class_descriptions.head(MAX_ROWS)
    rows = zip(
        read_rows(run.label_statistics.head(MAX_ROWS)),
        run.enriched_taxonomy.keywords[:MAX_ROWS],
        described["description"],
        described["source"],
        strict=True,
    )
    return [
        {
            "id": row["class_id"],
            "path": row["path"],
            "silver": row["n_documents"],
            "status": "empty" if row["empty"] else "starved" if row["starved"] else "enough",
            "synthetic": written[row["class_id"]],
            "predicted": predicted[row["class_id"]],
            "keywords": ", ".join(keywords),
            "description": description,
            "source": source,
        }
        for row, keywords, description, source in rows
    ]


def count_predictions(predictions: pd.DataFrame) -> Counter[str]:
    """Return for each class the number of test documents whose label set has it."""
    return Counter(predictions["class_ids"].explode().dropna())


def count_synthetic(synthetic_documents: pd.DataFrame) -> Counter[str]:
    """Return for each class the number of documents written for it."""
    return Counter(path[-1] for path in synthetic_documents["class_ids"])


# ---------------------------------------------------------------------- stages


def describe_stages(run: RunEntries) -> list[dict[str, Any]]:
    """Return one row a stage: stage, did (sentences), seconds, finished, money, usage, nodes.

    All but the sentences come from the record of the last run of each of the stage's nodes and are None without one.
    Money is what the language model was paid and usage what it did, in words; None where it was not asked.
    """
    did = _describe_work(run)
    rows = []
    for stage in STAGES:
        nodes = {name: node for name, node in run.run_record.items() if node["stage"] == stage}
        usages = [node["llm"] for node in nodes.values() if node.get("llm")]
        rows.append(
            {
                "stage": stage,
                "did": did[stage],
                "seconds": sum(node["seconds"] for node in nodes.values()) if nodes else None,
                "finished": max((node["finished"] for node in nodes.values()), default=None),
                "money": _add_up(usages) if usages else None,
                "usage": _describe_usage(usages) if usages else None,
                "nodes": nodes,
            }
        )
    return rows


def _describe_work(run: RunEntries) -> dict[str, list[str]]:
    silver, starved, history = run.silver_labels, run.starved_classes, run.training_history
    n_written = sum(i in count_synthetic(run.synthetic_documents) for i in starved["class_id"])
    sources = Counter("template" if s == "template" else "written" for s in run.class_descriptions["source"])
    labels = run.predictions["class_ids"].map(len)
    n_docs = run.metrics["n_docs"]
    epochs = history.groupby("phase", sort=False)["epoch"].max()
    return {
        "ingest": [
            f"{len(run.documents):,} documents read, {len(run.rejected_documents):,} set aside",
            f"{len(run.taxonomy):,} classes on {run.taxonomy.depth} levels",
        ],
        "enrich": [
            f"{sources['written']:,} class descriptions by a language model, {sources['template']:,} from the template"
        ],
        "pseudo_label": [
            f"{silver['kept'].sum():,} of {len(silver):,} silver labels kept",
            f"{len(starved):,} of {len(run.taxonomy):,} classes starved",
        ],
        "augment": [
            f"{len(run.synthetic_documents):,} synthetic documents, "
            f"for {n_written:,} of {len(starved):,} starved classes",
            f"{len(run.training_examples):,} training examples",
        ],
        "train": [f"{spell(str(phase))}: {n} epochs" for phase, n in epochs.items()],
        "infer": [
            f"{len(labels):,} test documents labelled",
            f"{labels.mean() if len(labels) else 0:.1f} classes a document",
        ],
        "evaluate": [f"{n_docs:,} documents scored" if n_docs else "no gold labels, nothing to score"],
        "report": ["studies of style and class embeddings, and this page"],
    }


def _add_up(usages: Sequence[Mapping[str, Any]]) -> str:
    """Return what several nodes paid the language model; answers on hand are free, whatever the price."""
    costs = [usage["cost"] for usage in usages if usage["calls"]]
    return format_cost(None if None in costs else sum(costs))


def _describe_usage(usages: Sequence[Mapping[str, Any]]) -> str:
    """Return how many answers came from the language model, how many were on hand, and how many there were not."""
    total = {key: sum(usage[key] for usage in usages) for key in usages[0] if key != "cost"}
    parts = [f"{total['calls']:,} calls, {total['input_tokens'] + total['output_tokens']:,} tokens"]
    parts += [f"{total['cached']:,} answers on hand"] if total["cached"] else []
    return ", ".join(parts + ([f"{total['failed']:,} without an answer"] if total["failed"] else []))


def spell(name: str) -> str:
    """Return a name for people, spaces for underscores."""
    return name.replace("_", " ")


# ---------------------------------------------------------------------- silver labels


def count_by_size(statistics: pd.DataFrame) -> tuple[list[str], dict[str, list[int]]]:
    """Return the histogram of class sizes: the bins 0, 1, 2-3, 4-7, ... and the classes in each, by status."""
    counts = statistics["n_documents"].to_numpy(np.int64)
    bins = np.where(counts > 0, 1 + np.floor(np.log2(np.maximum(counts, 1))), 0).astype(np.int64)
    status = np.where(statistics["empty"], "empty", np.where(statistics["starved"], "starved", "enough"))
    n = int(bins.max()) + 1
    names = ["0", *(str(2**k) if k == 0 else f"{2**k}+" for k in range(n - 1))]
    return names, {s: np.bincount(bins[status == s], minlength=n).tolist() for s in ("empty", "starved", "enough")}


def count_by_level(statistics: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one row a level: level, classes, median, largest (silver documents a class), starved, empty."""
    return [
        {
            "level": level,
            "classes": len(here),
            "median": float(here["n_documents"].median()),
            "largest": int(here["n_documents"].max()),
            "starved": int(here["starved"].sum()),
            "empty": int(here["empty"].sum()),
        }
        for level, here in statistics.groupby("level")
    ]


def rank_classes(statistics: pd.DataFrame, n: int) -> dict[str, list[dict[str, Any]]]:
    """Return the `n` largest classes, and the `n` smallest that have a silver document; largest first."""
    ranked = statistics.sort_values("n_documents", ascending=False, kind="stable")
    columns = ["path", "n_documents", "starved"]
    return {
        "largest": read_rows(ranked[columns].head(n)),
        "smallest": read_rows(ranked.loc[ranked["n_documents"] > 0, columns].tail(n)),
    }


def count_by_confidence(silver: pd.DataFrame, n_bins: int = 24) -> tuple[list[str], dict[str, list[int]]]:
    """Return the histogram of the gaps up to the 99th percentile: lower edges of the bins, counts kept and dropped."""
    gaps = silver["confidence"].to_numpy(np.float64)
    high = float(np.quantile(gaps, 0.99)) if len(gaps) else 1.0
    low = min(float(gaps.min(initial=0.0)), 0.0)
    edges = np.linspace(low, high if high > low else low + 1.0, n_bins + 1)
    kept = silver["kept"].to_numpy(bool)
    counts = {
        name: np.histogram(np.minimum(gaps[m], edges[-1]), edges)[0] for name, m in (("kept", kept), ("dropped", ~kept))
    }
    names = [f"{edge:.2g}" if k % 6 == 0 else "" for k, edge in enumerate(edges[:-1])]
    return names, {name: values.tolist() for name, values in counts.items()}


def sample_silver_labels(run: RunEntries) -> list[dict[str, Any]]:
    """Return silver labels at five places of the ranking by confidence: name and rows (text, paths, confidence).

    The surest, the middle and the least sure of those kept; the surest and the least sure of those dropped.
    """
    ranked = run.silver_labels.sort_values("confidence", ascending=False, kind="stable")
    kept, dropped = ranked[ranked["kept"]], ranked[~ranked["kept"]]
    middle = max(0, (len(kept) - PER_SAMPLE) // 2)
    places = {
        "The surest": kept.head(PER_SAMPLE),
        "In the middle of those kept": kept.iloc[middle : middle + PER_SAMPLE],
        "Only just kept": kept.tail(PER_SAMPLE),
        "Only just dropped": dropped.head(PER_SAMPLE),
        "The least sure of all": dropped.tail(PER_SAMPLE),
    }
    groups, seen = [], set[int]()
    for name, rows in places.items():
        rows = rows[~rows.index.isin(seen)]  # a small corpus has the same document at several places
        seen |= set(rows.index)
        shown = rows.merge(run.documents, on=["split", "doc_id"], how="left")
        groups.append({"name": name, "rows": [_show_label(row, run.taxonomy) for row in read_rows(shown)]})
    return groups


def _show_label(row: dict[str, Any], taxonomy: Taxonomy) -> dict[str, Any]:
    return {
        "id": f"{row['split']} {row['doc_id']}",
        "text": shorten(row["text"]),
        "paths": show_paths(row["class_ids"], taxonomy),
        "confidence": row["confidence"],
    }


def show_paths(class_ids: Sequence[str], taxonomy: Taxonomy) -> list[str]:
    """Return the root-to-node paths that a label set is the union of, as people read them."""
    paths = taxonomy.paths_within([taxonomy.index[i] for i in class_ids])
    return [" > ".join(map(taxonomy.spoken_name, path)) for path in paths]


def list_starved(run: RunEntries) -> list[dict[str, Any]]:
    """Return one row a starved class, at most `MAX_ROWS`: what it had, what was written for it, what came of it."""
    predicted = count_predictions(run.predictions)
    synthetic = run.synthetic_documents
    synthetic = synthetic.assign(target=[path[-1] for path in synthetic["class_ids"]])
    written = {str(target): rows for target, rows in synthetic.groupby("target")}
    rows = []
    for row in read_rows(run.starved_classes.head(MAX_ROWS)):
        own = written.get(row["class_id"], synthetic.iloc[:0])
        rows.append(
            {
                "path": run.taxonomy.labels[run.taxonomy.index[row["class_id"]]],
                "silver": row["n_documents"],
                "synthetic": len(own),
                "source": ", ".join(dict.fromkeys(own["source"])),
                "example": shorten(own["text"].iloc[0]) if len(own) else "",
                "predicted": predicted[row["class_id"]],
            }
        )
    return rows


# ---------------------------------------------------------------------- trust


def count_by_expected_f1(documents: pd.DataFrame, n_bins: int = 20) -> tuple[list[str], dict[str, list[int]]]:
    """Return the histogram of expected F1: lower edges of the bins, and the documents in each by their silver label.

    `confirmed` are those predicted to have just their silver label set, `changed` those with another one, `new` those
    without.
    """
    edges = np.linspace(0, 1, n_bins + 1)
    agreement = documents["teacher_agreement"].to_numpy(np.float64)
    expected = documents["expected_f1"].to_numpy(np.float64)
    parts = {"confirmed": agreement == 1, "changed": agreement < 1, "new": np.isnan(agreement)}
    counts = {name: np.histogram(expected[part], edges)[0].tolist() for name, part in parts.items() if part.any()}
    return [f"{edge:.1f}" if k % 2 == 0 else "" for k, edge in enumerate(edges[:-1])], counts


def list_takers(run: RunEntries) -> list[dict[str, Any]]:
    """Return the `MAX_TAKERS` classes that take most documents from others: one row of `class_diagnostics` each.

    `other` is the path of the class that they take most from.
    """
    rows = run.class_diagnostics.sort_values("n_taken", ascending=False, kind="stable").head(MAX_TAKERS)
    paths = run.class_diagnostics.set_index("class_id")["path"]
    return [row | {"other": paths[row["taken_from"]]} for row in read_rows(rows[rows["n_taken"] > 0])]


# ---------------------------------------------------------------------- predictions


def choose_documents(predictions: pd.DataFrame, documents: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions that the page holds, the most doubtful first: their diagnostics, position, doubtful.

    On the page are the doubtful ones (`MAX_DOUBTFUL`); and of those with the same best class up to `MAX_PER_CLASS`,
    evenly spread over the doubt, with the largest such number for which at most `MAX_DOCUMENTS` are chosen so.

    Args:
        predictions: of all test documents.
        documents: their diagnostics, the most doubtful first.
    """
    order = pd.Index(predictions["doc_id"]).get_indexer(documents["doc_id"])
    best = [paths[0][-1] if len(paths) else "" for paths in predictions["paths"]]
    classes = pd.Series(best, dtype="str").iloc[order].reset_index(drop=True)
    rank, size = classes.groupby(classes).cumcount(), classes.groupby(classes).transform("size")
    sizes = classes.value_counts().to_numpy()
    quota = next((q for q in range(MAX_PER_CLASS, 1, -1) if np.minimum(sizes, q).sum() <= MAX_DOCUMENTS), 1)
    spread = (rank * quota // size) != ((rank - 1) * quota // size)
    spread &= spread.cumsum() <= MAX_DOCUMENTS  # more classes than that
    doubtful = np.arange(len(order)) < min(MAX_DOUBTFUL, -(-len(order) // 10))
    chosen: pd.DataFrame = documents.assign(position=order, doubtful=doubtful)[doubtful | spread.to_numpy()]
    return chosen.reset_index(drop=True)


def pack_documents(run: RunEntries, chosen: pd.DataFrame) -> dict[str, Any]:
    """Return what the page's script searches: names of the classes, and the documents, most doubtful first.

    A document is [id, text, classes, paths, scores, doubtful, expected F1, agreement of the views or None]; a class is
    its position in the taxonomy.
    """
    index = run.taxonomy.index
    rows = run.predictions.iloc[chosen["position"]]
    texts = _find_texts(run.test_documents, rows["doc_id"])
    documents = [
        [
            row["doc_id"],
            shorten(text),
            [index[i] for i in row["class_ids"]],
            [[index[i] for i in path] for path in row["paths"]],
            [round(float(score), 3) for score in row["scores"]],
            int(facts["doubtful"]),
            round(facts["expected_f1"], 3),
            None if np.isnan(facts["view_agreement"]) else round(facts["view_agreement"], 3),
        ]
        for row, text, facts in zip(read_rows(rows), texts, read_rows(chosen), strict=True)
    ]
    names = [run.taxonomy.spoken_name(c) for c in range(len(run.taxonomy))]
    return {"names": names, "documents": documents}


def list_predicted_classes(run: RunEntries) -> list[tuple[int, str, int]]:
    """Return the classes that were predicted, by path: (position, path, documents)."""
    counts, taxonomy = count_predictions(run.predictions), run.taxonomy
    rows = [(taxonomy.index[i], taxonomy.labels[taxonomy.index[i]], n) for i, n in counts.items()]
    return sorted(rows, key=_read_path)


def _read_path(row: tuple[int, str, int]) -> list[str]:
    return row[1].split(" > ")


def _find_texts(documents: pd.DataFrame, doc_ids: pd.Series) -> list[str]:
    """Return texts by id; an empty one for a document that is not there any more."""
    return list(documents.set_index("doc_id")["text"].reindex(list(doc_ids)).fillna(""))


# ---------------------------------------------------------------------- scores


def summarise_errors(case_studies: pd.DataFrame) -> dict[str, list[tuple[str, int, float]]]:
    """Return rows (what, documents, share of the lost sample-F1) by first wrong level and by kind."""
    levels = case_studies["first_wrong_level"].to_numpy(np.int64)
    f1 = case_studies["sample_f1"].to_numpy(np.float64)
    shares = cases.summarise_errors(levels, f1)
    kinds = case_studies["kind"].to_numpy()
    lost = float((1.0 - f1).sum()) or 1.0
    return {
        "levels": [(f"level {k}", int((levels == k).sum()), share) for k, share in shares.items()],
        "kinds": [
            (kind, int((kinds == kind).sum()), float((1.0 - f1)[kinds == kind].sum()) / lost)
            for kind in cases.KINDS
            if kind in kinds
        ],
    }


def list_cases(case_studies: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the `MAX_CASES` worst documents that are not right."""
    wrong = case_studies[case_studies["sample_f1"] < 1].head(MAX_CASES)
    return read_rows(wrong.assign(text=wrong["text"].map(shorten)))


# ---------------------------------------------------------------------- settings


def flatten_settings(parameters: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the parameters of each stage by dotted key, defaults included; of the whole run below an empty name.

    The variants of the ablation are no settings of this run and are left out.
    """
    settings: dict[str, dict[str, Any]] = {"": {}, **{stage: {} for stage in STAGES}}
    for name, value in parameters.items():
        if name == "ablation":
            continue
        value = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        if isinstance(value, Mapping):
            settings[name] = _flatten(value)
        else:
            settings[""][name] = value
    return settings


def _flatten(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flatten(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return flat


def list_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # the project itself, run from its source
            versions[name] = "not installed"
    return versions
