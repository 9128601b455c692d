"""The stage `pseudo_label`."""

import zlib
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from hmltc_kedro.config import ProjectConfigLoader
from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.enrichment.class_texts import write_lexical_texts
from hmltc_kedro.errors import InputError
from hmltc_kedro.pipelines.pseudo_label import create_pipeline, nodes
from hmltc_kedro.pseudo_labels import neighbourhood, silver_labels
from hmltc_kedro.pseudo_labels.reliability import ViewWeights
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.lexical_view import LexicalView
from hmltc_kedro.text.windows import normalise
from kedro_project import REPOSITORY


def test_silver_labels_are_paths_of_every_document(run, run_until, diamond) -> None:
    made = run_until("augment")
    frame = made["silver_labels"]
    assert len(frame) == 9
    labels = diamond.to_matrix(frame["class_ids"])
    assert (labels.sum(axis=1) > 0).all()
    assert diamond.is_path_consistent(labels).all()
    assert frame["kept"].all(), "the default trusts every label"
    of_text = dict(zip(frame["split"] + "/" + frame["doc_id"], map(list, frame["class_ids"]), strict=True))
    assert of_text["train/3"] == ["ga", "to"]


def test_selection_and_gap_reach_the_labels(run_until, diamond, parameters) -> None:
    made = run_until("augment")
    gap = parameters["pseudo_label"]["gap"].model_copy(update={"value": 0.25})
    given = (made["candidate_scores"], made["document_neighbours"], diamond)
    labels = nodes.assign_silver_labels(*given, "threshold", gap)
    assert 0 < labels["kept"].sum() < 9
    assert not labels["confidence"].equals(made["silver_labels"]["confidence"])
    assert diamond.is_path_consistent(diamond.to_matrix(labels["class_ids"])).all()


def test_pipeline_gives_starved_classes_and_the_plot(run, run_until, diamond) -> None:
    made = run_until("pseudo_label")
    pipeline = create_pipeline()
    outputs = run(pipeline, **{k: v for k, v in made.items() if k in pipeline.inputs()})
    assert set(outputs) == {"label_distribution"}
    assert "7 classes" in outputs["label_distribution"].layout.title.text


def test_statistics_mark_the_starved_classes(run_until, diamond) -> None:
    made = run_until("augment")
    statistics = made["label_statistics"].set_index("class_id")
    assert list(statistics.index) == list(diamond.class_ids)
    assert set(statistics.index[statistics["starved"]]) == set(made["starved_classes"]["class_id"])
    starved = made["starved_classes"].set_index("class_id")["n_documents"]
    assert statistics.loc[starved.index, "n_documents"].equals(starved)


def test_document_embeddings_carry_split_and_id(run_until) -> None:
    made = run_until("pseudo_label")
    table = nodes.embed_documents(made["documents"], made["encoder"])
    assert list(table.ids[:2]) == ["train/0", "train/1"]
    assert list(table.ids[-1:]) == ["test/2"]
    assert table["vectors"].dtype == np.float32
    np.testing.assert_array_equal(table["vectors"], made["encoder"].encode(list(made["documents"]["text"])))


# ---------------------------------------------------------------------- views and neighbours


def adjust(params, **changes):
    """Return the parameters of the stage with some of them changed."""
    return {**params["pseudo_label"], **changes}


def test_lexical_view_is_that_of_corpus_and_classes(run_until, diamond, parameters) -> None:
    made = run_until("augment")
    found = LexicalView.from_frame(made["lexical_view"], diamond)
    enriched = made["enriched_taxonomy"]
    class_texts = write_lexical_texts(enriched)
    expected = LexicalView.fit(list(made["documents"]["text"]), class_texts)
    assert found.words == expected.words
    np.testing.assert_array_equal(found.classes.toarray(), expected.classes.toarray())


@pytest.mark.parametrize(("weight", "words"), [(0, False), (0.0, False), (0.5, True), (None, True)])
def test_lexical_view_is_empty_only_without_a_weight(run_until, weight, words) -> None:
    made = run_until("pseudo_label")
    entries = [made[k] for k in ("documents", "enriched_taxonomy")]
    view = nodes.fit_lexical_view(*entries, weight)
    assert bool(len(view)) == words
    assert list(view.columns) == ["word", "idf", "class_ids", "weights"]


WEIGHED = ("documents", "document_embeddings", "class_embeddings", "lexical_view", "taxonomy", "encoder")


def weigh(made, params):
    """Run the node with the parameters of the stage that it reads."""
    settings = {
        name: params[name] for name in ("views", "hubness_prior", "lexical_weight", "ancestor_weight", "neighbours")
    }
    return nodes.weigh_views(*(made[k] for k in WEIGHED), **settings, seed=42)


