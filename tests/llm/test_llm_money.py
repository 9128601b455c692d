from __future__ import annotations

import hashlib
import types
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fake_llm import make_requests
from hmltc_kedro import dry_run
from hmltc_kedro.llm import tokens
from hmltc_kedro.llm.cache import request_key
from hmltc_kedro.llm.money import estimate
from hmltc_kedro.llm.settings import OpenAISettings, Price
from hmltc_kedro.llm.usage import Usage, format_cost

AMAZON = Path(__file__).parents[3] / "shared" / "data" / "amazon531"
SAMPLE = Path(__file__).parents[2] / "data" / "01_raw" / "sample"


@pytest.fixture(autouse=True)
def _fresh_tokenizers():
    tokens.load_tokenizer.cache_clear()
    yield
    tokens.load_tokenizer.cache_clear()


def test_estimate_counts_what_is_not_cached_once() -> None:
    settings = OpenAISettings(model="own", prices={"own": Price(input=1.0, output=2.0)})
    requests = make_requests(3)
    cached = {request_key(requests[0], settings)}
    plan = estimate([*requests, requests[1]], settings, cached)
    assert (plan.calls, plan.cached, plan.output_tokens, plan.exact) == (2, 2, 400, False)
    assert plan.cost == pytest.approx((plan.input_tokens + 2 * 400) / 1e6)
    assert "2 calls, 2 cached" in str(plan) and "estimated: characters / 4" in str(plan)


def test_unknown_prices_are_said_to_be() -> None:
    plan = estimate(make_requests(1), OpenAISettings(model="own"))
    assert plan.cost is None and str(plan).endswith("price unknown")
    assert "price unknown" in str(Usage())


@pytest.mark.parametrize(("cost", "shown"), [(0.0, "$0.00"), (0.0123, "$0.0123"), (12.3456, "$12.35")])
def test_format_cost(cost: float, shown: str) -> None:
    assert format_cost(cost) == shown


def test_tiktoken_serves_only_from_disk(tmp_path: Path, monkeypatch) -> None:
    """A stand-in for the package: its `get_encoding` would download where the file is missing."""
    fake = types.SimpleNamespace(
        encoding_name_for_model=lambda model: {"gpt-4o-mini": "o200k_base"}[model],
        get_encoding=lambda name: types.SimpleNamespace(encode_ordinary=str.split),
    )
    monkeypatch.setattr(tokens, "import_module", lambda name: fake)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert tokens.count_tokens("eight ch", "gpt-4o-mini") == 2
    assert tokens.load_tokenizer("gpt-4o-mini") is None
    url = tokens.VOCABULARIES.format(name="o200k_base")
    (tmp_path / hashlib.sha1(url.encode()).hexdigest()).touch()
    tokens.load_tokenizer.cache_clear()
    assert tokens.count_tokens("three words here", "gpt-4o-mini") == 3
    assert tokens.load_tokenizer("own") is None
    assert estimate(make_requests(1), OpenAISettings()).exact


def test_no_tiktoken_is_fine(monkeypatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(tokens, "import_module", missing)
    assert tokens.count_tokens("x" * 9, "gpt-4o-mini") == 3


@given(st.text(max_size=200))
def test_the_bound_is_one(text: str) -> None:
    """Byte-level vocabularies spend at most a token a byte."""
    assert tokens.bound_tokens(text) >= -(-len(text) // 4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"modle": "x"},
        {"concurrency": 0},
        {"max_cost": -1},
        {"base_url": "localhost:8000/v1"},
        {"base_url": "https://user:secret@host/v1"},
        {"base_url": "https://host/v1?key=secret"},
        {"prices": {"own": {"input": 1}}},
        {"structured": "xml"},
    ],
)
def test_settings_are_checked(wrong) -> None:
    with pytest.raises(ValidationError):
        OpenAISettings(**wrong)


def test_dry_run_on_the_sample(capsys) -> None:
    assert dry_run.main([str(SAMPLE)]) == 0
    line = capsys.readouterr().out
    assert line.startswith("describe_class with gpt-4o-mini: 49 calls, 0 cached; ")
    assert line.count("\n") == 1 and "at most $0.0" in line


def test_dry_run_says_what_is_wrong(tmp_path: Path, capsys) -> None:
    assert dry_run.main([str(tmp_path)]) == 2
    assert dry_run.main([str(SAMPLE), "--model", ""]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert "classes.txt: no such file" in errors[0] and errors[1].startswith("Error: model:")


@pytest.mark.skipif(not AMAZON.is_dir(), reason="the paper's taxonomy is not at ../shared")
def test_dry_run_on_the_papers_taxonomy(capsys) -> None:
    """The figures the documentation quotes."""
    assert dry_run.main([str(AMAZON)]) == 0
    line = capsys.readouterr().out.strip()
    assert line == (
        "describe_class with gpt-4o-mini: 531 calls, 0 cached; 213,421 input tokens "
        "(estimated: characters / 4) and at most 106,200 output tokens; at most $0.0957"
    )
    page = (Path(__file__).parents[2] / "docs" / "llm.md").read_text(encoding="utf-8")
    assert line in page
