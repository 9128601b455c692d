"""The stage `augment`."""

import json

import pytest

from hmltc_kedro.llm import RecordedClient, TemplateClient
from hmltc_kedro.pipelines.augment import create_pipeline, nodes

REVIEW = "Great cat toy, my cats LOVE it. Would buy 2 more."
OTHER = "Feather wand lasted a week, then the string tore."


@pytest.fixture
def llm(tmp_path):
    """Return recorded reviews of cat toys and nothing else."""
    answer = {"task": "write_reviews", "class_id": "ct", "answer": {"reviews": [REVIEW, OTHER, REVIEW + " Really."]}}
    (tmp_path / "answers.jsonl").write_text(json.dumps(answer) + "\n", "utf-8")
    return RecordedClient(tmp_path / "answers.jsonl")


def write(made, diamond, llm, params):
    """Run the node with cat toys as the one starved class."""
    starved = made["starved_classes"].iloc[:0].copy()
    starved.loc[0, "class_id"] = "ct"
    inputs = [starved, made["silver_labels"], diamond, made["class_descriptions"], made["documents"], llm]
    settings = {name: value for name, value in params.items() if not name.startswith("synthetic_")}
    return nodes.write_synthetic_documents(*inputs, **settings, seed=42)


def test_pipeline_gives_the_kept_silver_documents_as_examples(run, run_until) -> None:
    made = run_until("augment", llm=TemplateClient())
    pipeline = create_pipeline()
    examples = run(pipeline, **{k: v for k, v in made.items() if k in pipeline.inputs()})["training_examples"]
    assert len(examples) == made["silver_labels"]["kept"].sum()
    assert {"text", "class_ids", "weight"} <= set(examples.columns)
    assert (examples["weight"] > 0).all()


def test_reviews_of_a_starved_class_carry_its_whole_path(run_until, diamond, llm, parameters) -> None:
    made = run_until("augment")
    params = {**parameters["augment"], "reviews_per_class": 2, "style": "never"}
    reviews = write(made, diamond, llm, params)
    assert list(reviews["text"]) == [REVIEW, OTHER]
    assert [list(ids) for ids in reviews["class_ids"]] == [["an", "ca", "ct"]] * 2
    given = (made["documents"], made["silver_labels"], reviews)
    examples = nodes.build_training_examples(*given, 0.5, synthetic_ancestors=True)
    assert len(examples) == made["silver_labels"]["kept"].sum() + 2
    assert list(examples["class_ids"].iloc[-1]) == ["an", "ca", "ct"]
    assert examples["weight"].iloc[-2:].tolist() == [0.5, 0.5]
    examples = nodes.build_training_examples(*given, 0.5, synthetic_ancestors=False)
    assert list(examples["class_ids"].iloc[-1]) == ["ct"]


def test_style_always_lowers_and_spaces(run_until, diamond, llm, parameters) -> None:
    params = {**parameters["augment"], "reviews_per_class": 1, "style": "always"}
    text = write(run_until("augment"), diamond, llm, params)["text"].iloc[0]
    assert text.startswith("great cat toy , my cats love it .")


def test_no_reviews_are_asked_for_when_it_is_turned_off(run_until, diamond, llm, parameters) -> None:
    params = {**parameters["augment"], "reviews_per_class": 0}
    assert len(write(run_until("augment"), diamond, llm, params)) == 0
