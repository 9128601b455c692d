"""What the tests of labelling share: a model on disk, folders of bulk files, and a run of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hmltc_kedro.corpus import shards
from hmltc_kedro.labelling import shard
from hmltc_kedro.labelling.bulk import label_bulk
from hmltc_kedro.labelling.engines import Serial
from hmltc_kedro.labelling.folder import BulkFolder
from hmltc_kedro.modeling import HierarchicalClassifier

TEXTS = ["a puppy on a leash", "a steel spade for the garden", "a cat asleep on its pet bed", "x", "cats and cat toys"]

Label = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def model(classifier: HierarchicalClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a classifier as it lies on disk, which takes one text for a text about nothing."""
    directory = tmp_path_factory.mktemp("models") / "classifier"
    classifier.with_parts(nulls=classifier.predict_probabilities(["x"]), accept=0.75).save(directory)
    return directory


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of three documents, and no waiting between tries."""
    monkeypatch.setattr(shards, "SHARD", 3)
    monkeypatch.setattr(shard, "PAUSE", 0.0)


def make_texts(ids: Sequence[str]) -> pd.DataFrame:
    """Return documents of some ids, with the texts one after the other."""
    return pd.DataFrame({"doc_id": list(ids), "text": [TEXTS[place % len(TEXTS)] for place in range(len(ids))]})


@pytest.fixture
def folder(tmp_path: Path) -> BulkFolder:
    """Return a folder with a CSV file of three documents and a Parquet file of five."""
    source = tmp_path / "bulk"
    source.mkdir()
    make_texts("756").assign(price=1).to_csv(source / "first.csv", index=False)
    make_texts("abcde").to_parquet(source / "second.parquet")
    return BulkFolder(str(source), str(tmp_path / "labels"), {}, {})


@pytest.fixture
def label(model: Path) -> Label:
    """Return `label_bulk` with the model, in this process unless told otherwise."""

    def run(folder: BulkFolder, directory: Path = model, **settings: Any) -> dict[str, Any]:
        return label_bulk(folder, directory, settings.pop("engine", None) or Serial(), batch_size=2, **settings)

    return run


@pytest.fixture
def labelled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the number of documents each time that some are labelled in this process."""
    counts: list[int] = []
    predict = HierarchicalClassifier.predict_frame

    def count_and_predict(self: HierarchicalClassifier, texts: list[str], batch_size: int) -> pd.DataFrame:
        counts.append(len(texts))
        return predict(self, texts, batch_size)

    monkeypatch.setattr(HierarchicalClassifier, "predict_frame", count_and_predict)
    return counts
