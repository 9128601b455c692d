"""A folder of raw files: written by a test, read as the catalog reads them."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from hmltc_kedro.corpus.gold_labels import read_gold_labels
from hmltc_kedro.corpus.raw_documents import build_documents
from hmltc_kedro.corpus.raw_files import RawTable, read_text_table
from hmltc_kedro.corpus.raw_taxonomy import build_taxonomy
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy

CLASSES = "a\tanimals\nb\tgarden\nc\tdogs\nd\ttoys\ne\ttoys\n"
EDGES = "a\tc\nc\td\nb\te\n"
CORPUS = "0\tfirst text\n1\tsecond text\n"


class Folder:
    """Writes raw files and reads them as the catalog does."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def table(self, name: str, content: str | bytes, separator: str = "\t") -> RawTable:
        path = self.path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_text_table(path, separator)

    def taxonomy(
        self, classes: str | bytes = CLASSES, edges: str | bytes = EDGES, keywords: str | bytes = ""
    ) -> Taxonomy:
        return build_taxonomy(
            self.table("classes.txt", classes),
            self.table("class_hierarchy.txt", edges),
            self.table("class_related_keywords.txt", keywords, ":"),
        )

    def documents(
        self, train: str | bytes = CORPUS, test: str | bytes = CORPUS, skip_invalid: bool = False
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        tables = {"train": self.table("train_corpus.txt", train), "test": self.table("test_corpus.txt", test)}
        return build_documents(tables, skip_invalid)

    def gold(self, content: str | bytes, taxonomy: Taxonomy, doc_ids: set[str] | None = None) -> dict[str, list[str]]:
        return read_gold_labels(self.table("doc2labels.txt", content), taxonomy, doc_ids)

    def __str__(self) -> str:
        return str(self.path)


def message(error: pytest.ExceptionInfo[InputError], folder: Folder) -> str:
    """Return the message with the folder's name cut out of all paths."""
    return str(error.value).replace(f"{folder}/", "")


separators = st.sampled_from([b"\t", b"\n", b"\r\n", b":", b",", b'"', b"\xef\xbb\xbf", b"\xff", b"\x00"])
contents = st.one_of(
    st.binary(max_size=60), st.lists(st.one_of(separators, st.binary(max_size=3)), max_size=25).map(b"".join)
)
fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
