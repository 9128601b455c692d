"""Identity of code: what makes a node stale, and what does not."""

import functools
import importlib
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from hmltc_kedro.datasets import ClassifierDataset, ParquetDataset, RawTableDataset
from hmltc_kedro.freshness import code
from hmltc_kedro.freshness.code import explain_code, identify_code
from hmltc_kedro.pipeline_registry import register_pipelines
from hmltc_kedro.report import page

NODES = {node.name: node for node in register_pipelines()["__default__"].nodes}

SOURCES = {
    "__init__": "",
    "nodes": """
        from shop import prices, stock
        from shop.stock import Shelf as Rack


        def count(shelf: Rack, discount: float) -> float:
            \"\"\"Count.\"\"\"
            from shop.lazy import round_up

            total = shelf.total()  # all of it
            return round_up(prices.reduce(total, discount))
        """,
    "prices": """
        LOWEST = 0.5
        UNUSED = 1


        def reduce(price, discount):
            return max(price * discount, LOWEST)


        def raise_prices(price):
            return price + UNUSED
        """,
    "stock": """
        import json


        class Shelf:
            width = 3

            def __init__(self, items):
                self.items = items

            def total(self):
                return sum(self.items)

            def sort(self):
                return sorted(self.items)


        class Reader(json.JSONDecoder):
            def decode(self, text):
                return text
        """,
    "lazy": """
        def round_up(price):
            return round(price + 0.5)
        """,
}

Identify = Callable[..., dict[str, str]]


@pytest.fixture
def identify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Identify:
    """Return a function that identifies `shop.nodes.count`, with replacements in one module's source."""
    monkeypatch.syspath_prepend(tmp_path)

    def count() -> None:
        """Stand for the function: only its name is looked at."""

    count.__module__, count.__qualname__ = "shop.nodes", "count"

    def identify_with(module: str = "", old: str = "", new: str = "") -> dict[str, str]:
        for name, source in SOURCES.items():
            text = textwrap.dedent(source)
            if name == module:
                assert old in text
                text = text.replace(old, new)
            (tmp_path / "shop").mkdir(exist_ok=True)
            (tmp_path / "shop" / f"{name}.py").write_text(text, "utf-8")
        importlib.invalidate_caches()
        code._open_package.cache_clear()
        return identify_code(count)

    return identify_with


def test_reaches_what_is_called_through_imports_of_every_kind(identify: Identify) -> None:
    assert set(identify()) == {
        "shop.nodes:count",
        "shop.prices:reduce",
        "shop.prices:LOWEST",
        "shop.stock:Shelf",
        "shop.stock:Shelf.__init__",
        "shop.stock:Shelf.total",
        "shop.lazy:round_up",
    }


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("nodes", "  # all of it", ""),
        ("nodes", '"""Count."""', '"""Count everything."""'),
        ("nodes", "prices.reduce(total, discount)", "prices.reduce(\n        total,\n        discount,\n    )"),
        ("prices", "LOWEST = 0.5\n", '# the floor\nLOWEST = 0.50\n"""Nothing costs less."""\n'),
        ("prices", "price + UNUSED", "price + 2 * UNUSED"),
        ("prices", "UNUSED = 1", "UNUSED = 2"),
        ("stock", "return sorted(self.items)", "return self.items"),
        ("stock", "return text", "return text.strip()"),
    ],
    ids=["comment", "docstring", "layout", "constant_restyled", "other_function", "other_constant", "method", "class"],
)
def test_same_where_nothing_that_runs_changed(identify: Identify, module: str, old: str, new: str) -> None:
    before = identify()
    assert identify(module, old, new) == before


@pytest.mark.parametrize(
    ("module", "old", "new", "changed"),
    [
        ("nodes", "shelf.total()", "2 * shelf.total()", ["count"]),
        ("prices", "price * discount", "price - discount", ["reduce"]),
        ("prices", "LOWEST = 0.5", "LOWEST = 0.6", ["LOWEST"]),
        ("stock", "sum(self.items)", "len(self.items)", ["Shelf.total"]),
        ("stock", "self.items = items", "self.items = list(items)", ["Shelf.__init__"]),
        ("stock", "width = 3", "width = 4", ["Shelf"]),
        ("lazy", "price + 0.5", "price", ["round_up"]),
        ("prices", "price * discount, LOWEST", "raise_prices(price), LOWEST", ["UNUSED", "raise_prices", "reduce"]),
    ],
)
def test_change_is_named(identify: Identify, module: str, old: str, new: str, changed: list[str]) -> None:
    before = identify()
    assert explain_code(before, identify(module, old, new)) == changed


