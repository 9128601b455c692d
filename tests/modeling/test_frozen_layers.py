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
    Qwen3Config,
    Qwen3Model,
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

    max_seq_length = 64

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
        ids[row, place] = (torch.arange(count) * 7 + window) % 49 + 1
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
    tried = 2  # a batch as long as none before is computed from the text, and with all layers from what is kept
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


def test_long_windows_are_tried_after_short_ones() -> None:
    """Layers that differ by their number, of which short texts tell nothing: a window of attention."""
    torch.manual_seed(1)
    kinds = ["sliding_attention", "full_attention", "sliding_attention"]
    reader = Reader(
        Qwen3Model(
            Qwen3Config(
                **BERT, num_key_value_heads=2, head_dim=8, layer_types=kinds, use_sliding_window=True, sliding_window=4
            )
        )
    )
    freeze_lower_layers(reader, 2 / 3)
    layers = FrozenLayers(reader, 30)  # type: ignore[arg-type]
    reader.eval()
    for windows in [np.array([0, 1]), np.array([20, 25])] * 2:
        tokens = make_tokens(windows)
        expected = reader(tokens)["sentence_embedding"].detach()
        np.testing.assert_allclose(layers.encode(tokens, windows).detach(), expected, atol=2e-3)


class Noisy(nn.Module):
    """Dropout that belongs to no layer, as GPT-2 has it."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings, self.dropout = nn.Embedding(50, 16), nn.Dropout(0.5)
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor]:
        hidden = self.dropout(self.embeddings(input_ids))
        for layer in self.layers:
            hidden = layer(hidden)
        return (hidden,)


def test_no_dropout_is_kept() -> None:
    reader = Reader(Noisy())
    freeze_lower_layers(reader, 1 / 3)
    layers, calls = FrozenLayers(reader, 5), count_calls(find_layers(reader)[0])  # type: ignore[arg-type]
    found = [layers.encode(make_tokens(windows), windows) for windows in BATCHES + AGAIN if reader.train() is reader]
    reader.eval()
    expected = [reader(make_tokens(windows))["sentence_embedding"] for windows in BATCHES + AGAIN]
    assert calls() == len(BATCHES) + 2 + len(BATCHES + AGAIN)  # one batch is tried, and then the expected ones
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.detach(), other.detach(), atol=5e-3)


def test_encoder_is_whole_after_an_error() -> None:
    reader = build_reader("bert")
    layers = FrozenLayers(reader, 5)  # type: ignore[arg-type]
    for windows in BATCHES + AGAIN:
        layers.encode(make_tokens(windows), windows)
    stack = find_layers(reader)
    before, keys = list(stack), list(reader.state_dict())

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    hook = stack[2].register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        layers.encode(make_tokens(AGAIN[0]), AGAIN[0])
    hook.remove()
    assert list(stack) == before and list(reader.state_dict()) == keys and not stack[2]._forward_pre_hooks


def test_pooling_that_writes_into_the_mask_changes_no_later_batch() -> None:
    class Prompted(Reader):
        def forward(self, tokens: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            hidden = self.transformer(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])[0]
            tokens["attention_mask"][:, 0] = 0
            mask = tokens["attention_mask"][..., None].to(hidden.dtype)
            return {"sentence_embedding": (hidden * mask).sum(dim=1) / mask.sum(dim=1)}

    reader = build_reader("bert")
    reader.__class__ = Prompted
    layers = FrozenLayers(reader, 5)  # type: ignore[arg-type]
    reader.eval()
    for windows in BATCHES + AGAIN + AGAIN:
        expected = reader(make_tokens(windows))["sentence_embedding"].detach()
        np.testing.assert_allclose(layers.encode(make_tokens(windows), windows).detach(), expected, atol=5e-3)
    assert layers._outputs is not None


def test_half_precision_keeps_and_repeats() -> None:
    reader = build_reader("bert")
    layers = FrozenLayers(reader, 5)  # type: ignore[arg-type]
    reader.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for windows in BATCHES + AGAIN:
            layers.encode(make_tokens(windows), windows).sum().backward()
    assert layers._outputs is not None
    assert all(p.grad is not None for p in find_layers(reader)[2].parameters())


def test_tokens_without_a_mask_are_read() -> None:
    reader = build_reader("bert")
    layers = FrozenLayers(reader, 5)  # type: ignore[arg-type]
    seen: list[object] = []
    reader.forward = lambda tokens: seen.append(tokens) or {"sentence_embedding": torch.zeros(1)}  # type: ignore[method-assign,assignment,func-returns-value]
    layers.encode({"input_ids": torch.zeros(1, 3)}, np.array([0]))
    assert len(seen) == 1


def test_frozen_layers_have_no_dropout_and_trained_ones_do() -> None:
    reader = build_reader("bert")
    layers = FrozenLayers(reader, 5)  # type: ignore[arg-type]
    entered: list[torch.Tensor] = []
    find_layers(reader)[2].register_forward_hook(lambda _, given, __: entered.append(given[0]))
    reader.train()
    tokens = make_tokens(BATCHES[0])
    vectors = [layers.encode(tokens, BATCHES[0]) for _ in range(3)]
    first, *others = (hidden[tokens["attention_mask"].bool()] for hidden in entered)
    assert len(others) == 5  # three of them of the batch that is tried
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
    assert calls() == 4 and layers._outputs is None


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_encoder_that_is_wholly_frozen_or_trained_keeps_nothing(share: float) -> None:
    reader = build_reader("bert")
    freeze_lower_layers(reader, share)
    layers = FrozenLayers(reader, 5)  # type: ignore[arg-type]
    for windows in BATCHES + AGAIN:
        layers.encode(make_tokens(windows), windows)
    assert layers._outputs is None


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
    assert calls() == 1 + 2  # the second batch is tried


def test_ranges_are_joined() -> None:
    assert join_ranges(np.array([5, 0, 9]), np.array([2, 3, 1])).tolist() == [5, 6, 0, 1, 2, 9]
    assert join_ranges(np.array([], dtype=np.int64), np.array([], dtype=np.int64)).tolist() == []
