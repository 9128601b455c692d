"""Graph convolution: the diamond by hand, what the formula promises for any taxonomy, and the paper's classes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from amazon import needs_amazon, read_amazon_taxonomy
from hmltc_kedro.enrichment.class_texts import write_class_texts
from hmltc_kedro.modeling.gcn import GraphConvolution, normalise_adjacency, smooth_embeddings
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder


def draw_vectors(n: int, dimension: int = 5, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((n, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def flat_taxonomy(n: int) -> Taxonomy:
    return Taxonomy.from_edges([(f"c{i}", f"c{i}") for i in range(n)], [])


# ---------------------------------------------------------------------- the adjacency


def test_normalised_adjacency_of_the_diamond(diamond: Taxonomy) -> None:
    # Neighbours, itself included: an 3 (do, ca), ga 2 (to), do 3 (an, be), ca 4 (an, be, ct), be 3, ct 2, to 2.
    degrees = np.array([3, 2, 3, 4, 3, 2, 2])
    pairs = [(0, 2), (0, 3), (2, 4), (3, 4), (3, 5), (1, 6)]
    expected = np.diag(1 / degrees)
    for a, b in pairs:
        expected[a, b] = expected[b, a] = 1 / np.sqrt(degrees[a] * degrees[b])
    adjacency = normalise_adjacency(diamond)
    assert adjacency.dtype == np.float32
    assert adjacency.nnz == 7 + 2 * 6
    np.testing.assert_allclose(adjacency.toarray(), expected, rtol=1e-6)


def test_largest_eigenvalue_is_one(diamond: Taxonomy) -> None:
    assert np.linalg.eigvalsh(normalise_adjacency(diamond).toarray()).max() == pytest.approx(1, abs=1e-6)


# ---------------------------------------------------------------------- the layers


def test_one_layer_by_hand() -> None:
    pair = Taxonomy.from_edges([("a", "a"), ("b", "b"), ("c", "c")], [("a", "b")])
    vectors = np.eye(3, dtype=np.float32)
    # a and b have degree 2: a + (a + b) / 2 = (1.5, 0.5, 0); c is alone.
    long, short = 1.5 / np.sqrt(2.5), 0.5 / np.sqrt(2.5)
    expected = [[long, short, 0], [short, long, 0], [0, 0, 1]]
    np.testing.assert_allclose(smooth_embeddings(vectors, pair, n_layers=1), expected, rtol=1e-6)
    # A second layer: (1.5, 0.5) + ((1.5, 0.5) + (0.5, 1.5)) / 2 = (2.5, 1.5).
    second = smooth_embeddings(vectors, pair)
    np.testing.assert_allclose(second[0], np.array([2.5, 1.5, 0]) / np.sqrt(8.5), rtol=1e-6)


def test_two_layers_are_powers_of_the_matrix(diamond: Taxonomy) -> None:
    vectors = draw_vectors(7)
    step = np.eye(7) + normalise_adjacency(diamond).toarray()
    expected = step @ step @ vectors
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    smoothed = smooth_embeddings(vectors, diamond)
    assert (smoothed.dtype, smoothed.shape) == (np.float32, (7, 5))
    np.testing.assert_allclose(smoothed, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(smoothed, axis=1), 1, rtol=1e-6)


def test_trained_weights_act_on_what_comes_from_the_neighbours(diamond: Taxonomy) -> None:
    graph = GraphConvolution(diamond, 5, n_layers=1)
    vectors = torch.from_numpy(draw_vectors(7))
    weight = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    graph.changes[0].data = (weight - torch.eye(5)) * 5**0.5
    adjacency = torch.from_numpy(normalise_adjacency(diamond).toarray())
    expected = vectors + adjacency @ vectors @ weight
    torch.testing.assert_close(graph(vectors), torch.nn.functional.normalize(expected, dim=-1))


def test_gradients_reach_all_parameters_and_the_state_is_those_alone(diamond: Taxonomy) -> None:
    graph = GraphConvolution(diamond, 5).double()
    assert set(graph.state_dict()) == {"changes.0", "changes.1"}
    values = {"vectors": torch.from_numpy(draw_vectors(7)).double().requires_grad_(), **dict(graph.named_parameters())}

    def measure(values: dict[str, torch.Tensor]) -> torch.Tensor:
        weights = {name: value for name, value in values.items() if name != "vectors"}
        return torch.func.functional_call(graph, weights, (values["vectors"],))[:, 0].sum()

    measure(values).backward()
    for name, value in values.items():
        way = torch.randn(value.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        ahead, behind = (measure(values | {name: value + step * way}).item() for step in (1e-6, -1e-6))
        slope = (ahead - behind) / 2e-6
        assert value.grad is not None and (value.grad * way).sum().item() == pytest.approx(slope, rel=1e-5)
        assert slope != pytest.approx(0, abs=1e-2), name


def test_a_step_of_adam_moves_what_neighbours_send_no_more_than_a_class_vector(diamond: Taxonomy) -> None:
    rate, dimension = 1e-2, 400
    graph = GraphConvolution(diamond, dimension, n_layers=1)
    sent = torch.from_numpy(draw_vectors(7, dimension))
    graph(sent).square().mul(torch.rand(7, dimension)).sum().backward()
    torch.optim.Adam(graph.parameters(), lr=rate).step()
    moved = sent @ graph.changes[0].detach() / dimension**0.5
    assert 0.1 * rate < moved.abs().max() <= rate


@given(st.integers(1, 6), st.integers(0, 4), st.integers(0, 99))
def test_without_edges_nothing_changes(n: int, n_layers: int, seed: int) -> None:
    vectors = draw_vectors(n, seed=seed)
    np.testing.assert_allclose(smooth_embeddings(vectors, flat_taxonomy(n), n_layers), vectors, atol=1e-6)


@given(st.integers(0, 99), st.floats(0.1, 10))
def test_only_the_direction_of_a_class_vector_counts(seed: int, length: float) -> None:
    taxonomy = Taxonomy.from_edges([("a", "a"), ("b", "b"), ("c", "c")], [("a", "b"), ("a", "c")])
    vectors = draw_vectors(3, seed=seed)
    longer = vectors * np.array([[length], [1], [1]], dtype=np.float32)
    np.testing.assert_allclose(smooth_embeddings(longer, taxonomy), smooth_embeddings(vectors, taxonomy), atol=1e-5)


def test_the_input_is_left_alone(diamond: Taxonomy) -> None:
    vectors = draw_vectors(7)
    vectors.setflags(write=False)  # as a memory map is
    before = vectors.copy()
    smooth_embeddings(vectors, diamond)
    np.testing.assert_array_equal(vectors, before)


def test_vectors_of_another_taxonomy_are_refused(diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="taxonomy of 7"):
        smooth_embeddings(draw_vectors(6), diamond)


# ---------------------------------------------------------------------- the paper's finding


def mean_cosine_within_levels(vectors: np.ndarray, taxonomy: Taxonomy) -> list[float]:
    means = []
    for level in range(1, int(taxonomy.levels.max()) + 1):
        members = vectors[taxonomy.levels == level]
        cosines = members @ members.T
        n = len(cosines)
        means.append(float((cosines.sum() - n) / (n * (n - 1))))
    return means


@needs_amazon
def test_classes_of_a_level_come_closer_on_the_papers_taxonomy(encoder: TextEncoder) -> None:
    taxonomy = read_amazon_taxonomy()
    vectors = encoder.encode(write_class_texts(taxonomy, [""] * len(taxonomy)))
    before = mean_cosine_within_levels(vectors, taxonomy)
    after = mean_cosine_within_levels(smooth_embeddings(vectors, taxonomy), taxonomy)
    assert before == pytest.approx([0.636, 0.598, 0.560], abs=2e-3)
    assert after == pytest.approx([0.858, 0.794, 0.668], abs=2e-3)
