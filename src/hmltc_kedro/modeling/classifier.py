"""The trained product: encoder, head, taxonomy and settings in one directory, usable without Kedro.

Torch is imported by the methods that compute: Kedro reads this module for its type hints in every command.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from hmltc_kedro.arrays import AnyArray, FloatArray, IntArray, split_rows
from hmltc_kedro.atomic import write_folder
from hmltc_kedro.decoding.blocks import round_digits
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.decoding.paths import DecodedPaths, union_paths
from hmltc_kedro.display import show_progress
from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling.abstention import find_fitting
from hmltc_kedro.modeling.files import read_parts, write_card, write_parts, write_settings
from hmltc_kedro.modeling.student import Evidence, Student
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.lexical_view import LexicalView
from hmltc_kedro.text.models import open_model
from hmltc_kedro.text.texts import Texts, read_texts
from hmltc_kedro.text.windows import check_vectors, encode_texts

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from hmltc_kedro.modeling.head import CosineHead

ACCEPT, REVIEW = "accept", "review"
"""Decisions on a label set."""

DIGITS = 6
"""Of scores and probabilities in tables."""

CHUNK = 512
"""Texts encoded between two turns of the progress bar."""


@dataclass(frozen=True)
class Prediction:
    """The label set of one document: a union of root-to-node paths.

    Attributes:
        class_ids: the ids, parents before children.
        names: their names.
        paths: the paths the set is the union of, as ids, best first.
        scores: a score between 0 and 1 for each path.
        probabilities: a probability for each class of `class_ids`, in their order.
        decision: `accept` or `review`, at the precision that the classifier was calibrated to; empty without one.
        fits: False if words in no order would do as well, see `abstention`: the text may be about none of the classes.
    """

    class_ids: list[str]
    names: list[str]
    paths: list[list[str]]
    scores: list[float]
    probabilities: list[float]
    fits: bool
    decision: str


class HierarchicalClassifier:
    """Labels texts with classes of a taxonomy.

    Example:
        >>> classifier = HierarchicalClassifier.load("data/06_models/sample/classifier")
        >>> classifier.predict(["Whistling kettle 2 l. Boils in no time"])[0].names
        ['kitchen_dining', 'small_appliances', 'kettles']

    Args:
        encoder: a sentence-transformers model, or the directory of one, which is opened when it is needed.
        head: from document vectors to logits.
        taxonomy: of C classes.
        decoding: how probabilities become label sets; the best path if nothing is said.
        description: anything worth keeping with the model (JSON), e.g. training settings.
        lexical: the words' view of the classes, exactly if the head has the lexical term.
        max_windows: that a long text is read in, see `windows.cut_windows`.
        frozen: fingerprint of the `TextEncoder` whose vectors this classifier reads, None once the encoder was tuned.
        nulls: probabilities of texts about nothing, shape (m, C), see `abstention`; None for none.
        student: what judged documents have taught; None where none was judged.
        accept: expected precision from which on a label set is accepted without review; None where that is not known.
    """

    def __init__(
        self,
        encoder: SentenceTransformer | Path,
        head: CosineHead,
        taxonomy: Taxonomy,
        *,
        decoding: DecodingSettings | None = None,
        description: dict[str, Any] | None = None,
        lexical: LexicalView | None = None,
        max_length: int | None = None,
        max_windows: int = 1,
        frozen: str | None = None,
        nulls: FloatArray | None = None,
        student: Student | None = None,
        accept: float | None = None,
        device: str = "auto",
    ) -> None:
        """Put the parts together, ready to predict."""
        self._encoder = encoder if isinstance(encoder, Path) else encoder.eval()
        self._device = device if isinstance(encoder, Path) else str(encoder.device)
        self.max_length = max_length if isinstance(encoder, Path) else encoder.max_seq_length
        self.head = head.eval()
        self.taxonomy = taxonomy
        self.decoding = decoding or DecodingSettings.model_validate({})
        self.description = description or {}
        self.lexical = lexical
        self.max_windows = max_windows
        self.frozen = frozen
        self.nulls = np.zeros((0, len(taxonomy)), dtype=np.float32) if nulls is None else nulls
        self.student = student
        self.accept = accept

    def __repr__(self) -> str:
        return f"HierarchicalClassifier({self.taxonomy!r})"

    @property
    def directory(self) -> Path | None:
        """Where the classifier was read from, None for one that was not."""
        return self._encoder.parent if isinstance(self._encoder, Path) else None

    @cached_property
    def encoder(self) -> SentenceTransformer:
        """The sentence-transformers model.

        Raises:
            InputError: its files are damaged.
        """
        if not isinstance(self._encoder, Path):
            return self._encoder
        try:
            return open_model(self._encoder, self._device, self.max_length).eval()
        except Exception as error:  # three libraries read these files, each with errors of its own
            raise InputError(f"{self.directory}: not a readable classifier ({error}); train it again") from error

    def with_parts(self, **parts: Any) -> HierarchicalClassifier:
        """Return the same classifier with other parts that need no new training: decoding, student, nulls, accept."""
        other = copy.copy(self)
        for name, part in parts.items():
            setattr(other, name, part)
        return other

    # ------------------------------------------------------------------ prediction

    def predict_probabilities(self, texts: Texts, batch_size: int = 32, cache: TextEncoder | None = None) -> FloatArray:
        """Return the probability of each class for each text: shape (n, C), float32, see `round_digits`.

        Args:
            texts: n texts, by position whatever holds them, see `read_texts`.
            batch_size: texts a batch of the encoder.
            cache: an encoder that gives the vectors, if it is the one called `frozen`; it may know them already.

        Raises:
            InputError: something that is no text, with its position.
        """
        texts = read_texts(texts)
        probabilities = np.zeros((len(texts), len(self.taxonomy)), dtype=np.float32)
        for rows, block in self.iterate_probabilities(texts, batch_size, cache):
            probabilities[rows] = block
        return probabilities

    def iterate_probabilities(
        self, texts: Texts, batch_size: int = 32, cache: TextEncoder | None = None
    ) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield rows of a block of the texts, and what `predict_probabilities` says of them; memory does not grow."""
        for rows, evidence in self.iterate_evidence(texts, batch_size, cache):
            yield rows, round_digits(self.student.predict(evidence)) if self.student else squash(evidence.logits)

    def gather_evidence(self, texts: Texts, cache: TextEncoder | None = None) -> Evidence:
        """Return the evidence on all texts at once, in their order; for the few that a student learns from."""
        parts = [evidence for _, evidence in self.iterate_evidence(texts, cache=cache)]
        return Evidence.join(parts) if parts else Evidence.empty(len(self.taxonomy))

    def iterate_evidence(
        self, texts: Texts, batch_size: int = 32, cache: TextEncoder | None = None
    ) -> Iterator[tuple[IntArray, Evidence]]:
        """Yield what the classifier sees of the texts and makes of them before any student, block by block.

        Args:
            texts: n texts, see `predict_probabilities`.
            batch_size: texts a batch of the encoder.
            cache: see `predict_probabilities`.

        Yields:
            Rows of the block, and its evidence.
        """
        import torch

        from hmltc_kedro.text.device import choose_device

        texts, device = read_texts(texts), choose_device(self._device)
        self.head.to(device)
        vectors = cache.encode(texts) if cache is not None and cache.fingerprint == self.frozen else None
        bar = tqdm(total=len(texts), desc="classify", unit="doc", disable=not show_progress())
        with bar, torch.no_grad():
            for start in range(0, len(texts), CHUNK):
                chunk = texts[start : start + CHUNK]
                rows = np.arange(start, start + len(chunk))
                own = self._encode(chunk, batch_size) if vectors is None else vectors[rows]
                lexical = self.lexical or LexicalView.empty(len(self.taxonomy))
                words = lexical.represent(chunk)
                scores = lexical.score(words)
                inputs = [own] if self.lexical is None else [own, scores]
                logits = self.head(*(torch.from_numpy(part).to(device) for part in inputs))
                yield rows, Evidence(own, words, logits.float().cpu().numpy(), scores)
                bar.update(len(rows))

    def _encode(self, texts: Sequence[str], batch_size: int) -> FloatArray:
        vectors = encode_texts(self.encoder, texts, batch_size, self.max_windows)
        check_vectors(vectors, texts, self.directory or "of the classifier")
        return vectors

    def predict(self, texts: Texts, batch_size: int = 32) -> list[Prediction]:
        """Return the label set of each text, in their order; see `predict_probabilities`."""
        frame = self.predict_frame(texts, batch_size)
        return [Prediction(*row) for row in frame.itertuples(index=False, name=None)]

    def predict_frame(self, texts: Texts, batch_size: int = 32) -> pd.DataFrame:
        """Return one row a text with the fields of `Prediction`; those of a Series have its labels."""
        probabilities = self.predict_probabilities(texts, batch_size)
        decoded = decode(probabilities, self.taxonomy, self.decoding)
        frame = predictions_to_frame(decoded, probabilities, self.taxonomy)
        frame["fits"] = find_fitting(decoded, self.nulls, self.taxonomy, self.decoding)
        frame["decision"] = decide(probabilities, frame["class_ids"], frame["fits"], self.taxonomy, self.accept)
        # pandas puts what is assigned to a frame where its labels are.
        return frame.set_index(texts.index) if isinstance(texts, pd.Series) else frame

    # ------------------------------------------------------------------ files

    def save(self, directory: str | Path) -> None:
        """Write the model to `directory`, replacing what is there, and in one move at the end."""
        with write_folder(Path(directory)) as temporary:
            if isinstance(self._encoder, Path):
                shutil.copytree(self._encoder, temporary / "encoder")
            else:
                self._encoder.save(str(temporary / "encoder"), create_model_card=False)
            write_parts(temporary, self.head, self.taxonomy, self.nulls, self.lexical, self.student)
            settings = {
                "max_length": self.max_length,
                "max_windows": self.max_windows,
                "frozen": self.frozen,
                "accept": self.accept,
                "decoding": self.decoding.model_dump(),
                "description": self.description,
            }
            write_settings(temporary, settings)
            (temporary / "README.md").write_text(write_card(self.taxonomy, self.description, self.student), "utf-8")

    @classmethod
    def load(cls, directory: str | Path, device: str = "auto") -> HierarchicalClassifier:
        """Read a model that `save` wrote; only safetensors and JSON are read, no code is run.

        Raises:
            InputError: no such model, one this version does not read, or one whose files do not belong together.
        """
        return cls(Path(directory) / "encoder", device=device, **read_parts(Path(directory)))


