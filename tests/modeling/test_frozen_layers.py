"""The frozen layers of an encoder read each window once, and nothing else changes by it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    DistilBertConfig,
    DistilBertModel,
    ModernBertConfig,
    ModernBertModel,
    MPNetConfig,
    MPNetModel,
    PretrainedConfig,
    PreTrainedModel,
    T5Config,
    T5EncoderModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from hmltc_kedro.arrays import IntArray
from hmltc_kedro.modeling import frozen_layers
from hmltc_kedro.modeling.features import EncodedFeatures
from hmltc_kedro.modeling.frozen_layers import FrozenLayers, find_layers, freeze_lower_layers, join_ranges
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.features import Windows

TINY = {"vocab_size": 50, "pad_token_id": 0}
BERT = {**TINY, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
MODELS: dict[str, tuple[type[PreTrainedModel], PretrainedConfig]] = {
    "bert": (BertModel, BertConfig(**BERT)),
    "mpnet": (MPNetModel, MPNetConfig(**BERT)),
    "xlm-roberta": (XLMRobertaModel, XLMRobertaConfig(**BERT)),
    "distilbert": (DistilBertModel, DistilBertConfig(**TINY, dim=16, n_layers=3, n_heads=2, hidden_dim=32)),
    "modernbert": (ModernBertModel, ModernBertConfig(**BERT, global_attn_every_n_layers=2, local_attention=4)),
    "deberta": (
        DebertaV2Model,
        DebertaV2Config(**BERT, relative_attention=True, pos_att_type=["p2c"], conv_kernel_size=3),
    ),
    "t5": (T5EncoderModel, T5Config(**TINY, d_model=16, d_kv=8, d_ff=32, num_layers=3, num_heads=2)),
}
PASSED_ON = {"deberta", "t5"}
"""Their first layer gives the others more than its output: a convolution, the bias of positions."""


class Reader(nn.Module):
    """A transformer with the mean over its word pieces, called as a `SentenceTransformer` is."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, tokens: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        hidden = self.transformer(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])[0]
        mask = tokens["attention_mask"][..., None].to(hidden.dtype)
        return {"sentence_embedding": (hidden * mask).sum(dim=1) / mask.sum(dim=1)}


def build_reader(name: str) -> Reader:
    torch.manual_seed(1)
    model, config = MODELS[name]
    reader = Reader(model(config))
    for parameter in reader.parameters():  # so that an untrained layer does something
        parameter.data += 0.3 * torch.randn_like(parameter)
    freeze_lower_layers(reader, 1 / 3)
    return reader


def make_tokens(windows: IntArray, side: str = "right") -> dict[str, torch.Tensor]:
    """Return the tokens of some windows: window k has k + 2 of them, the batch is padded to its longest."""
    length = int(windows.max()) + 2
    ids, mask = torch.zeros(len(windows), length, dtype=torch.long), torch.zeros(len(windows), length, dtype=torch.long)
    for row, window in enumerate(windows):
        count = int(window) + 2
        place = slice(0, count) if side == "right" else slice(length - count, length)
        ids[row, place] = torch.arange(count) * 7 % 40 + 1 + window
        mask[row, place] = 1
    return {"input_ids": ids, "attention_mask": mask}


def count_calls(module: nn.Module) -> Callable[[], int]:
    calls: list[None] = []
    module.register_forward_hook(lambda *_: calls.append(None))
    return lambda: len(calls)


BATCHES = [np.array([2, 0, 3]), np.array([1, 4])]
AGAIN = [np.array([4, 0]), np.array([3, 1, 2])]


