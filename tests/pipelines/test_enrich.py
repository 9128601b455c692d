"""The stage `enrich`."""

import json

import numpy as np

from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.llm import RecordedClient, TemplateClient
from hmltc_kedro.pipelines.enrich import create_pipeline, nodes
from hmltc_kedro.taxonomy import Taxonomy


def test_every_class_is_described_and_embedded(run, run_until, diamond) -> None:
    made = run_until("enrich")
    vectors = run(create_pipeline(), **{k: made[k] for k in ("taxonomy", "llm", "encoder")})["class_embeddings"]
    assert list(vectors.ids) == list(diamond.class_ids)
    assert set(vectors.arrays) == {"text", "template", "path"}
    for view in vectors.arrays.values():
        np.testing.assert_allclose(np.linalg.norm(view, axis=1), 1, atol=1e-6)


def test_descriptions_fall_back_to_the_template_and_say_so(diamond, parameters, caplog) -> None:
    caplog.set_level("INFO", "hmltc_kedro")
    frame = nodes.describe_classes(diamond, TemplateClient(), parameters["enrich"])
    assert list(frame["class_id"]) == list(diamond.class_ids)
    assert set(frame["source"]) == {"template"}
    assert "0 from the language model (template), 7 from the template" in caplog.text


def test_recorded_descriptions_are_used_where_there_are_some(diamond, parameters, tmp_path, caplog) -> None:
    caplog.set_level("INFO", "hmltc_kedro")
    answer = {"task": "describe_class", "class_id": "be", "answer": {"description": "Beds that pets sleep on."}}
    (tmp_path / "answers.jsonl").write_text(json.dumps(answer) + "\n", "utf-8")
    frame = nodes.describe_classes(diamond, RecordedClient(tmp_path / "answers.jsonl"), parameters["enrich"])
    assert list(frame["source"]) == ["template"] * 4 + ["recorded"] + ["template"] * 2
    assert frame["description"][4] == "Beds that pets sleep on."
    assert "1 from the language model (recorded), 6 from the template" in caplog.text


def find_moved(before: TensorTable, after: TensorTable) -> dict[str, list[int]]:
    """Return the rows of each view that are another vector."""
    return {view: np.flatnonzero((before[view] != array).any(axis=1)).tolist() for view, array in after.arrays.items()}


def test_vectors_change_with_a_description_and_with_a_path(run_until, diamond, parameters) -> None:
    encoder = run_until("ingest")["encoder"]
    frame = nodes.describe_classes(diamond, TemplateClient(), parameters["enrich"])
    first = nodes.embed_classes(diamond, frame, encoder)
    assert find_moved(first, nodes.embed_classes(diamond, frame, encoder)) == {
        "text": [],
        "template": [],
        "path": [],
    }
    moved = diamond.to_frame()
    moved.at[5, "parents"] = ["do"]  # cat toys below dogs: another path view of the same texts
    assert find_moved(first, nodes.embed_classes(Taxonomy.from_frame(moved), frame, encoder)) == {
        "text": [],
        "template": [2, 3, 5],
        "path": [5],
    }
    frame.loc[0, "description"] = "Something else."
    assert find_moved(first, nodes.embed_classes(diamond, frame, encoder)) == {
        "text": [0],
        "template": [],
        "path": [],
    }