def test_function_that_moved_is_the_same() -> None:
    assert explain_code({"shop.a:f": "1", "shop.b:g": "2"}, {"shop.c:f": "1", "shop.b:g": "2"}) == []
    assert explain_code({"shop.a:f": "1"}, {"shop.c:f": "3"}) == ["f"]


def test_class_of_a_framework_counts_as_a_whole(identify: Identify) -> None:
    found = identify("nodes", "total = shelf.total()", "total = stock.Reader(shelf)")
    assert "shop.stock:Reader.decode" in found
    assert "shop.stock:Shelf.sort" not in found


def test_file_that_is_no_python_is_passed_over(identify: Identify) -> None:
    assert "shop.lazy:round_up" not in identify("lazy", "def round_up(price):", "def round_up(price:")


@pytest.mark.parametrize(
    ("mention", "files"),
    [
        ('"texts"', {"sale.txt", "rent.txt", "footer.html"}),
        ('"texts", "sale"', {"sale.txt", "footer.html"}),
        ('"texts", "rent.txt"', {"rent.txt"}),
        ('"sale"', set()),
    ],
)
def test_data_beside_a_module_counts_where_it_is_mentioned(
    identify: Identify, tmp_path: Path, mention: str, files: set[str]
) -> None:
    folder = tmp_path / "shop" / "texts"
    folder.mkdir(parents=True)
    contents = {"sale.txt": "see footer.html", "rent.txt": "", "footer.html": ""}
    for name, content in contents.items():
        (folder / name).write_text(content, "utf-8")
    change = ("prices", "max(price * discount, LOWEST)", f"max(price * discount, LOWEST, {mention})")
    before = identify(*change)
    assert {name for name in contents if f"shop.prices:{name}" in before} == files
    for name in contents:
        (folder / name).write_text(contents[name] + " and more", "utf-8")
        assert explain_code(before, identify(*change)) == ([name] if name in files else [])
        (folder / name).write_text(contents[name], "utf-8")


def test_bound_arguments_count() -> None:
    function = NODES["write_submission"].func
    plain, bound = identify_code(function), identify_code(functools.partial(function, limit=3))
    assert set(bound) - set(plain) == {":bound arguments"}
    assert bound != identify_code(functools.partial(function, limit=4))


# ---------------------------------------------------------------------- this project


def reach(name: str) -> set[str]:
    return {key.removeprefix("hmltc_kedro.") for key in identify_code(NODES[name].func)}


def test_beam_search_concerns_predictions_alone() -> None:
    assert "decoding.beam:beam_search" in reach("decode_predictions")
    for name in ("assign_silver_labels", "train_classifier", "describe_classes"):
        assert "decoding.beam:beam_search" not in reach(name), name
    assert {"pseudo_labels.silver_labels:assign_labels", "taxonomy:Taxonomy"} <= reach("assign_silver_labels")


def test_prompt_file_counts_where_it_is_asked() -> None:
    assert {key for key in reach("describe_classes") if key.endswith(".txt")} == {"llm.prompts:describe_class.txt"}
    assert {key for key in reach("write_synthetic_documents") if key.endswith(".txt")} == {
        "llm.prompts:write_reviews.txt"
    }


def test_templates_and_scripts_of_the_report_count_for_it_alone() -> None:
    """`macros.html` is mentioned in no code, but in `page.html`."""
    found = {name: {key.partition(":")[2] for key in reach(name) if key.startswith("report.")} for name in NODES}
    templates = {path.name for path in Path(page.__file__).with_name("templates").iterdir()}
    assert {"page.html", "macros.html", "script.js", "style.css"} <= templates <= found["write_report"]
    assert not any(templates & names for node, names in found.items() if node != "write_report")


def test_reading_and_writing_of_entries_counts() -> None:
    function = NODES["write_submission"].func
    read = identify_code(function, (RawTableDataset, "load"), (ParquetDataset, "save"))
    assert {"hmltc_kedro.corpus.raw_files:read_text_table", "hmltc_kedro.datasets.files:_AtomicSave.save"} <= set(read)
    assert "hmltc_kedro.datasets.files:ParquetDataset.preview" not in read
    saved = identify_code(function, (ClassifierDataset, "save"))
    assert "hmltc_kedro.modeling.files:write_card" in saved
    assert "hmltc_kedro.decoding.beam:beam_search" not in saved


@pytest.mark.parametrize("name", NODES)
def test_every_node_is_found_in_its_source(name: str) -> None:
    function = NODES[name].func
    assert f"{function.__module__}:{function.__name__}" in identify_code(function)