def test_views_are_weighed_on_the_corpus(run_until, parameters) -> None:
    made = run_until("augment")
    found = ViewWeights(**made["view_weights"])
    assert found.n_documents == len(made["documents"]) == 9
    assert 0 <= found.dense_reliability <= 1
    assert 0.125 <= found.lexical_weight <= 2
    assert found.neighbour_share == pytest.approx(min(1 - 2 / (1 + 1 / found.dense_reliability), 0.5), abs=1e-5)
    assert weigh(made, parameters["pseudo_label"]) == made["view_weights"]


def test_fixed_weight_without_neighbours_encodes_nothing(run_until, parameters) -> None:
    made = {**run_until("augment"), "encoder": None}
    fixed = adjust(parameters, lexical_weight=0.7, neighbours=0)
    found = weigh(made, fixed)
    assert found == {**PLAIN, "lexical_weight": 0.7, "neighbour_share": 0.0}


SCORED = ("documents", "document_embeddings", "class_embeddings")
PLAIN = {"n_documents": 0, "dense_reliability": None}


def score(made, diamond, params, view=None, **weights) -> pd.DataFrame:
    view = made["lexical_view"] if view is None else view
    weights = {**PLAIN, "lexical_weight": 0.0, "neighbour_share": 0.0, **weights}
    neighbours = nodes.find_neighbours(made["document_embeddings"], params["neighbours"], 42)
    settings = {name: params[name] for name in ("views", "hubness_prior", "ancestor_weight", "second_look", "top_k")}
    return nodes.score_candidates(*(made[k] for k in SCORED), view, weights, neighbours, diamond, **settings, seed=42)


def test_lexical_view_can_be_left_out(run_until, diamond, parameters) -> None:
    made, once = run_until("augment"), adjust(parameters, neighbours=0, second_look=0)
    without = score(made, diamond, once, LexicalView.empty(7).to_frame(diamond))
    with_words = score(made, diamond, once, lexical_weight=1.0)
    assert len(without) == len(with_words)
    assert "score_lexical" in with_words and "score_lexical" not in without
    assert not without["score_fused"].equals(with_words["score_fused"])
    # A weight of 0 comes to the same, but for the column that shows what the words would have said.
    unweighted = score(made, diamond, once)
    pd.testing.assert_frame_equal(unweighted.drop(columns="score_lexical"), without)


def test_neighbours_count_by_their_share(run_until, diamond, parameters) -> None:
    made = run_until("augment")
    alone = score(made, diamond, adjust(parameters, neighbours=0), lexical_weight=1.0)
    no_share = score(made, diamond, adjust(parameters, neighbours=2), lexical_weight=1.0)
    shared = score(made, diamond, adjust(parameters, neighbours=2), lexical_weight=1.0, neighbour_share=0.5)
    by_class = ["doc_id", "split", "class_id"]
    pd.testing.assert_frame_equal(no_share.drop(columns="rank"), alone.drop(columns="rank"), atol=1e-5)
    own, drawn = (frame.set_index(by_class).sort_index() for frame in (alone, shared))
    pd.testing.assert_series_equal(own["score_text"], drawn["score_text"], atol=1e-6)
    assert not np.allclose(own["score_fused"], drawn["score_fused"], atol=0.1)


def test_corpus_of_one_document_keeps_its_own_scores(run_until, diamond, parameters) -> None:
    made = run_until("augment")
    whole = made["document_embeddings"]
    one = {
        "documents": made["documents"].iloc[3:4],
        "document_embeddings": TensorTable(whole.ids[3:4], {"vectors": whole["vectors"][3:4]}),
    }
    found = score({**made, **one}, diamond, parameters["pseudo_label"], lexical_weight=1.0, neighbour_share=1.0)
    alone = score({**made, **one}, diamond, adjust(parameters, neighbours=0), lexical_weight=1.0)
    pd.testing.assert_frame_equal(found, alone)


def test_neighbours_are_found_once_for_scores_and_labels(run_until, diamond, parameters) -> None:
    made = run_until("augment")
    table = made["document_neighbours"]
    vectors = made["document_embeddings"]
    assert list(table.ids) == list(vectors.ids)
    rows = neighbourhood.find_neighbours(vectors["vectors"], parameters["pseudo_label"]["neighbours"], 42)
    np.testing.assert_array_equal(table["rows"], rows)
    labels = diamond.to_matrix(made["silver_labels"]["class_ids"])
    expected = silver_labels.measure_agreement(labels, neighbourhood.average_neighbours(rows))
    np.testing.assert_array_equal(made["silver_labels"]["agreement"], expected)