def predictions_to_frame(decoded: DecodedPaths, probabilities: AnyArray, taxonomy: Taxonomy) -> pd.DataFrame:
    """Return one row a document: class_ids, names, paths (lists of ids), scores (one a path), probabilities.

    Args:
        decoded: paths of n documents.
        probabilities: any float dtype, shape (n, C).
        taxonomy: of C classes.
    """
    ids, names = np.array(taxonomy.class_ids, dtype=object), np.array(taxonomy.names, dtype=object)
    rows, classes, starts = taxonomy.order_labels(union_paths(decoded, taxonomy))
    values = np.asarray(probabilities[rows, classes], dtype=np.float64).round(DIGITS)
    return pd.DataFrame(
        {
            "class_ids": [list(part) for part in split_rows(ids[classes], starts)],
            "names": [list(part) for part in split_rows(names[classes], starts)],
            "paths": [[list(ids[path[path >= 0]]) for path in paths if path[0] >= 0] for paths in decoded.paths],
            "scores": [[round(float(score), DIGITS) for score in row if score > -np.inf] for row in decoded.scores],
            "probabilities": [part.tolist() for part in split_rows(values, starts)],
        }
    )


def squash(logits: FloatArray) -> FloatArray:
    """Return the sigmoid of logits, float32, as torch computes it, see `round_digits`."""
    import torch

    return round_digits(torch.from_numpy(logits).sigmoid().numpy())


def decide(
    probabilities: AnyArray,
    label_sets: Iterable[Sequence[str]],
    fits: Iterable[bool],
    taxonomy: Taxonomy,
    accept: float | None,
) -> list[str]:
    """Return `accept` or `review` for each label set, by its expected precision, the mean probability of its classes.

    A document that may be about none of the classes is never accepted: its probabilities say which class is the
    nearest, and not that it is near.

    Args:
        probabilities: of n documents, any float dtype, shape (n, C).
        label_sets: class ids of each.
        fits: of each, see `find_fitting`.
        taxonomy: of C classes.
        accept: expected precision from which on a set is accepted; None decides nothing: n empty texts.
    """
    labels = taxonomy.to_matrix(label_sets)
    if accept is None:
        return [""] * labels.shape[0]
    pairs = labels.tocoo()
    values = np.asarray(probabilities[pairs.row, pairs.col], dtype=np.float64)
    total = np.bincount(pairs.row, weights=values, minlength=labels.shape[0])
    expected = total / np.maximum(np.diff(labels.indptr), 1)
    return [ACCEPT if value >= accept and fit else REVIEW for value, fit in zip(expected, fits, strict=True)]
