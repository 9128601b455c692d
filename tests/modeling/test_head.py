"""The cosine head: its formula, its start at the zero-shot classifier, its bounds."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from hmltc_kedro.modeling.gcn import GraphConvolution, smooth_embeddings
from hmltc_kedro.modeling.head import MAX_SCALE, CosineHead, GraphHead
from hmltc_kedro.taxonomy import Taxonomy


@pytest.fixture
def class_vectors() -> torch.Tensor:
    return normalize(torch.randn(7, 6, generator=torch.Generator().manual_seed(0)), dim=-1)


def test_logit_is_cosine_over_temperature_plus_offset() -> None:
    head = CosineHead(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), temperature=0.5, prior=0.1)
    logits = head(torch.tensor([[3.0, 4.0]]))
    offset = math.log(0.1 / 0.9)
    torch.testing.assert_close(logits, torch.tensor([[0.6 / 0.5 + offset, 0.8 / 0.5 + offset]]))


def test_length_of_a_document_vector_does_not_matter(class_vectors: torch.Tensor) -> None:
    head, documents = CosineHead(class_vectors), torch.randn(3, 6)
    torch.testing.assert_close(head(documents * 5), head(documents))


def test_untrained_head_ranks_as_the_zero_shot_classifier(class_vectors: torch.Tensor) -> None:
    documents = torch.randn(20, 6, generator=torch.Generator().manual_seed(1))
    cosines = normalize(documents, dim=-1) @ class_vectors.T
    order = CosineHead(class_vectors)(documents).argsort(dim=1)
    np.testing.assert_array_equal(order.numpy(), cosines.argsort(dim=1).numpy())


def test_without_bias_a_cosine_of_zero_is_a_half_and_stays_so() -> None:
    head = CosineHead(torch.tensor([[1.0, 0.0]]), bias=False)
    assert head(torch.tensor([[0.0, 1.0]])).sigmoid().item() == 0.5
    assert not head.bias.requires_grad


def test_with_bias_a_cosine_of_zero_begins_at_the_prior() -> None:
    head = CosineHead(torch.tensor([[1.0, 0.0]]), prior=0.02)
    assert head(torch.tensor([[0.0, 1.0]])).sigmoid().item() == pytest.approx(0.02)
    assert head.bias.requires_grad


def test_scale_is_clamped(class_vectors: torch.Tensor) -> None:
    head = CosineHead(class_vectors, temperature=1e-6, bias=False)
    assert head(class_vectors).max().item() == pytest.approx(MAX_SCALE, rel=1e-5)


def test_class_vectors_are_copied(class_vectors: torch.Tensor) -> None:
    before = class_vectors.clone()
    head = CosineHead(class_vectors)
    head.class_vectors.data.zero_()
    torch.testing.assert_close(class_vectors, before)


def test_gradients_reach_vectors_temperature_and_offset(class_vectors: torch.Tensor) -> None:
    head = CosineHead(class_vectors, temperature=0.5)
    generator = torch.Generator().manual_seed(4)
    documents, pull = normalize(torch.randn(3, 6, generator=generator), dim=-1), torch.rand(3, 7, generator=generator)
    (pull * head(documents)).sum().backward()
    # d cos(x, w) / d w = x - cos(x, w) w, for x and w of length 1; 1 / tau is 2.
    cosines = documents @ class_vectors.T
    to_documents = pull.T @ documents - (pull * cosines).sum(dim=0)[:, None] * class_vectors
    expected = {"class_vectors": 2 * to_documents, "log_scale": 2 * (pull * cosines).sum(), "bias": pull.sum()}
    torch.testing.assert_close({name: p.grad for name, p in head.named_parameters()}, expected)


def test_state_holds_what_the_model_file_needs(class_vectors: torch.Tensor) -> None:
    assert set(CosineHead(class_vectors).state_dict()) == {"class_vectors", "log_scale", "bias"}


def test_temperature_that_is_not_learned_has_no_gradient(class_vectors: torch.Tensor) -> None:
    head = CosineHead(class_vectors, temperature=1.0, learn_temperature=False)
    head(torch.randn(3, 6)).sum().backward()
    assert head.log_scale.grad is None
    assert head.bias.grad is not None and head.bias.grad.item() == 3 * 7
    assert head.log_scale.item() == 0


# ---------------------------------------------------------------------- with words


def test_lexical_term_is_weight_times_score() -> None:
    head = CosineHead(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), temperature=0.5, bias=False, lexical_weight=3.0)
    logits = head(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.7]]))
    torch.testing.assert_close(logits, torch.tensor([[0.6 / 0.5, 0.8 / 0.5 + 3 * 0.7]]))


@pytest.mark.parametrize(("weight", "scores"), [(None, torch.ones(3, 7)), (1.0, None)])
def test_lexical_scores_and_term_go_together(
    class_vectors: torch.Tensor, weight: float | None, scores: torch.Tensor | None
) -> None:
    head = CosineHead(class_vectors, lexical_weight=weight)
    with pytest.raises(ValueError, match="lexical scores go with a head that has the lexical term"):
        head(torch.randn(3, 6), scores)


def test_gradient_reaches_the_lexical_weight(class_vectors: torch.Tensor) -> None:
    head = CosineHead(class_vectors, lexical_weight=2.0)
    scores = torch.rand(3, 7, generator=torch.Generator().manual_seed(3))
    head(torch.randn(3, 6), scores).sum().backward()
    # d (v s) / d ln v = v s
    assert head.log_lexical is not None and head.log_lexical.grad is not None
    torch.testing.assert_close(head.log_lexical.grad, 2 * scores.sum())


def test_weight_of_nothing_is_next_to_none(class_vectors: torch.Tensor) -> None:
    documents = torch.randn(3, 6)
    silent = CosineHead(class_vectors, lexical_weight=0.0)
    torch.testing.assert_close(silent(documents, torch.ones(3, 7)), CosineHead(class_vectors)(documents))


def test_state_holds_the_lexical_weight_if_there_is_one(class_vectors: torch.Tensor) -> None:
    state = CosineHead(class_vectors, lexical_weight=2.0).state_dict()
    assert set(state) == {"class_vectors", "log_scale", "bias", "log_lexical"}
    again = CosineHead(class_vectors, lexical_weight=1.0)
    again.load_state_dict(state)
    assert again.log_lexical is not None and again.log_lexical.item() == pytest.approx(math.log(2))


# ---------------------------------------------------------------------- behind a graph convolution


def test_untrained_graph_head_compares_with_smoothed_vectors(class_vectors: torch.Tensor, diamond: Taxonomy) -> None:
    documents = torch.randn(4, 6)
    head = GraphHead(class_vectors, GraphConvolution(diamond, 6), temperature=0.1, bias=False)
    smoothed = torch.from_numpy(smooth_embeddings(class_vectors.numpy(), diamond))
    torch.testing.assert_close(head(documents), CosineHead(smoothed, temperature=0.1, bias=False)(documents))


def test_graph_head_trains_vectors_and_weights_together(class_vectors: torch.Tensor, diamond: Taxonomy) -> None:
    head = GraphHead(class_vectors, GraphConvolution(diamond, 6))
    head(torch.randn(3, 6)).square().sum().backward()
    names = [name for name, parameter in head.named_parameters() if parameter.grad is not None]
    assert set(names) == {"class_vectors", "log_scale", "bias", "graph.changes.0", "graph.changes.1"}


@pytest.mark.parametrize("weight", [None, 0.7])
@pytest.mark.parametrize("layers", [0, 2])
def test_frozen_head_gives_the_same_logits_without_torch(
    class_vectors: torch.Tensor, diamond: Taxonomy, layers: int, weight: float | None
) -> None:
    options = {"temperature": 0.3, "prior": 0.1, "lexical_weight": weight}
    graph = GraphConvolution(diamond, 6, layers)
    head = GraphHead(class_vectors, graph, **options) if layers else CosineHead(class_vectors, **options)
    for parameter in head.parameters():  # as after training
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2))
    documents, scores = torch.randn(4, 6), None if weight is None else torch.rand(4, 7)
    with torch.no_grad():
        expected = head(documents, scores).numpy()
    frozen = head.freeze()
    logits = frozen.score(documents.numpy(), None if scores is None else scores.numpy())
    assert (logits.dtype, len(frozen)) == (np.float32, 7)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)


def test_frozen_head_is_a_copy(class_vectors: torch.Tensor) -> None:
    head = CosineHead(class_vectors)
    frozen = head.freeze()
    head.class_vectors.data.zero_()
    np.testing.assert_array_equal(frozen.class_vectors, class_vectors.numpy())