def test_without_neighbours_every_label_agrees(run_until, diamond, parameters) -> None:
    made = run_until("augment")
    alone = nodes.find_neighbours(made["document_embeddings"], 0, 42)
    assert alone["rows"].shape == (9, 0)
    settings = (parameters["pseudo_label"]["selection"], parameters["pseudo_label"]["gap"])
    labels = nodes.assign_silver_labels(made["candidate_scores"], alone, diamond, *settings)
    np.testing.assert_allclose(labels["agreement"], 1, atol=1e-6)


@pytest.mark.parametrize("k", [0, 3])
def test_neighbours_come_back_from_their_file(run_until, tmp_path, k) -> None:
    made = run_until("pseudo_label")
    vectors = nodes.embed_documents(made["documents"], made["encoder"])
    table = nodes.find_neighbours(vectors, k, 42)
    loader = ProjectConfigLoader(str(REPOSITORY / "conf"), env="test", **CONFIG_LOADER_ARGS)
    entry = {**loader["catalog"]["document_neighbours"], "filepath": str(tmp_path / "rows.safetensors")}
    catalog = DataCatalog.from_config({"document_neighbours": entry})
    catalog.save("document_neighbours", table)
    again = catalog.load("document_neighbours")
    assert list(again.ids) == list(table.ids)
    assert (again["rows"].shape, again["rows"].dtype) == ((9, k), np.int64)
    np.testing.assert_array_equal(again["rows"], table["rows"])


def test_new_entries_come_back_from_their_files(run_until, diamond, tmp_path) -> None:
    made = run_until("augment")
    loader = ProjectConfigLoader(str(REPOSITORY / "conf"), env="test", **CONFIG_LOADER_ARGS)
    entries = {name: loader["catalog"][name] for name in ("lexical_view", "view_weights")}
    catalog = DataCatalog.from_config(
        {name: {**entry, "filepath": str(tmp_path / entry["filepath"])} for name, entry in entries.items()}
    )
    for name in entries:
        catalog.save(name, made[name])
    assert catalog.load("view_weights") == made["view_weights"]
    again, view = (LexicalView.from_frame(f, diamond) for f in (catalog.load("lexical_view"), made["lexical_view"]))
    assert again.words == view.words
    np.testing.assert_array_equal(again.idf, view.idf)
    np.testing.assert_array_equal(again.classes.toarray(), view.classes.toarray())


# ---------------------------------------------------------------------- a corpus in another script

CHINESE = {
    "宠物用品": {"狗粮": ["犬粮", "幼犬食品"], "猫砂": ["猫厕所", "除臭砂"], "鱼缸": ["水族箱", "过滤器"]},
    "电子产品": {"手机壳": ["保护套", "防摔外壳"], "耳机": ["蓝牙耳塞", "降噪"], "充电器": ["充电线", "快充插头"]},
    "食品饮料": {"咖啡豆": ["烘焙", "手冲咖啡"], "绿茶": ["龙井", "茶叶"], "巧克力": ["可可", "糖果"]},
}
CHINESE_FRAMES = [
    "上周给家里买了{}，用起来质量非常好。{}朋友也推荐给我。",
    "快递很快就到了，{}和图片上一样。第二次买{}了，很满意。",
]
RUSSIAN = {
    "товары для животных": {
        "корм для собак": ["щенок", "сухой корм"],
        "наполнитель для кошек": ["лоток", "кошка"],
        "аквариум": ["рыбки", "фильтр для воды"],
    },
    "электроника": {
        "чехол для телефона": ["смартфон", "защита экрана"],
        "наушники": ["гарнитура", "шумоподавление"],
        "зарядное устройство": ["кабель", "быстрая зарядка"],
    },
    "продукты питания": {
        "кофе в зёрнах": ["обжарка", "эспрессо"],
        "зелёный чай": ["заварка", "чайный лист"],
        "шоколад": ["какао", "сладости"],
    },
}
RUSSIAN_FRAMES = [
    "На прошлой неделе купили: {}, качество очень хорошее. Друзья тоже взяли: {}, и не ошиблись.",
    "Доставка быстрая, {} точно как на картинке. Вот уже второй раз берём: {}, мы довольны.",
]


class BlindEncoder:
    """Stands for an encoder of other languages: every text has a random vector of its own."""

    name = fingerprint = "blind"

    def encode(self, texts):
        vectors = [np.random.default_rng(zlib.crc32(text.encode())).normal(size=64) for text in texts]
        return normalise(np.array(vectors, dtype=np.float32))


