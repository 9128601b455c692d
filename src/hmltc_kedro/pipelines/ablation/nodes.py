"""Nodes of the ablation: what a variant does beyond the nodes of the stages."""

import gc
import logging
import time
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from hmltc_kedro.corpus.gold_labels import align_gold_labels
from hmltc_kedro.corpus.raw_documents import select_split
from hmltc_kedro.corpus.raw_files import RawTable
from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.modeling.predictions import predictions_to_frame
from hmltc_kedro.pipelines.ablation.variants import VARIANTS
from hmltc_kedro.pipelines.train.nodes import train_classifier
from hmltc_kedro.pipelines.train.params import TrainParams
from hmltc_kedro.report import figures
from hmltc_kedro.studies import ablation, core_classes
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder

logger = logging.getLogger(__name__)


def assign_taxoclass_labels(
    documents: pd.DataFrame,
    document_embeddings: TensorTable,
    class_embeddings: TensorTable,
    taxonomy: Taxonomy,
) -> pd.DataFrame:
    """Label each document with its core classes and their ancestors, as TaxoClass does."""
    return core_classes.assign_taxoclass_labels(
        document_embeddings["vectors"], class_embeddings["text"], documents, taxonomy
    )


def assign_teleclass_labels(
    documents: pd.DataFrame,
    document_embeddings: TensorTable,
    class_embeddings: TensorTable,
    taxonomy: Taxonomy,
    encoder: TextEncoder,
) -> pd.DataFrame:
    """Label each document with core classes found by keywords and refined by centroids, as TELEClass does."""
    terms, owners = core_classes.write_terms(taxonomy)
    return core_classes.assign_teleclass_labels(
        documents,
        document_embeddings["vectors"],
        class_embeddings["text"],
        encoder.encode(terms),
        owners,
        taxonomy,
    )


def train_over_seeds(
    training_examples: pd.DataFrame,
    documents: pd.DataFrame,
    class_embeddings: TensorTable,
    lexical_view: pd.DataFrame,
    view_weights: dict[str, Any],
    taxonomy: Taxonomy,
    encoder: TextEncoder,
    params: TrainParams,
    views: Sequence[str],
    batch_size: int,
    seeds: list[int],
) -> tuple[TensorTable, pd.DataFrame]:
    """Train once a seed; return the test documents' probabilities by seed and the history with seeds and seconds."""
    test, arrays, logs = select_split(documents, "test"), {}, []
    for seed in seeds:
        started = time.perf_counter()
        classifier, history = train_classifier(
            training_examples,
            documents,
            class_embeddings,
            lexical_view,
            view_weights,
            taxonomy,
            encoder,
            params,
            views,
            seed,
        )
        arrays[f"seed_{seed}"] = classifier.predict_probabilities(list(test["text"]), batch_size, cache=encoder)
        seconds = time.perf_counter() - started
        logs.append(history.assign(seed=seed, total_seconds=round(seconds, 2)))
        del classifier
        gc.collect()  # an optimizer and its schedule refer to each other: without this each seed stays in memory
    table = TensorTable(list(test["doc_id"]), arrays, columns=taxonomy.class_ids)
    return table, pd.concat(logs, ignore_index=True)


def decode_over_seeds(probabilities: TensorTable, taxonomy: Taxonomy, decoding: DecodingSettings) -> pd.DataFrame:
    """Decode the label sets of each seed."""
    probabilities.check_columns(taxonomy.class_ids, "probabilities")
    frames = []
    for name, values in probabilities.arrays.items():
        frame = predictions_to_frame(decode(values, taxonomy, decoding), values, taxonomy)
        frame.insert(0, "doc_id", pd.Series(probabilities.ids, dtype="str"))
        frame.insert(0, "seed", int(name.removeprefix("seed_")))
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def score_variant(
    gold_labels: RawTable,
    predictions: pd.DataFrame,
    probabilities: TensorTable,
    training_log: pd.DataFrame,
    taxonomy: Taxonomy,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure a variant against gold: one row a seed, and the mean sample-F1 of each document."""
    gold = align_gold_labels(gold_labels, taxonomy, list(probabilities.ids))
    scores, by_document = ablation.score_seeds(gold, predictions, probabilities, taxonomy)
    seconds = training_log.groupby("seed")["total_seconds"].first()
    scores["seconds"] = scores["seed"].map(seconds)
    return scores, by_document


def tabulate_variants(seed: int, **entries: pd.DataFrame) -> pd.DataFrame:
    """Put the variants together: one row each, with intervals and the difference to `final`."""
    variants = {
        name: (entries[f"{name}_scores"], entries[f"{name}_documents"])
        for name in VARIANTS
        if f"{name}_scores" in entries
    }
    titles = {name: VARIANTS[name].title for name in variants}
    sources = {name: VARIANTS[name].source for name in variants}
    return ablation.tabulate(variants, titles, sources, seed)


def plot_ablation(ablation_table: pd.DataFrame) -> go.Figure:
    """Draw sample-F1 of each variant with its interval."""
    return figures.draw_ablation(ablation_table)
