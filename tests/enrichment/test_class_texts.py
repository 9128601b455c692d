"""What stands for a class: its texts and their vectors."""

import numpy as np

from hmltc_kedro.enrichment.class_texts import embed_classes, write_class_texts, write_lexical_texts, write_path_texts
from hmltc_kedro.enrichment.templates import write_templates
from hmltc_kedro.pseudo_labels.reliability import average_views
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from small_corpus import DESCRIPTIONS


def test_class_text_is_the_papers(diamond: Taxonomy) -> None:
    texts = write_class_texts(diamond, DESCRIPTIONS)
    assert texts[2] == "Class Name: dogs ; Keywords: puppy, leash ; Description: description 2"
    assert texts[4] == "Class Name: pet beds ; Keywords: cushion ; Description: description 4"


def test_class_with_two_parents_has_a_path_text_for_each(diamond: Taxonomy) -> None:
    texts, owners = write_path_texts(diamond)
    assert [t for t, owner in zip(texts, owners, strict=True) if owner == 4] == [
        "animals > dogs > pet beds",
        "animals > cats > pet beds",
    ]
    assert [t for t, owner in zip(texts, owners, strict=True) if owner == 0] == ["animals"]
    assert len(texts) == diamond.n_edges + len(diamond.roots)


def test_path_view_of_two_parents_is_the_normalised_mean_of_both_paths(diamond: Taxonomy, encoder: TextEncoder) -> None:
    views = embed_classes(encoder, diamond, DESCRIPTIONS)
    by_dogs, by_cats, tools = encoder.encode(
        ["animals > dogs > pet beds", "animals > cats > pet beds", "garden > tools"]
    )
    mean = by_dogs + by_cats
    np.testing.assert_allclose(views["path"][4], mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_allclose(views["path"][6], tools, atol=1e-6)
    np.testing.assert_array_equal(views["text"], encoder.encode(write_class_texts(diamond, DESCRIPTIONS)))
    for view in views.values():
        assert (view.shape, view.dtype) == ((7, 384), np.float32)
        np.testing.assert_allclose(np.linalg.norm(view, axis=1), 1, atol=1e-5)


def test_lexical_text_holds_what_is_known_of_a_class_and_no_description(diamond: Taxonomy) -> None:
    assert write_lexical_texts(diamond)[4] == (
        "pet beds animals > dogs > pet beds cushion pet beds in dogs and cats, such as cushion"
    )


def test_template_view_is_the_text_without_a_language_model(diamond: Taxonomy, encoder: TextEncoder) -> None:
    described = embed_classes(encoder, diamond, DESCRIPTIONS)
    plain = embed_classes(encoder, diamond, write_templates(diamond))
    np.testing.assert_array_equal(plain["text"], plain["template"])
    np.testing.assert_array_equal(described["template"], plain["template"])
    assert (described["text"] != described["template"]).any(axis=1).all()
    # With both views a class without a description is where it is without a language model, to the last bit.
    np.testing.assert_array_equal(average_views({k: plain[k] for k in ("text", "template")}), plain["text"])
