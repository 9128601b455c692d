"""The trained product: encoder, head, taxonomy and settings in one directory, usable without Kedro.

Torch is imported where something is trained or an encoder runs on it: Kedro reads this module for its type hints in
every command, and a service that predicts on OpenVINO answers without it.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import expit
from tqdm import tqdm

from hmltc_kedro.arrays import FloatArray, IntArray
from hmltc_kedro.atomic import write_folder
from hmltc_kedro.corpus.class_sources import read_taxonomy
from hmltc_kedro.decoding.blocks import round_digits
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.display import show_progress
from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling.abstention import score_nulls, write_null_documents
from hmltc_kedro.modeling.files import read_parts, write_card, write_parts, write_settings
from hmltc_kedro.modeling.predictions import Predictions, decide, name_columns, predictions_to_frame
from hmltc_kedro.modeling.settings import FitSettings
from hmltc_kedro.modeling.student import Evidence, Student
from hmltc_kedro.modeling.trained_head import TrainedHead
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.backends import choose_backend
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.lexical_view import LexicalView
from hmltc_kedro.text.light_encoder import LightEncoder
from hmltc_kedro.text.models import EMBEDDED, copy_model, fingerprint_model, open_encoder
from hmltc_kedro.text.texts import Texts, read_texts
from hmltc_kedro.text.windows import SentenceModel, check_vectors, encode_texts

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FEW = 8
"""Texts too few to share among threads of torch: on a busy machine two were five times slower than one."""

CHUNK = 512
"""Texts encoded between two turns of the progress bar."""


class HierarchicalClassifier:
    """Labels texts with classes of a taxonomy.

    Example:
        >>> classifier = HierarchicalClassifier.load("data/06_models/sample/classifier")
        >>> classifier.predict(["Whistling kettle 2 l. Boils in no time"])[0].names
        ['kitchen_dining', 'small_appliances', 'kettles']

    Args:
        encoder: a sentence-transformers model that was tuned, or the directory of one, opened when it is needed.
        head: from document vectors to logits.
        taxonomy: of C classes.
        decoding: how probabilities become label sets; the best path if nothing is said.
        description: anything worth keeping with the model (JSON), e.g. training settings.
        lexical: the words' view of the classes, exactly if the head has the lexical term.
        max_windows: that a long text is read in, see `windows.cut_windows`.
        backend: what computes the encoder once the classifier was saved, see `choose_backend`.
        frozen: fingerprint of the `TextEncoder` whose vectors this classifier reads, None once the encoder was tuned.
        nulls: probabilities of texts about nothing, shape (m, C), see `abstention`; None for none.
        student: what judged documents have taught; None where none was judged.
        accept: expected precision from which on a label set is accepted without review; None where that is not known.
        device: `auto` or a torch device name, for an encoder that is a directory.
        directory: where the classifier was read from, None for one that was not.
    """

    def __init__(
        self,
        encoder: SentenceTransformer | Path,
        head: TrainedHead,
        taxonomy: Taxonomy,
        *,
        decoding: DecodingSettings | None = None,
        description: dict[str, Any] | None = None,
        lexical: LexicalView | None = None,
        max_length: int | None = None,
        max_windows: int = 1,
        backend: str = "torch",
        frozen: str | None = None,
        nulls: FloatArray | None = None,
        student: Student | None = None,
        accept: float | None = None,
        device: str = "auto",
        directory: Path | None = None,
    ) -> None:
        """Put the parts together, ready to predict."""
        self._encoder = encoder if isinstance(encoder, Path) else encoder.eval()
        self._device = device if isinstance(encoder, Path) else str(encoder.device)
        self.max_length = max_length if isinstance(encoder, Path) else encoder.max_seq_length
        self.head = head
        self.taxonomy = taxonomy
        self.decoding = decoding or DecodingSettings()
        self.description = description or {}
        self.lexical = lexical
        self.max_windows = max_windows
        self.backend = backend
        self.frozen = frozen
        self.nulls = np.zeros((0, len(taxonomy)), dtype=np.float32) if nulls is None else nulls
        self.student = student
        self.accept = accept
        self.directory = directory

    def __repr__(self) -> str:
        return f"HierarchicalClassifier({self.taxonomy!r})"

    @cached_property
    def encoder(self) -> SentenceModel:
        """What computes the vectors of texts.

        Raises:
            InputError: its files are damaged.
        """
        if not isinstance(self._encoder, Path):
            return self._encoder
        self._check_encoder(self._encoder)
        try:
            # A lossless backend is as good as the other, so a model made with OpenVINO needs none elsewhere.
            name = "auto" if self.backend == "openvino" else self.backend
            backend = choose_backend(name, self._encoder, self._device)
            return open_encoder(self._encoder, self._device, self.max_length, backend)
        except InputError:
            raise
        except Exception as error:  # three libraries read these files, each with errors of its own
            raise InputError(
                f"{self.directory or self._encoder}: not a readable classifier ({error}); train it again"
            ) from error

    def _check_encoder(self, place: Path) -> None:
        """Refuse an encoder that has changed since the classifier was trained on its vectors, until it has its own."""
        if self.directory is None and self.frozen is not None:
            found = fingerprint_model(place, self.max_length or 0, self.max_windows, self.backend)
            if found != self.frozen:
                raise InputError(f"{place}: the encoder has changed since this classifier was trained; train it again")

    def with_parts(self, **parts: Any) -> HierarchicalClassifier:
        """Return the same classifier with other parts that need no new training: decoding, student, nulls, accept."""
        other = copy.copy(self)
        for name, part in parts.items():
            setattr(other, name, part)
        other.__dict__.pop("_null_score", None)
        return other

    @cached_property
    def _null_score(self) -> float:
        """What `score_nulls` says, once and not with each text."""
        return score_nulls(self.nulls, self.taxonomy, self.decoding)

    # ------------------------------------------------------------------ training

    @classmethod
    def fit(
        cls,
        texts: Texts,
        taxonomy: Taxonomy | str | Path | Mapping[str, Any] | Sequence[Any],
        *,
        encoder: str | TextEncoder = EMBEDDED,
        settings: FitSettings | None = None,
        seed: int = 42,
    ) -> HierarchicalClassifier:
        """Return a classifier of texts that nobody has labelled.

        It is what `kedro run` trains with the settings of conf/base where there is no language model and no label.

        Example:
            >>> classifier = HierarchicalClassifier.fit(texts, {"kitchen": ["kettles", "mugs"], "garden": None})
            >>> classifier.predict("Whistling kettle 2 l")[0].names
            ['kitchen', 'kettles']

        Args:
            texts: of the corpus, two or more; those to be labelled may be among them.
            taxonomy: the classes, or what `class_sources.read_taxonomy` reads them from: a file, nested names, paths.
            encoder: `embedded`, a directory, a hub name, or a `TextEncoder`, which should have a cache.
            settings: where they are to differ from the defaults.
            seed: of every draw.

        Raises:
            InputError: a text that is empty or none, with its position; classes that are not in order.
        """
        from hmltc_kedro.modeling.fitting import fit_parts, read_documents  # torch

        chosen = settings or FitSettings()
        classes, documents = read_taxonomy(taxonomy), read_documents(texts, chosen.max_documents, seed)
        with tempfile.TemporaryDirectory() as folder:
            if not isinstance(encoder, TextEncoder):
                encoder = TextEncoder(encoder, backend="auto", cache=Path(folder) / "vectors.sqlite")
            fitted = cls(**fit_parts(documents, classes, chosen, encoder, seed))
            nulls = fitted.predict_probabilities(write_null_documents(documents["text"]), cache=encoder)
        return fitted.with_parts(nulls=nulls)

    # ------------------------------------------------------------------ prediction

    def predict_probabilities(self, texts: Texts, batch_size: int = 32, cache: TextEncoder | None = None) -> FloatArray:
        """Return the probability of each class for each text: shape (n, C), float32, see `round_digits`.

        Args:
            texts: n texts, by position whatever holds them, see `read_texts`; one text is a list of one.
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
        texts = read_texts(texts)
        vectors = cache.encode(texts) if cache is not None and cache.fingerprint == self.frozen else None
        bar = tqdm(total=len(texts), desc="classify", unit="doc", disable=not show_progress())
        with bar:
            for start in range(0, len(texts), CHUNK):
                chunk = texts[start : start + CHUNK]
                rows = np.arange(start, start + len(chunk))
                own = self._encode(chunk, batch_size) if vectors is None else vectors[rows]
                lexical = self.lexical or LexicalView.empty(len(self.taxonomy))
                words = lexical.represent(chunk)
                scores = lexical.score(words)
                logits = self.head.score(own, scores if self.lexical is not None else None)
                yield rows, Evidence(own, words, logits, scores)
                bar.update(len(rows))

    def _encode(self, texts: Sequence[str], batch_size: int) -> FloatArray:
        with nullcontext() if len(texts) > FEW or isinstance(self.encoder, LightEncoder) else _one_thread():
            vectors = encode_texts(self.encoder, texts, batch_size, self.max_windows)
        check_vectors(vectors, texts, self.directory or "of the classifier")
        return vectors

    def predict(self, texts: Texts, batch_size: int = 32) -> Predictions:
        """Return the label set of each text, in their order; see `predict_probabilities`."""
        return Predictions(self.predict_frame(texts, batch_size), self.taxonomy)

    def predict_proba(self, texts: Texts, batch_size: int = 32) -> pd.DataFrame:
        """Return `predict_probabilities` as a table: one row a text, one column a class, float32.

        Columns are called by the classes' names; one whose name is not unique by its path, or else its id. Rows of a
        Series have its labels.
        """
        probabilities = self.predict_probabilities(texts, batch_size)
        index = texts.index if isinstance(texts, pd.Series) else None
        return pd.DataFrame(probabilities, index=index, columns=name_columns(self.taxonomy))

    def predict_frame(self, texts: Texts, batch_size: int = 32) -> pd.DataFrame:
        """Return one row a text with the fields of `Prediction`; those of a Series have its labels."""
        probabilities = self.predict_probabilities(texts, batch_size)
        decoded = decode(probabilities, self.taxonomy, self.decoding)
        frame = predictions_to_frame(decoded, probabilities, self.taxonomy)
        frame["fits"] = decoded.scores[:, 0] >= self._null_score
        frame["decision"] = decide(probabilities, frame["class_ids"], frame["fits"], self.taxonomy, self.accept)
        # pandas puts what is assigned to a frame where its labels are.
        return frame.set_index(texts.index) if isinstance(texts, pd.Series) else frame

    # ------------------------------------------------------------------ files

    def save(self, directory: str | Path) -> None:
        """Write the model to `directory`, replacing what is there, and in one move at the end."""
        with write_folder(Path(directory)) as temporary:
            if isinstance(self._encoder, Path) and self.directory is not None:  # sealed file by file
                shutil.copytree(self._encoder, temporary / "encoder")
            elif isinstance(self._encoder, Path):
                self._check_encoder(self._encoder)
                copy_model(self._encoder, temporary / "encoder")
            else:
                self._encoder.save(str(temporary / "encoder"), create_model_card=False)
            write_parts(temporary, self.head, self.taxonomy, self.nulls, self.lexical, self.student)
            settings = {
                "max_length": self.max_length,
                "max_windows": self.max_windows,
                "backend": self.backend,
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
        place = Path(directory)
        return cls(place / "encoder", device=device, directory=place, **read_parts(place))


def _one_thread() -> AbstractContextManager[None]:
    from hmltc_kedro.text.device import one_thread  # torch

    return one_thread()


def squash(logits: FloatArray) -> FloatArray:
    """Return the sigmoid of logits, float32, see `round_digits`."""
    return round_digits(expit(logits))