@pytest.mark.parametrize("name", MODELS)
def test_vectors_and_gradients_are_those_of_the_whole_encoder(name: str) -> None:
    reader = build_reader(name)
    layers = FrozenLayers(reader, 5)  # type: ignore[arg-type]
    reader.eval()
    for windows in BATCHES + AGAIN:
        tokens = make_tokens(windows)
        reader.zero_grad()
        expected = reader(tokens)["sentence_embedding"]
        expected.square().sum().backward()
        gradients = [p.grad.clone() for p in reader.parameters() if p.grad is not None]
        reader.zero_grad()
        vectors = layers.encode(tokens, windows)
        vectors.square().sum().backward()
        np.testing.assert_allclose(vectors.detach(), expected.detach(), atol=5e-3)
        found = [p.grad for p in reader.parameters() if p.grad is not None]
        assert len(found) == len(gradients) > 0
        for gradient, other in zip(found, gradients, strict=True):
            np.testing.assert_allclose(gradient, other, atol=0.02 * float(other.abs().max()) + 1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_frozen_layers_read_a_window_once_where_that_is_possible(name: str) -> None:
    reader = build_reader(name)
    layers, calls = FrozenLayers(reader, 5), count_calls(find_layers(reader)[0])  # type: ignore[arg-type]
    before = {key: value.clone() for key, value in reader.state_dict().items()}
    for windows in BATCHES + AGAIN + AGAIN:
        layers.encode(make_tokens(windows), windows)
    tried = 1  # the first batch that is kept is computed both ways
    assert calls() == len(BATCHES) + tried + (2 * len(AGAIN) if name in PASSED_ON else 0)
    after = reader.state_dict()
    assert list(after) == list(before) and all(bool((after[key] == before[key]).all()) for key in before)


def test_windows_padded_on_the_left_are_put_where_they_were() -> None:
    reader = build_reader("bert")
    layers = FrozenLayers(reader, 5)  # type: ignore[arg-type]
    reader.eval()
    for windows in BATCHES + AGAIN:
        tokens = make_tokens(windows, "left")
        expected = reader(tokens)["sentence_embedding"].detach()
        np.testing.assert_allclose(layers.encode(tokens, windows).detach(), expected, atol=5e-3)


def test_frozen_layers_have_no_dropout_and_trained_ones_do() -> None:
    reader = build_reader("bert")
    layers = FrozenLayers(reader, 5)  # type: ignore[arg-type]
    entered: list[torch.Tensor] = []
    find_layers(reader)[2].register_forward_hook(lambda _, given, __: entered.append(given[0]))
    reader.train()
    tokens = make_tokens(BATCHES[0])
    vectors = [layers.encode(tokens, BATCHES[0]) for _ in range(3)]
    first, *others = (hidden[tokens["attention_mask"].bool()] for hidden in entered)
    assert len(others) == 4  # two of them of the batch that is computed both ways
    for other in others:
        np.testing.assert_allclose(other, first, atol=2e-3)
    assert not bool((vectors[1] == vectors[2]).any())


class Named(nn.Module):
    """Layers that are given what they read by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(50, 16)
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor]:
        hidden = self.embeddings(input_ids)
        for layer in self.layers:
            hidden = layer(input=hidden)
        return (hidden,)


def test_layers_that_read_by_name_read_a_window_in_every_epoch() -> None:
    reader = Reader(Named())
    freeze_lower_layers(reader, 1 / 3)
    layers, calls = FrozenLayers(reader, 5), count_calls(find_layers(reader)[0])  # type: ignore[arg-type]
    for windows in BATCHES + AGAIN:
        vectors = layers.encode(make_tokens(windows), windows)
    assert calls() == 4 and vectors.requires_grad


def test_above_what_is_held_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = build_reader("bert")
    tokens_of_three, width, half = 4 + 2 + 5, 16, 2
    monkeypatch.setattr(frozen_layers, "HELD", (tokens_of_three + 3 + 6) * width * half - 1)
    layers, calls = FrozenLayers(reader, 5), count_calls(find_layers(reader)[0])  # type: ignore[arg-type]
    for windows in BATCHES + AGAIN:
        layers.encode(make_tokens(windows), windows)
    assert calls() == 4 and layers._outputs.numel() == 0


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_encoder_that_is_wholly_frozen_or_trained_keeps_nothing(share: float) -> None:
    reader = build_reader("bert")
    freeze_lower_layers(reader, share)
    layers = FrozenLayers(reader, 5)  # type: ignore[arg-type]
    for windows in BATCHES + AGAIN:
        layers.encode(make_tokens(windows), windows)
    assert layers._outputs.numel() == 0


def test_trained_embeddings_keep_nothing() -> None:
    reader = build_reader("bert")
    reader.transformer.get_input_embeddings().requires_grad_(True)  # type: ignore[operator]
    layers, calls = FrozenLayers(reader, 5), count_calls(find_layers(reader)[0])  # type: ignore[arg-type]
    for windows in BATCHES + AGAIN:
        layers.encode(make_tokens(windows), windows)
    assert calls() == 4


def test_features_of_long_texts_are_the_same_in_the_next_epoch(encoder: TextEncoder) -> None:
    model: SentenceTransformer = encoder.load_model().eval()
    freeze_lower_layers(model, 1 / 3)
    calls = count_calls(find_layers(model)[0])
    features = EncodedFeatures(
        model, Windows(["a cat", "a leash", "dogs " * 60, "a rake"], np.array([0, 1, 3, 4])), torch.float32
    )
    with torch.no_grad():
        first = features(np.array([0, 1, 2])).numpy()
        again = [features(rows).numpy() for rows in (np.array([1]), np.array([2, 0]))]
    np.testing.assert_allclose(again[0], first[[1]], atol=2e-3)
    np.testing.assert_allclose(again[1], first[[2, 0]], atol=2e-3)
    assert calls() == 2


def test_ranges_are_joined() -> None:
    assert join_ranges(np.array([5, 0, 9]), np.array([2, 3, 1])).tolist() == [5, 6, 0, 1, 2, 9]
    assert join_ranges(np.array([], dtype=np.int64), np.array([], dtype=np.int64)).tolist() == []
