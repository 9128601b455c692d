"""The trained product: encoder, head, taxonomy and settings in one directory, usable without Kedro.

Torch is imported by the methods that compute: Kedro reads this module for its type hints in every command.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from hmltc_kedro import __version__
from hmltc_kedro.arrays import HalfArray
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.decoding.paths import DecodedPaths, union_paths
from hmltc_kedro.display import show_progress
from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling.abstention import find_fitting
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.lexical_view import LexicalView
from hmltc_kedro.text.models import open_model
from hmltc_kedro.text.windows import encode_texts

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from hmltc_kedro.modeling.head import CosineHead

FORMAT = 2
"""Of the directory; 2 has the lexical view and windows."""

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
        fits: False if words in no order would do as well, see `abstention`: the text may be about none of the classes.
    """

    class_ids: list[str]
    names: list[str]
    paths: list[list[str]]
    scores: list[float]
    fits: bool


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
        nulls: probabilities of texts about nothing, float16, shape (m, C), see `abstention`; None for none.
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
        nulls: HalfArray | None = None,
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
        self.nulls = np.zeros((0, len(taxonomy)), dtype=np.float16) if nulls is None else nulls

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

    def with_decoding(self, decoding: DecodingSettings) -> HierarchicalClassifier:
        """Return the same classifier with other settings of decoding: these need no new training."""
        other = copy.copy(self)
        other.decoding = decoding
        return other

    # ------------------------------------------------------------------ prediction

    def predict_probabilities(
        self, texts: Sequence[str], batch_size: int = 32, cache: TextEncoder | None = None
    ) -> HalfArray:
        """Return the probability of each class for each text: shape (n, C), float16.

        Args:
            texts: n texts.
            batch_size: texts a batch of the encoder.
            cache: an encoder that gives the vectors, if it is the one called `frozen`; it may know them already.
        """
        import torch

        from hmltc_kedro.text.device import choose_device

        device = choose_device(self._device)
        self.head.to(device)
        vectors = cache.encode(texts) if cache is not None and cache.fingerprint == self.frozen else None
        probabilities = np.zeros((len(texts), len(self.taxonomy)), dtype=np.float16)
        order = np.argsort([-len(text) for text in texts], kind="stable")
        bar = tqdm(total=len(texts), desc="classify", unit="doc", disable=not show_progress())
        with bar, torch.no_grad():
            for start in range(0, len(texts), CHUNK):
                rows = order[start : start + CHUNK]
                chunk = [texts[row] for row in rows]
                if vectors is None:
                    inputs = [encode_texts(self.encoder, chunk, batch_size, self.max_windows)]
                else:
                    inputs = [vectors[rows]]
                if self.lexical is not None:
                    inputs.append(self.lexical.score(self.lexical.represent(chunk)))
                logits = self.head(*(torch.from_numpy(part).to(device) for part in inputs))
                probabilities[rows] = logits.sigmoid().half().cpu().numpy()
                bar.update(len(rows))
        return probabilities

    def predict(self, texts: Sequence[str], batch_size: int = 32) -> list[Prediction]:
        """Return the label set of each text."""
        frame = self.predict_frame(texts, batch_size)
        return [Prediction(*row) for row in frame.itertuples(index=False, name=None)]

    def predict_frame(self, texts: Sequence[str], batch_size: int = 32) -> pd.DataFrame:
        """Return one row a text with the fields of `Prediction`."""
        decoded = decode(self.predict_probabilities(texts, batch_size), self.taxonomy, self.decoding)
        frame = predictions_to_frame(decoded, self.taxonomy)
        return frame.assign(fits=find_fitting(decoded, self.nulls, self.taxonomy, self.decoding))

    # ------------------------------------------------------------------ files

    def save(self, directory: str | Path) -> None:
        """Write the model to `directory`, replacing what is there, and in one move at the end."""
        from safetensors.numpy import save_file as save_arrays
        from safetensors.torch import save_file

        directory = Path(directory)
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary = directory.with_name(f".{directory.name}.{os.getpid()}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            if isinstance(self._encoder, Path):
                shutil.copytree(self._encoder, temporary / "encoder")
            else:
                self._encoder.save(str(temporary / "encoder"), create_model_card=False)
            tensors = {k: v.detach().cpu().contiguous() for k, v in self.head.state_dict().items()}
            save_file(tensors, str(temporary / "head.safetensors"))
            save_arrays({"probabilities": self.nulls}, temporary / "nulls.safetensors")
            if self.lexical is not None:
                self.lexical.save(temporary)
            frame = self.taxonomy.to_frame()[["class_id", "name", "parents", "keywords"]]
            (temporary / "taxonomy.json").write_text(frame.to_json(orient="records"), "utf-8")
            settings = {
                "format": FORMAT,
                "hmltc_kedro": __version__,
                "max_length": self.max_length,
                "max_windows": self.max_windows,
                "frozen": self.frozen,
                "decoding": self.decoding.model_dump(),
                "description": self.description,
            }
            (temporary / "settings.json").write_text(json.dumps(settings, indent=2), "utf-8")
            (temporary / "README.md").write_text(self._write_card(), "utf-8")
            _replace_directory(temporary, directory)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    @classmethod
    def load(cls, directory: str | Path, device: str = "auto") -> HierarchicalClassifier:
        """Read a model that `save` wrote; only safetensors and JSON are read, no code is run.

        Raises:
            InputError: no such model, or one this version does not read.
        """
        directory = Path(directory)
        if not (directory / "settings.json").is_file():
            raise InputError(f"{directory}: no classifier here; `kedro run --pipeline=train` makes one")
        from safetensors import SafetensorError
        from safetensors.numpy import load_file as load_arrays
        from safetensors.torch import load_file

        from hmltc_kedro.modeling.head import CosineHead

        try:
            settings = json.loads((directory / "settings.json").read_text("utf-8"))
            if settings["format"] != FORMAT:
                raise ValueError(f"format {settings['format']}, this version reads {FORMAT}")
            decoding = DecodingSettings.model_validate(settings["decoding"])
            taxonomy = Taxonomy.from_frame(pd.DataFrame(json.loads((directory / "taxonomy.json").read_text("utf-8"))))
            tensors = load_file(str(directory / "head.safetensors"))
            lexical = LexicalView.load(directory) if "log_lexical" in tensors else None
            head = CosineHead(tensors["class_vectors"], lexical_weight=1.0 if lexical else None)
            head.load_state_dict(tensors)
            if len(head.class_vectors) != len(taxonomy):
                raise ValueError(f"{len(head.class_vectors)} class vectors for {len(taxonomy)} classes")
            if lexical and lexical.classes.shape[0] != len(taxonomy):
                raise ValueError(f"words of {lexical.classes.shape[0]} classes for {len(taxonomy)} classes")
            if not (directory / "encoder" / "modules.json").is_file():  # the name would be looked up on the hub
                raise FileNotFoundError("no encoder/modules.json")
            windows = int(settings["max_windows"])
            nulls = load_arrays(directory / "nulls.safetensors")["probabilities"]
            if nulls.shape[1:] != (len(taxonomy),):
                raise ValueError(f"nulls of shape {nulls.shape} for {len(taxonomy)} classes")
            return cls(
                directory / "encoder",
                head,
                taxonomy,
                decoding=decoding,
                description=settings["description"],
                lexical=lexical,
                max_length=settings["max_length"],
                max_windows=windows,
                frozen=settings["frozen"],
                nulls=nulls,
                device=device,
            )
        except (KeyError, OSError, RuntimeError, SafetensorError, TypeError, ValueError) as error:
            raise InputError(f"{directory}: not a readable classifier ({error}); train it again") from error

    def _write_card(self) -> str:
        roots = ", ".join(self.taxonomy.spoken_name(c) for c in self.taxonomy.roots[:20])
        facts = "\n".join(f"- {key}: {value}" for key, value in self.description.items())
        return (
            "# Hierarchical text classifier\n\n"
            f"{self.taxonomy!r}; roots: {roots}.\n\n"
            "Trained by hmltc_kedro without a labelled document: silver labels come from class names, keywords and\n"
            "descriptions. Expect errors in proportion to how well those tell the classes apart.\n\n"
            f"## How it was made\n\n{facts}\n\n"
            "## Use\n\n"
            "```python\nfrom hmltc_kedro import HierarchicalClassifier\n\n"
            'HierarchicalClassifier.load("<this directory>").predict(["some text"])\n```\n\n'
            "Files: `encoder/` (sentence-transformers), `head.safetensors`, `nulls.safetensors`, `taxonomy.json`,\n"
            "`settings.json`; `words.json` and `lexical.safetensors` where words count.\n"
        )


def predictions_to_frame(decoded: DecodedPaths, taxonomy: Taxonomy) -> pd.DataFrame:
    """Return one row a document: class_ids, names, paths (lists of ids), scores (one a path)."""
    ids = np.array(taxonomy.class_ids, dtype=object)
    labels = taxonomy.to_label_sets(union_paths(decoded, taxonomy))
    return pd.DataFrame(
        {
            "class_ids": labels,
            "names": [[taxonomy.names[taxonomy.index[i]] for i in row] for row in labels],
            "paths": [[list(ids[path[path >= 0]]) for path in paths if path[0] >= 0] for paths in decoded.paths],
            "scores": [[round(float(score), 6) for score in scores if score > -np.inf] for scores in decoded.scores],
        }
    )


def _replace_directory(new: Path, target: Path) -> None:
    """Move `new` to `target`; an old directory is moved aside first, back on failure, and removed last."""
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(new, target)
    except OSError:
        if old.exists():
            os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
