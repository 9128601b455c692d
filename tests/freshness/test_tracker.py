"""Entries beside their records: real nodes, catalogs and runners, and the hooks that write the records."""

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, ThreadRunner

from hmltc_kedro.corpus.raw_files import RawTable
from hmltc_kedro.datasets import LLMDataset, ParquetDataset, RawTableDataset
from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.records import find_record
from hmltc_kedro.freshness.tracker import State, Tracker
from hmltc_kedro.hooks import FreshnessHooks
from hmltc_kedro.llm import ChatClient
from hmltc_kedro.runner import RefreshRunner

SECRET = "sk-secret-0123456789abcdef"
calls: list[str] = []


def read_words(raw_words: RawTable) -> pd.DataFrame:
    calls.append("read_words")
    return pd.DataFrame({"class_id": raw_words.rows["key"], "words": raw_words.rows["value"]})


def count_letters(words: pd.DataFrame, limit: int) -> pd.DataFrame:
    calls.append("count_letters")
    return pd.DataFrame({"class_id": words["class_id"], "letters": words["words"].str.len().clip(upper=limit)})


def describe(words: pd.DataFrame, llm: ChatClient) -> pd.DataFrame:
    calls.append("describe")
    return words.assign(by=llm.name)


def join(letters: pd.DataFrame, described: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    calls.append("join")
    return letters.merge(described, on="class_id"), letters[:0]


def check(words: pd.DataFrame) -> None:
    calls.append("check")


PIPELINE = Pipeline(
    [
        Node(read_words, "raw_words", "words", name="read_words", tags="first"),
        Node(count_letters, ["words", "params:limit"], "letters", name="count_letters", tags="second"),
        Node(describe, ["words", "llm"], "described", name="describe", tags="second"),
        Node(join, ["letters", "described"], ["joined", "left_over"], name="join", tags="third"),
        Node(check, "words", None, name="check", tags="first"),
    ]
)
ALL = ["check", "count_letters", "describe", "join", "read_words"]
MADE = ("words", "letters", "described", "joined", "left_over")


class Chain:
    """The pipeline in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.limit: Any = 5
        self.client = "template"
        self.raw = folder / "words.txt"
        self.raw.write_text("a:kettle\nb:bed\nc:rake\n", "utf-8")

    def catalog(self) -> DataCatalog:
        words = {"freshness": {"row": "class", "value": "keywords"}}
        parts: dict[str, Any] = {
            "raw_words": RawTableDataset(filepath=str(self.raw), separator=":", metadata=words),
            "llm": LLMDataset(
                client=self.client,  # type: ignore[arg-type]
                recordings=str(self.folder / "answers.jsonl"),
                cache=str(self.folder / "answers.sqlite"),
                settings={"model": "one", "base_url": "http://localhost:1/v1"},
                credentials={"api_key": SECRET},
            ),
            "params:limit": MemoryDataset(self.limit),
        }
        for name in MADE:
            parts[name] = ParquetDataset(filepath=str(self.path(name)))
        return DataCatalog(parts)

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"

    def run(self, runner: Any = None, pipeline: Pipeline = PIPELINE, hooks: bool = True) -> list[str]:
        """Run in a fresh catalog, and return the nodes that ran, by name."""
        calls.clear()
        manager = _create_hook_manager()
        _register_hooks(manager, (FreshnessHooks(),) if hooks else ())
        catalog = self.catalog()
        manager.hook.before_pipeline_run(run_params={}, pipeline=pipeline, catalog=catalog)
        (runner or SequentialRunner()).run(pipeline, catalog, manager)
        return sorted(calls)

    def states(self, pipeline: Pipeline = PIPELINE) -> list[State]:
        return Tracker(pipeline.nodes, self.catalog()).find_states()

    def stale(self, pipeline: Pipeline = PIPELINE) -> dict[str, tuple[str, ...]]:
        """Return the reasons by entry, or by node in brackets, of what is not fresh."""
        return {s.entry or f"({s.node})": (s.state, *s.reasons) for s in self.states(pipeline) if s.state != "fresh"}


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    """Return the chain after its first run."""
    chain = Chain(tmp_path)
    assert chain.run() == ALL
    assert chain.stale() == {}
    return chain


def test_before_the_first_run_everything_is_missing(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    missing = {name: state for name, (state, *_) in chain.stale().items()}
    assert missing == {
        **dict.fromkeys(MADE, "missing"),
        "(check)": "stale",
    }
    assert chain.run(RefreshRunner()) == ALL
    assert chain.stale() == {}


@pytest.mark.parametrize("runner", [SequentialRunner, ThreadRunner])
def test_runners_leave_the_same_records(tmp_path: Path, runner: Callable[[], Any]) -> None:
    chain = Chain(tmp_path)
    chain.run(runner())
    assert chain.stale() == {}
    assert {path.name for path in tmp_path.glob(".*")} == {
        *(f".{name}.parquet.made.json" for name in MADE),
        ".check.made.json",
    }


def test_state_tells_rows_size_and_age(chain: Chain) -> None:
    state = chain.states()[0]
    assert (state.stage, state.node, state.entry, state.shape) == ("first", "read_words", "words", "3 x 2")
    assert state.size == chain.path("words").stat().st_size
    assert state.age is not None and 0 <= state.age < 60
    assert json.loads(json.dumps(state.to_json()))["path"] == str(chain.path("words"))


def test_touched_file_is_fresh(chain: Chain) -> None:
    for path in (chain.raw, chain.path("words")):
        os.utime(path, ns=(1, 1))
    assert chain.stale() == {}
    assert chain.run(RefreshRunner()) == []


def test_changed_file_makes_stale_what_depends_on_it(chain: Chain) -> None:
    chain.raw.write_text("a:kettle\nb:mattress\nc:rake\nd:pot\n", "utf-8")
    words = ("stale", "1 class added (`raw_words`)", "keywords of 1 class changed (`raw_words`)")
    below = ("stale", "depends on `words`")
    assert chain.stale() == {
        **{"words": words, "(check)": below},
        **dict.fromkeys(("letters", "described", "joined", "left_over"), below),
    }
    assert chain.run(RefreshRunner()) == ALL
    assert chain.stale() == {}


def test_refresh_ends_where_the_content_is_the_same(chain: Chain) -> None:
    chain.raw.write_text("a: kettle\nb:bed\n\nc:rake\n", "utf-8")  # reads the same
    runner = RefreshRunner()
    assert len(chain.stale()) == 6
    assert chain.run(runner) == ["read_words"]
    assert (runner.ran, runner.fresh) == ({"read_words": ["`raw_words` changed: 3 lines -> 4 lines"]}, [])
    assert sorted(runner.unchanged) == ["check", "count_letters", "describe", "join"]
    assert chain.stale() == {}


def test_changed_parameter_is_told_with_both_values(chain: Chain) -> None:
    chain.limit = 3
    assert chain.stale() == {
        "letters": ("stale", "limit 5 -> 3"),
        **dict.fromkeys(("joined", "left_over"), ("stale", "depends on `letters`")),
    }
    assert chain.run(RefreshRunner()) == ["count_letters", "join"]
    assert chain.stale() == {}


def test_what_lies_in_no_local_file_is_never_fresh_nor_what_is_made_of_it(chain: Chain) -> None:
    def find_catalog() -> DataCatalog:
        catalog = Chain.catalog(chain)
        catalog["described"] = MemoryDataset()
        return catalog

    chain.catalog = find_catalog  # type: ignore[method-assign]
    reasons = ("stale", "`described` lies in no local file")
    chain.run()
    assert chain.stale() == dict.fromkeys(("joined", "left_over"), reasons)
    runner = RefreshRunner()
    assert chain.run(runner) == ["describe", "join"]
    assert runner.ran == dict.fromkeys(("describe", "join"), ["`described` lies in no local file"])
    assert chain.stale() == dict.fromkeys(("joined", "left_over"), reasons)


def test_changed_resource_is_told(chain: Chain) -> None:
    chain.client = "recorded"
    assert chain.stale() == {
        "described": ("stale", "llm.client template -> recorded", "llm.answers is new: [null]"),
        **dict.fromkeys(("joined", "left_over"), ("stale", "depends on `described`")),
    }
    assert chain.run(RefreshRunner()) == ["describe", "join"]
    assert chain.stale() == {}
    (chain.folder / "answers.jsonl").write_text("", "utf-8")
    assert set(chain.stale()) == {"described", "joined", "left_over"}


def test_settings_of_an_entry_are_those_of_all_it_was_made_from_when_it_was_made(chain: Chain) -> None:
    assert Tracker([], chain.catalog()).trace_settings(["joined"]) == {"limit": 5, "llm.client": "template"}
    chain.limit = 3  # of nothing that was made yet
    assert Tracker([], chain.catalog()).trace_settings(["joined"]) == {"limit": 5, "llm.client": "template"}
    chain.run(RefreshRunner())
    assert Tracker([], chain.catalog()).trace_settings(["joined"]) == {"limit": 3, "llm.client": "template"}
    assert Tracker([], chain.catalog()).trace_settings(["described", "words"]) == {"llm.client": "template"}


def test_identity_of_the_language_model_is_told_without_its_key(chain: Chain) -> None:
    direct = Pipeline([Node(describe, ["raw_words", "llm"], "joined", name="describe")])
    tracker = Tracker(direct.nodes, chain.catalog())
    assert tracker.find_settings(direct.nodes[0]) == {"llm.client": "template"}
    chain.client = "openai"
    settings = Tracker(direct.nodes, chain.catalog()).find_settings(direct.nodes[0])
    assert settings == {
        "llm.client": "openai",
        "llm.model": "one",
        "llm.base_url": "http://localhost:1/v1",
        "llm.extra_body": None,
    }
    chain.run()
    assert all(SECRET not in path.read_text("utf-8") for path in chain.folder.glob(".*.json"))


def test_deleted_entry_is_missing_and_what_was_made_from_it_stays_fresh(chain: Chain) -> None:
    before = chain.path("letters").read_bytes()
    chain.path("letters").unlink()
    assert chain.stale() == {"letters": ("missing",)}
    assert chain.run(RefreshRunner()) == ["count_letters"]
    assert chain.path("letters").read_bytes() == before
    assert chain.stale() == {}


def test_deleted_entry_that_would_be_another_now_says_why(chain: Chain) -> None:
    chain.path("letters").unlink()
    chain.limit = 4
    assert chain.stale()["letters"] == ("missing", "limit 5 -> 4")
    assert chain.stale()["joined"] == ("stale", "depends on `letters`")


def test_entry_deleted_with_its_record_leaves_doubt(chain: Chain) -> None:
    chain.path("letters").unlink()
    (chain.folder / ".letters.parquet.made.json").unlink()
    assert chain.stale() == {
        "letters": ("missing",),
        **dict.fromkeys(("joined", "left_over"), ("stale", "`letters` is missing")),
    }
    assert chain.run(RefreshRunner()) == ["count_letters"]
    assert chain.stale() == {}


def test_one_of_two_outputs_that_is_deleted_is_made_again(chain: Chain) -> None:
    chain.path("left_over").unlink()
    assert chain.stale() == {"left_over": ("missing",)}
    assert chain.run(RefreshRunner()) == ["join"]
    assert chain.stale() == {}


def test_file_changed_by_hand_is_noticed(chain: Chain) -> None:
    pd.DataFrame({"class_id": ["a"], "letters": [1]}).to_parquet(chain.path("letters"))
    stale = chain.stale()
    assert stale["letters"] == ("stale", "the file is not the one that was made")
    assert stale["joined"][:2] == ("stale", "2 classes removed (`letters`)")
    assert chain.run(RefreshRunner()) == ["count_letters"]  # and then `joined` is what it should be
    assert chain.stale() == {}


def test_raw_file_that_is_gone_is_told(chain: Chain) -> None:
    chain.raw.unlink()
    assert chain.stale()["words"] == ("stale", "`raw_words` is missing")


def test_entry_without_a_record_is_stale(chain: Chain) -> None:
    for path in chain.folder.glob(".*.made.json"):
        path.write_text("{", "utf-8")
    assert {reason for _, reason in chain.stale().values()} == {
        "no record of how it was made",
        "no record that it ran",
    }
    assert chain.run(RefreshRunner()) == ALL


def test_without_the_hooks_everything_works_and_nothing_is_known(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    assert chain.run(hooks=False) == ALL
    assert list(tmp_path.glob(".*")) == []
    assert chain.run(RefreshRunner(), hooks=False) == ALL


def test_run_without_the_hooks_in_between_is_noticed(chain: Chain) -> None:
    chain.limit = 2
    chain.run(hooks=False)
    assert chain.stale()["letters"] == ("stale", "the file is not the one that was made", "limit 5 -> 2")
    chain.limit = 5
    assert chain.stale()["letters"] == ("stale", "the file is not the one that was made")


def test_failed_node_leaves_the_rest_stale_and_refresh_goes_on(chain: Chain) -> None:
    chain.limit = "not a number"
    with pytest.raises(Exception, match="count_letters|not a number|str"):
        chain.run(RefreshRunner())
    assert chain.stale()["letters"] == ("stale", "limit 5 -> not a number")
    chain.limit = 5
    assert chain.stale() == {}


def test_input_changed_while_its_node_runs_is_noticed(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    chain.raw.write_text("a:kettle\nb:bed\n", "utf-8")
    load = RawTableDataset.load

    def load_and_change(self: RawTableDataset) -> RawTable:
        table = load(self)
        chain.raw.write_text("a:kettle\n", "utf-8")
        return table

    monkeypatch.setattr(RawTableDataset, "load", load_and_change)
    chain.run(RefreshRunner())
    monkeypatch.undo()
    assert chain.stale()["words"] == ("stale", "1 class removed (`raw_words`)")


@pytest.mark.parametrize("error", [OSError("disk full"), TypeError("no JSON"), RecursionError("too deep")])
def test_record_that_cannot_be_written_is_a_warning(
    chain: Chain, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("hmltc_kedro.freshness.tracker.write_record", refuse)
    with caplog.at_level(logging.WARNING, "hmltc_kedro"):
        assert chain.run() == ALL
    assert f"letters: no record of how it was made ({error})" in caplog.text
    assert chain.stale()["letters"] == ("stale", "no record of how it was made")


def test_variants_of_dataset_factories_have_records_of_their_own(chain: Chain) -> None:
    parts = Pipeline([node for node in PIPELINE.nodes if node.name in ("count_letters", "check")])
    variants = [Pipeline(parts, inputs="words", namespace=name) for name in ("short", "long")]
    both = Pipeline([*PIPELINE.only_nodes("read_words").nodes, *sum(variants, Pipeline([])).nodes])
    pattern = {"type": "hmltc_kedro.datasets.ParquetDataset", "filepath": f"{chain.folder}/{{variant}}/letters.parquet"}
    limits = {"short": 2, "long": 9}

    def find_catalog() -> DataCatalog:
        catalog = DataCatalog.from_config({"{variant}.letters": pattern})
        for name in ("raw_words", "words"):
            catalog[name] = Chain.catalog(chain).get(name)
        for name, limit in limits.items():
            catalog[f"params:{name}.limit"] = MemoryDataset(limit)
        return catalog

    chain.catalog = find_catalog  # type: ignore[method-assign]
    assert chain.run(RefreshRunner(), both) == ["check", "check", "count_letters", "count_letters"]
    assert chain.stale(both) == {}
    limits["short"] = 3
    assert chain.stale(both) == {"short.letters": ("stale", "short.limit 2 -> 3")}
    assert chain.run(RefreshRunner(), both) == ["count_letters"]
    assert (chain.folder / "long" / ".letters.parquet.made.json").is_file()
    assert (chain.folder / ".long.check.made.json").is_file()


def test_part_of_the_chain_is_judged_by_what_lies_there(chain: Chain) -> None:
    part = Pipeline([node for node in PIPELINE.nodes if node.name == "count_letters"])
    chain.raw.write_text("a:kettle\n", "utf-8")
    assert chain.stale(part) == {}
    assert chain.run(RefreshRunner(), part) == []


# ---------------------------------------------------------------------- what is damaged stops nothing


def test_inputs_that_cannot_be_told_are_a_warning_and_leave_doubt(
    chain: Chain, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING, "hmltc_kedro"):
        patched.setattr(Tracker, "find_inputs", lambda *_, **__: {}["nothing"])
        assert chain.run() == ALL
    assert "count_letters: no record of what it reads ('nothing')" in caplog.text
    assert chain.stale()["letters"] == ("stale", "`words` is a new input")
    assert chain.run(RefreshRunner()) == ALL
    assert chain.stale() == {}


def test_code_that_cannot_be_read_is_a_warning_and_never_fresh(
    chain: Chain, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> dict[str, str]:
        raise RecursionError("too deep")

    reasons = ("stale", "code of count_letters changed (code that cannot be read)")
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING, "hmltc_kedro"):
        patched.setattr("hmltc_kedro.freshness.tracker.identify_code", refuse)
        for path in chain.folder.glob(".*.made.json"):
            path.unlink()
        assert chain.run() == ALL
        assert chain.stale()["letters"] == reasons
    assert "count_letters: its code cannot be read (too deep)" in caplog.text
    assert chain.stale()["letters"][0] == "stale"


def test_file_that_cannot_be_read_counts_as_missing(
    chain: Chain, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(f"not yours: {path.name}")

    os.utime(chain.raw, ns=(1, 1))  # so that the digests are taken again
    os.utime(chain.path("letters"), ns=(1, 1))
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING, "hmltc_kedro"):
        patched.setattr("hmltc_kedro.freshness.digests.hash_file", refuse)
        stale = chain.stale()
        assert stale["words"] == ("stale", "`raw_words` is missing")
        assert stale["letters"] == ("missing",)
        assert chain.run(RefreshRunner()) == ALL
    assert "words.txt cannot be read and counts as missing (not yours: words.txt)" in caplog.text
    assert "letters" in chain.stale()
    assert chain.run(RefreshRunner()) == ALL
    assert chain.stale() == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"making": {', '"making": 3, "more": {'),
        ('"settings": {', '"settings": [{"a": 1}], "more": {'),
        ('"code": {', '"code": {"shop:f": 1, '),
        ('"noun": "', '"noun": 3, "other": "'),
        ('"keys": "<u8 ', '"keys": "<u8 AAAAAAAAAAA='),
        ('"keys": "<u8 ', '"keys": "O '),
        ('"seen": [[', '"seen": [["bytes"], ['),
        ("{", "[" * 100_000),
    ],
)
def test_damaged_record_counts_as_none(chain: Chain, old: str, new: str) -> None:
    path = chain.folder / ".letters.parquet.made.json"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    assert chain.stale()["letters"] == ("stale", "no record of how it was made")
    assert chain.run(RefreshRunner()) == ["count_letters"]
    assert chain.stale() == {}


def test_input_that_is_not_what_its_name_says_is_told_without_its_rows(
    chain: Chain, caplog: pytest.LogCaptureFixture
) -> None:
    chain.path("words").write_bytes(b"PAR1 and no more")
    part = PIPELINE.only_nodes("count_letters")
    with caplog.at_level(logging.WARNING, "hmltc_kedro"):
        assert chain.stale(part)["letters"][0] == "stale"
    assert "words.parquet: changes of its rows cannot be told" in caplog.text
    assert chain.run(RefreshRunner()) == ["read_words"]
    assert chain.stale() == {}


# ---------------------------------------------------------------------- what belongs together


def select(*names: str) -> Pipeline:
    return PIPELINE.only_nodes(*names)


def test_entry_changed_since_its_run_is_refused_before_anything_runs(chain: Chain) -> None:
    content = pd.read_parquet(chain.path("letters")).assign(letters=0)
    content.to_parquet(chain.path("letters"))
    with pytest.raises(InputError) as caught:
        chain.run(pipeline=select("join"))
    record = find_record(chain.path("letters"))
    assert str(caught.value) == (
        "entry `letters` was changed since a run made it; `kedro refresh` makes it again; to use it as it is, remove "
        f"{record}"
    )
    assert calls == []
    record.unlink()
    assert chain.run(pipeline=select("join")) == ["join"], "somebody wants it so"
    content.assign(letters=1).to_parquet(chain.path("letters"))
    assert chain.run() == ALL, "a whole run makes it again"


def test_entry_that_cannot_be_read_counts_as_changed(chain: Chain) -> None:
    chain.path("described").write_bytes(b"half")
    with pytest.raises(InputError, match="^entry `described` was changed since"):
        chain.run(pipeline=select("join"))


def test_entries_of_two_versions_of_what_they_are_made_from_are_refused(chain: Chain) -> None:
    """`letters` are of new words and `described` of old ones, though `join` reads no words."""
    chain.raw.write_text("a:kettle\nb:beds\nc:rake\n", "utf-8")
    assert chain.run(pipeline=select("read_words", "count_letters")) == ["count_letters", "read_words"]
    with pytest.raises(InputError, match="^entry `described` was made from another `words` than there is now; "):
        chain.run(pipeline=select("join"))
    assert chain.run(pipeline=select("describe")) == ["describe"]
    assert chain.run(pipeline=select("join")) == ["join"]


def test_entry_is_refused_beside_another_version_of_what_it_was_made_from_however_far_above(chain: Chain) -> None:
    reads_both = Pipeline([Node(lambda joined, words: joined, ["joined", "words"], "left_over", name="both")])
    assert chain.run(pipeline=reads_both) == []
    chain.raw.write_text("a:kettle\n", "utf-8")
    chain.run(pipeline=select("read_words"))
    with pytest.raises(InputError, match="^entry `joined` was made from another `words` than there is now; "):
        chain.run(pipeline=reads_both)


def test_what_a_node_before_makes_anew_is_noticed_at_the_node_that_mixes(chain: Chain) -> None:
    reads_both = Node(lambda joined, letters: joined, ["joined", "letters"], "left_over", name="both")
    pipeline = select("count_letters") + Pipeline([reads_both])
    assert chain.run(pipeline=pipeline) == ["count_letters"]
    chain.limit = 3
    with pytest.raises(InputError, match="^entry `joined` was made from another `letters` than there is now; "):
        chain.run(pipeline=pipeline)
    assert calls == ["count_letters"]


def test_changed_raw_file_is_noticed_before_anything_runs(chain: Chain) -> None:
    chain.raw.write_text("a:kettle\nb:beds\nc:rake\n", "utf-8")
    with pytest.raises(InputError, match="^entry `described` was made from another `raw_words` than there is now; "):
        chain.run(pipeline=select("read_words", "count_letters", "join"))
    assert calls == []


def test_new_bytes_of_a_raw_file_that_make_the_same_entry_change_nothing(chain: Chain) -> None:
    chain.raw.write_text("a:kettle\nb:bed\nc:rake\n\n", "utf-8")
    chain.run(pipeline=select("read_words"))
    assert chain.run(pipeline=select("count_letters")) == ["count_letters"]
    assert chain.run(pipeline=select("join")) == ["join"]


def test_what_was_written_without_hooks_loses_its_record_when_the_run_has_ended(chain: Chain) -> None:
    """As by the processes that ParallelRunner spawns."""
    chain.limit = 3
    chain.run(pipeline=select("count_letters"), hooks=False)
    for params in ({"only_missing_outputs": True}, {"only_missing_outputs": False}):
        with pytest.raises(InputError, match="^entry `letters` was changed"):
            chain.run(pipeline=select("join"))
        FreshnessHooks().after_pipeline_run(params, select("count_letters"), chain.catalog())
    assert chain.run(pipeline=select("join")) == ["join"]


def test_run_that_fails_does_not_make_a_damaged_entry_a_good_one(chain: Chain) -> None:
    pd.read_parquet(chain.path("letters")).assign(letters=0).to_parquet(chain.path("letters"))
    chain.limit = "no number"
    with pytest.raises(TypeError):
        chain.run(pipeline=select("count_letters"))
    with pytest.raises(InputError, match="^entry `letters` was changed"):
        chain.run(pipeline=select("join"))


def test_entry_of_a_run_killed_before_its_record_is_refused_and_made_again(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Stands for the end of the process."""

    def die(*_: object) -> None:
        raise Killed

    chain.limit = 3
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(FreshnessHooks, "_write", die)
        chain.run(pipeline=select("count_letters"))
    with pytest.raises(InputError, match="^entry `letters` was changed"):
        chain.run(pipeline=select("join"))
    assert chain.run(RefreshRunner()) == ["count_letters", "join"]
    assert chain.stale() == {}