@pytest.mark.parametrize(
    ("roots", "frames"), [(CHINESE, CHINESE_FRAMES), (RUSSIAN, RUSSIAN_FRAMES)], ids=["chinese", "russian"]
)
def test_words_find_the_classes_where_the_encoder_is_blind(run, parameters, roots, frames) -> None:
    terms = {leaf: [leaf, *more] for leaves in roots.values() for leaf, more in leaves.items()}
    edges = [(root, leaf) for root, leaves in roots.items() for leaf in leaves]
    keywords = {leaf: own[1:] for leaf, own in terms.items()}
    taxonomy = Taxonomy.from_edges([(name, name) for name in [*roots, *terms]], edges, keywords)
    labelled = [
        (frame.format(*pair), leaf) for leaf, own in terms.items() for pair in permutations(own, 2) for frame in frames
    ]
    texts, leaves = zip(*labelled, strict=True)
    vectors = BlindEncoder().encode(taxonomy.labels)
    pipeline = create_pipeline()
    made = {
        "documents": pd.DataFrame({"split": "train", "doc_id": [str(i) for i in range(len(texts))], "text": texts}),
        "encoder": BlindEncoder(),
        "taxonomy": taxonomy,
        "enriched_taxonomy": taxonomy,
        "class_embeddings": TensorTable(taxonomy.class_ids, {"text": vectors, "template": vectors}),
        "params:pseudo_label.neighbours": 0,  # a blind encoder finds none
    }
    for node in pipeline.nodes:
        single = Pipeline([node])
        made |= run(single, **{k: v for k, v in made.items() if k in single.inputs()})
    weights = made["view_weights"]
    assert weights["lexical_weight"] > 1
    found = [leaf in ids for leaf, ids in zip(leaves, made["silver_labels"]["class_ids"], strict=True)]
    assert np.mean(found) > 0.9
    blind = score(made, taxonomy, adjust(parameters, neighbours=0))
    first = blind.loc[blind["rank"] == 1, "class_id"]
    assert np.mean([leaf == best for leaf, best in zip(leaves, first, strict=True)]) < 0.4


def test_all_classes_are_starved_below_a_high_threshold(run_until, diamond, parameters) -> None:
    made = run_until("augment")
    starved = parameters["pseudo_label"]["starved"].model_copy(update={"unit": "documents", "threshold": 100})
    assert len(nodes.find_starved_classes(made["silver_labels"], diamond, starved)) == len(diamond)


# ---------------------------------------------------------------------- tables that are of something else


def turn_rows(table: TensorTable) -> TensorTable:
    """Return the same table, its first two rows the other way round: nothing wrong with it but for its reader."""
    rows = [1, 0, *range(2, len(table))]
    return TensorTable([table.ids[row] for row in rows], {k: v[rows] for k, v in table.arrays.items()})


@pytest.mark.parametrize(
    ("node", "entry", "shown"),
    [
        ("weigh_views", "class_embeddings", "7 rows are of something else ('ga' is where 'an' should be)"),
        ("score_candidates", "class_embeddings", "7 rows are of something else ('ga' is where 'an' should be)"),
        ("score_candidates", "document_embeddings", "9 rows are of something else ('train/1' is where 'train/0' sh"),
        ("score_candidates", "document_neighbours", "9 rows are of something else ('train/1' is where 'train/0' sh"),
        ("assign_silver_labels", "document_neighbours", "9 rows are of something else ('train/1' is where 'train/0'"),
    ],
)
def test_rows_in_another_order_are_refused(run, run_until, node, entry, shown) -> None:
    made = run_until("augment")
    single = create_pipeline().only_nodes(node)
    given = {k: v for k, v in made.items() if k in single.inputs()}
    with pytest.raises(InputError) as error:
        run(single, **{**given, entry: turn_rows(given[entry])})
    assert str(error.value).startswith(f"entry `{entry}`: its {shown}")
    assert str(error.value).endswith("; run `kedro refresh`, which makes what is stale again")


def test_rows_of_fewer_documents_are_refused(run, run_until) -> None:
    made = run_until("augment")
    single = create_pipeline().only_nodes("score_candidates")
    table = made["document_embeddings"]
    fewer = TensorTable(table.ids[:8], {"vectors": table["vectors"][:8]})
    given = {k: v for k, v in made.items() if k in single.inputs()}
    with pytest.raises(
        InputError, match=r"^entry `document_embeddings`: its 8 rows are .* \(9 are needed\); run `kedro"
    ):
        run(single, **{**given, "document_embeddings": fewer})
