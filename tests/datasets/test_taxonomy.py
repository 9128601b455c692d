"""The taxonomy as a table that loads as a graph."""

import json
from pathlib import Path

import pandas as pd
import pytest

from hmltc_kedro.datasets.taxonomy import TaxonomyDataset
from hmltc_kedro.taxonomy import Taxonomy


@pytest.fixture
def dataset(tmp_path: Path) -> TaxonomyDataset:
    return TaxonomyDataset(filepath=str(tmp_path / "deep" / "taxonomy.parquet"))


def test_round_trip_gives_the_same_graph(dataset: TaxonomyDataset, diamond: Taxonomy) -> None:
    assert not dataset.exists()
    dataset.save(diamond)
    assert dataset.exists()
    loaded = dataset.load()
    assert isinstance(loaded, Taxonomy)
    for name in ("class_ids", "names", "parents", "keywords"):
        assert getattr(loaded, name) == getattr(diamond, name)


def test_table_is_readable_without_the_project(dataset: TaxonomyDataset, diamond: Taxonomy) -> None:
    dataset.save(diamond)
    frame = pd.read_parquet(str(dataset._filepath))
    assert list(frame.columns) == ["class_id", "name", "parents", "keywords", "level", "path"]
    assert frame.loc[4, "path"] == "animals > dogs > pet beds"
    assert list(frame.loc[4, "parents"]) == ["do", "ca"]


def test_preview_is_json_with_lists(dataset: TaxonomyDataset, diamond: Taxonomy) -> None:
    dataset.save(diamond)
    preview = json.loads(json.dumps(dataset.preview()))
    assert preview["data"][4] == ["be", "pet_beds", ["do", "ca"], ["cushion"], 3, "animals > dogs > pet beds"]


def test_failed_save_leaves_the_old_table_and_no_other_file(
    dataset: TaxonomyDataset, diamond: Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset.save(diamond)

    def save_half(frame: pd.DataFrame, path: object, **settings: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_parquet", save_half)
        with pytest.raises(Exception, match="disk full"):
            dataset.save(Taxonomy.from_edges([("x", "x")], []))
    assert dataset.load().class_ids == diamond.class_ids
    assert len(list(Path(dataset._filepath).parent.iterdir())) == 1
