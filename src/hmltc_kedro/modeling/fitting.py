"""From texts and a taxonomy to the parts of a classifier, in memory.

The steps are those of `kedro run` without a language model and without labels, and the functions are the same; what
a run has as entries on the disk is here a variable.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.augmentation.training_examples import build_examples
from hmltc_kedro.corpus.raw_documents import sample_split
from hmltc_kedro.enrichment.class_texts import embed_classes, write_lexical_texts
from hmltc_kedro.enrichment.templates import write_templates
from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling.examples import WeightedMultiLabelDataset
from hmltc_kedro.modeling.loop import History
from hmltc_kedro.modeling.settings import FitSettings, TrainingSettings
from hmltc_kedro.modeling.training import train_classifier
from hmltc_kedro.pseudo_labels.candidates import Corpus, candidates_to_frame, iterate_candidates
from hmltc_kedro.pseudo_labels.neighbourhood import find_neighbours
from hmltc_kedro.pseudo_labels.reliability import ViewWeights, average_views, weigh_views
from hmltc_kedro.pseudo_labels.settings import PseudoLabelSettings
from hmltc_kedro.pseudo_labels.silver_labels import assign_labels
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.features import read_features
from hmltc_kedro.text.lexical_view import LexicalView
from hmltc_kedro.text.texts import Texts, read_texts

SPLIT = "train"
"""Of all documents here: none is set apart."""


def read_documents(texts: Texts, max_documents: int | None, seed: int) -> pd.DataFrame:
    """Return texts as documents: split, doc_id (their positions, from 0) and text.

    Args:
        texts: two or more.
        max_documents: of more texts a sample is drawn; None takes all.
        seed: of the sample.

    Raises:
        InputError: fewer than two, something that is no text, or an empty one, with its position.
    """
    found = read_texts(texts)
    if len(found) < 2:
        raise InputError(f"{len(found) or 'no'} text to fit on; give the corpus, two texts at least")
    empty = next((place for place, text in enumerate(found) if not text.strip()), None)
    if empty is not None:
        raise InputError(f"text {empty}: it is empty; give a text or leave it out")
    documents = pd.DataFrame({"split": SPLIT, "doc_id": list(map(str, range(len(found)))), "text": found})
    return documents if max_documents is None else sample_split(documents, SPLIT, max_documents, seed)


def fit_parts(
    documents: pd.DataFrame, taxonomy: Taxonomy, settings: FitSettings, encoder: TextEncoder, seed: int
) -> dict[str, Any]:
    """Return the arguments of a `HierarchicalClassifier` that was fitted on documents nobody has labelled.

    Args:
        documents: split, doc_id and text of N documents.
        taxonomy: of C classes.
        settings: of the stages.
        encoder: with a cache: texts are encoded more than once.
        seed: of every draw.
    """
    texts, chosen = list(documents["text"]), settings.pseudo_label
    views = embed_classes(encoder, taxonomy, write_templates(taxonomy))
    lexical = LexicalView.empty(len(taxonomy))
    if chosen.lexical_weight != 0:
        lexical = LexicalView.fit(texts, write_lexical_texts(taxonomy))
    class_views: dict[str, FloatArray] = {view: views[view] for view in chosen.views}
    vectors = encoder.encode(texts)
    weights = weigh_views(
        texts,
        vectors,
        class_views,
        lexical,
        taxonomy,
        encoder,
        hubness_prior=chosen.hubness_prior,
        ancestor_weight=chosen.ancestor_weight,
        fixed_lexical_weight=chosen.lexical_weight,
        with_neighbours=chosen.neighbours > 0,
        seed=seed,
    )
    labels = label_documents(documents, vectors, class_views, lexical, weights, taxonomy, chosen, seed)
    examples = build_examples(documents, labels, pd.DataFrame(), synthetic_weight=1.0, synthetic_ancestors=True)
    parts, _ = train_parts(
        examples,
        texts,
        average_views(class_views),
        lexical,
        weights.lexical_weight,
        taxonomy,
        encoder,
        settings.train,
        seed,
    )
    return {**parts, "decoding": settings.decoding}


def label_documents(
    documents: pd.DataFrame,
    vectors: FloatArray,
    class_views: dict[str, FloatArray],
    lexical: LexicalView,
    weights: ViewWeights,
    taxonomy: Taxonomy,
    settings: PseudoLabelSettings,
    seed: int,
) -> pd.DataFrame:
    """Return the silver labels of documents, see `assign_labels`."""
    texts = list(documents["text"])
    words = lexical if lexical.words else None
    candidates = iterate_candidates(
        Corpus.gather(texts, vectors, find_neighbours(vectors, settings.neighbours, seed), words, weights),
        class_views,
        words,
        taxonomy,
        top_k=settings.top_k,
        hubness_prior=settings.hubness_prior,
        lexical_weight=weights.lexical_weight,
        ancestor_weight=settings.ancestor_weight,
        second_look=settings.second_look,
        seed=seed,
    )
    return assign_labels(
        candidates_to_frame(candidates, documents, taxonomy),
        taxonomy,
        selection=settings.selection,
        rivals=settings.gap.rivals,
        gap_method=settings.gap.method,
        gap_value=settings.gap.value,
    )


def train_parts(
    examples: pd.DataFrame,
    texts: Texts,
    class_vectors: FloatArray,
    lexical: LexicalView,
    lexical_weight: float,
    taxonomy: Taxonomy,
    encoder: TextEncoder,
    settings: TrainingSettings,
    seed: int,
) -> tuple[dict[str, Any], History]:
    """Train on examples; return the arguments of a `HierarchicalClassifier`, and the history.

    Args:
        examples: from `build_examples`.
        texts: of the whole corpus, which self-training is on.
        class_vectors: start of the head, (C, d); only their directions count.
        lexical: the words' view; the head has none of it if the settings say so or it has no word.
        lexical_weight: of that view beside the dense ones, to start from.
        taxonomy: of C classes.
        encoder: gives vectors, and what fine-tuning changes: a copy of the model.
        settings: of training.
        seed: see `train_classifier`.
    """
    words = lexical if settings.head.lexical and lexical.words else None
    tuned = settings.fine_tuning.epochs > 0
    model = encoder.load_model() if tuned else None
    head, history = train_classifier(
        model,
        read_features(list(examples["text"]), encoder, words, with_windows=tuned),
        WeightedMultiLabelDataset(
            taxonomy.to_matrix(examples["class_ids"]),
            examples["weight"].to_numpy(np.float32),
            taxonomy,
            settings.loss.soft_target,
            settings.loss.mask,
        ),
        class_vectors,
        taxonomy,
        settings,
        seed,
        lexical=words,
        lexical_weight=lexical_weight,
        corpus=read_features(texts, encoder, words, with_windows=tuned) if settings.self_training.rounds else None,
        device=encoder.device,
    )
    parts = {
        "encoder": model or encoder.directory,
        "head": head,
        "taxonomy": taxonomy,
        "description": {"encoder": encoder.name, "n_examples": len(examples), "seed": seed, **settings.model_dump()},
        "lexical": words,
        "max_length": encoder.max_length,
        "max_windows": encoder.max_windows,
        "backend": encoder.backend,
        "device": encoder.device,
        "frozen": None if tuned else encoder.fingerprint,
    }
    return parts, history
