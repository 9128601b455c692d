"""What `metadata.columns` of the catalog says is what a run writes: columns, tensors and keys with their types."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kedro.config import OmegaConfigLoader

from hmltc_kedro.corpus.tensors import read_tensors
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from kedro_project import REPOSITORY, Finished, Project

LOADER = OmegaConfigLoader(str(REPOSITORY / "conf"), env="test", runtime_params={}, **CONFIG_LOADER_ARGS)
CATALOG: dict[str, dict[str, Any]] = LOADER["catalog"]
WITHOUT_COLUMNS = (
    "RawTableDataset",
    "BulkDataset",
    "EncoderDataset",
    "LLMDataset",
    "ClassifierDataset",
    "PlotlyDataset",
    "StudentDataset",
    "HTMLDataset",
)
# In one order, which the loader has not: workers of pytest-xdist have to find the same tests.
TABLES = sorted(name for name, entry in CATALOG.items() if not entry["type"].endswith(WITHOUT_COLUMNS))
APART = ("ablation_table", "bulk_labels", "run_record")
"""Entries that no stage of a run writes, or, the last, whose keys are nodes."""
STAGES = [name for name in TABLES if "." not in name and name not in APART]
VARIANTS = [name for name in TABLES if "." in name]


def name_type(kind: pa.DataType) -> str:
    """Return an Arrow type in the words of the data dictionary."""
    if pa.types.is_list(kind):
        return f"list of {name_type(kind.value_type)}"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "str"
    return {"float": "float32", "double": "float64", "halffloat": "float16"}.get(str(kind), str(kind))


def read_types(path: Path) -> dict[str, str]:
    """Return what a file holds: the columns of a table, the tensors, the keys of a JSON object, each with its type."""
    if path.suffix == ".parquet":
        return {field.name: name_type(field.type) for field in pq.read_schema(path)}
    if path.suffix == ".safetensors":
        return {name: str(array.dtype) for name, array in read_tensors(path).arrays.items()}
    if path.suffix == ".csv":
        return {name: str(kind) for name, kind in pd.read_csv(path, dtype="str").dtypes.items()}
    return {key: type(value).__name__ for key, value in json.loads(path.read_text("utf-8")).items()}


def list_documented(name: str) -> dict[str, str]:
    """Return what is said of an entry's columns; a variant's are those of the stage unless it has its own."""
    columns: dict[str, str] = (
        CATALOG[name]["metadata"].get("columns") or CATALOG[name.split(".")[1]]["metadata"]["columns"]
    )
    return columns


def check_types(name: str, written: dict[str, str]) -> None:
    """Compare; columns documented as "only" under some setting may be missing, and what may be null has no type then.

    Nor have the lists of a table without rows.
    """
    expected = {}
    for column, text in list_documented(name).items():
        if column in written or "; only " not in text:
            untyped = {"NoneType": "; null " in text, "null": text.startswith("list of ")}
            kind = written.get(column, "missing")
            expected[column] = kind if untyped.get(kind) else text.split(", ")[0]
    assert written == expected


@pytest.mark.parametrize("name", TABLES)
def test_every_column_has_a_type_and_a_meaning(name: str) -> None:
    for column, text in CATALOG[name]["metadata"].get("columns", {}).items():
        kind, _, meaning = text.partition(", ")
        assert kind and meaning, column


@pytest.mark.parametrize("name", STAGES)
def test_stages_write_what_is_documented(project: Project, first_run: Finished, name: str) -> None:
    check_types(name, read_types(project.folder / CATALOG[name]["filepath"]))


def test_label_writes_what_is_documented(project: Project, first_run: Finished) -> None:
    bulk, labels = project.raw / "sample" / "bulk", project.folder / CATALOG["bulk_labels"]["path"]
    bulk.mkdir()
    try:
        (bulk / "new.csv").write_text("doc_id,text\n0,Whistling kettle\n", "utf-8")
        project.run("--env=test", "--pipeline=label")
        check_types("bulk_labels", read_types(labels / "new.parquet"))
    finally:
        shutil.rmtree(bulk)
        shutil.rmtree(labels, ignore_errors=True)


@pytest.fixture
def variant_folder(project: Project, ablation_run: Finished) -> Path:
    """Return the folder of the project after an ablation."""
    return project.folder


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_write_what_is_documented(variant_folder: Path, name: str) -> None:
    paths = (CATALOG[name]["filepath"].replace("{variant}", variant) for variant in ("final", "published_code"))
    written = read_types(next(path for path in map(variant_folder.joinpath, paths) if path.exists()))
    if name == "{variant}.probabilities":
        assert set(written) == {"seed_42", "seed_43"}
        written = {"seed_<seed>": written["seed_42"]}
    check_types(name, written)


def test_table_of_the_ablation_has_what_is_documented(variant_folder: Path) -> None:
    check_types("ablation_table", read_types(variant_folder / CATALOG["ablation_table"]["filepath"]))
