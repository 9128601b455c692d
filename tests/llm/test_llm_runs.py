"""A project whose language model is a server: switched in two lines, paid once, replayed bit for bit."""

import json
from collections.abc import Iterator

import pandas as pd
import pytest

from fake_llm import KEY, Body, FakeServer, Response, answer_for, completion, failure, prompt_of, serve
from kedro_project import Project

STAGES = ("--env=test", "--pipelines=ingest,enrich,pseudo_label,augment")


def reply(body: Body, _: int) -> Response:
    """Answer each task in its shape; there is no description of mugs to be had."""
    task = body["response_format"]["json_schema"]["name"]
    if task == "describe_class" and 'class: "mugs"' in prompt_of(body):
        return completion(None, refusal="I do not describe mugs")
    digest = json.loads(answer_for(body))["description"].split()[-1]
    answers = {
        "describe_class": {"description": f"a sentence about {digest}"},
        "write_keywords": {"keywords": [f"word {digest}"]},
        "write_reviews": {"reviews": [f"Product {digest}. It works as {i} others did" for i in range(5)]},
    }
    return completion(json.dumps(answers[task]))


def switch(project: Project, **lines: str) -> int:
    """Set lines of globals.yml and return how many of all YAML lines changed."""
    path = project.folder / "conf" / "base" / "globals.yml"
    before = path.read_text("utf-8").splitlines()
    after = [
        f"{line.split(':')[0]}: {lines[line.split(':')[0]]}" if line.split(":")[0] in lines else line for line in before
    ]
    path.write_text("\n".join(after) + "\n", "utf-8")
    return sum(a != b for a, b in zip(before, after, strict=True))


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[FakeServer, str]]:
    with serve(reply) as running:
        yield running


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("llm_project"))
    made.use_short_encoder("test")
    (made.folder / "conf" / "base" / "credentials.yml").write_text(f"openai:\n  base_url_key: {KEY}\n", "utf-8")
    return made


@pytest.fixture(scope="module")
def asked(project: Project, server: tuple[FakeServer, str]) -> str:
    """Run with the server as language model; return what was printed."""
    assert switch(project, llm="openai", llm_base_url=server[1]) == 2
    return project.run(*STAGES)


def read(project: Project, name: str) -> pd.DataFrame:
    (path,) = (project.folder / "data").glob(f"*/sample/test/{name}.parquet")
    return pd.read_parquet(path)


def outputs(project: Project) -> dict[str, bytes]:
    names = ("class_descriptions", "synthetic_documents", "enriched_taxonomy")
    found = [p for n in names for p in (project.folder / "data").glob(f"*/sample/test/{n}.parquet")]
    assert len(found) == len(names)
    return {path.stem: path.read_bytes() for path in found}


@pytest.mark.slow
def test_two_lines_switch_to_a_server_and_its_answers_arrive(
    project: Project, server: tuple[FakeServer, str], asked: str
) -> None:
    descriptions = read(project, "class_descriptions").set_index("name")
    assert descriptions.loc["mugs", "source"] == "template"
    assert "refuses" in descriptions.loc["mugs", "error"]
    others = descriptions.drop("mugs")
    assert (others["source"] == "gpt-4o-mini").all() and others["description"].str.startswith("a sentence").all()
    keywords = read(project, "enriched_taxonomy").set_index("name")["keywords"]
    assert keywords["bottles"][0].startswith("word ") and "skillet" in keywords["pans"]
    assert read(project, "synthetic_documents")["raw_text"].str.startswith("Product").all()
    assert server[0].keys == {KEY}
    assert "LLM plan: gpt-4o-mini: 49 calls" in asked


@pytest.mark.slow
def test_usage_and_fallen_back_classes_are_reported(
    project: Project, server: tuple[FakeServer, str], asked: str
) -> None:
    path = project.folder / "data/08_reporting/sample/test/llm_usage.json"
    report = json.loads(path.read_text("utf-8"))
    assert report["calls"] == server[0].total and report["input_tokens"] == 100 * report["calls"]
    assert [row["name"] for row in report["classes_described_by_the_template"]] == ["mugs"]
    assert report["cost"] == pytest.approx(report["calls"] * (100 * 0.15 + 20 * 0.6) / 1e6)
    assert "1 classes described by the template" in asked


@pytest.mark.slow
def test_second_run_asks_only_what_had_no_answer_and_one_keyword_costs_one_call(
    project: Project, server: tuple[FakeServer, str], asked: str
) -> None:
    before = server[0].total
    project.run(*STAGES)
    assert server[0].total == before + 1  # mugs
    path = project.raw / "sample" / "class_related_keywords.txt"
    text = path.read_text("utf-8")
    path.write_text(text.replace("pans:frying pan", "pans:paella dish,frying pan"), "utf-8")
    project.run("--env=test", "--pipelines=ingest,enrich")
    path.write_text(text, "utf-8")
    assert server[0].total == before + 3  # mugs again, and pans


@pytest.mark.slow
def test_replay_gives_the_same_bytes_without_a_server(
    project: Project, server: tuple[FakeServer, str], asked: str
) -> None:
    project.run(*STAGES)
    expected, before = outputs(project), server[0].total
    for path in (project.folder / "data").glob("*/sample/test/*.parquet"):
        path.unlink()
    assert switch(project, llm="replay") == 1
    project.run(*STAGES)
    assert outputs(project) == expected
    assert server[0].total == before


@pytest.mark.slow
def test_key_is_in_no_file_and_no_log(project: Project, asked: str) -> None:
    assert KEY not in asked
    holders = [p for p in project.folder.rglob("*") if p.is_file() and KEY.encode() in p.read_bytes()]
    assert [p.name for p in holders] == ["credentials.yml"]


@pytest.mark.slow
def test_wrong_key_is_one_line(project: Project, asked: str) -> None:
    with serve(lambda body, n: failure(401, f"Incorrect API key provided: {KEY}", "invalid_api_key")) as (fake, url):
        switch(project, llm="openai", llm_base_url=url)
        cache = project.folder / "data/03_primary/sample/llm_answers.sqlite"
        cache.rename(cache.with_suffix(".kept"))
        done = project.kedro("run", "--env=test", "--pipelines=enrich")
        cache.with_suffix(".kept").replace(cache)
    assert done.code != 0 and "Traceback" not in done.text and KEY not in done.text
    assert fake.total == 1
    assert "key" in done.err.strip().splitlines()[-1]
