"""Training: forty texts on the real MiniLM, and the parts of the loop by themselves."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import nn

from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling import HierarchicalClassifier
from hmltc_kedro.modeling.examples import WeightedMultiLabelDataset
from hmltc_kedro.modeling.features import EncodedFeatures
from hmltc_kedro.modeling.frozen_layers import freeze_lower_layers
from hmltc_kedro.modeling.gcn import smooth_embeddings
from hmltc_kedro.modeling.loop import History, Run
from hmltc_kedro.modeling.phases import cosine_schedule, decay_groups
from hmltc_kedro.modeling.self_training import mean_probabilities, sharpen_targets
from hmltc_kedro.modeling.settings import (
    FineTuningSettings,
    HeadSettings,
    LossSettings,
    SelfTrainingSettings,
    TrainingSettings,
)
from hmltc_kedro.modeling.trained_head import TrainedHead
from hmltc_kedro.modeling.training import train_classifier
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.features import Windows, read_features
from hmltc_kedro.text.lexical_view import LexicalView
from hmltc_kedro.text.windows import cut_windows, encode_texts

State = dict[str, torch.Tensor]
CORPUS = [
    f"{subject} {verb}"
    for subject in ("A ball for the puppy", "Scratching post, my cat", "Bed for dogs", "A hoe for the garden")
    for verb in ("is fine", "broke", "was late", "smells", "is too small")
]
Outcome = tuple[TrainedHead, State, History]


def make_settings(
    head_epochs: int = 3,
    tuning_epochs: int = 2,
    head_rate: float = 1e-3,
    tuning_rate: float = 2e-4,
    rounds: int = 0,
    tolerance: float = 0.0,
    **head: float | bool,
) -> TrainingSettings:
    return TrainingSettings(
        loss=LossSettings(),
        head=HeadSettings(
            **{"epochs": head_epochs, "learning_rate": head_rate, "batch_size": 16, "bias": True, **head}
        ),
        fine_tuning=FineTuningSettings(
            epochs=tuning_epochs,
            learning_rate=tuning_rate,
            head_learning_rate=head_rate,
            batch_size=16,
            trainable_layers=0.34,
        ),
        self_training=SelfTrainingSettings(rounds=rounds, tolerance=tolerance),
        validation_share=0.2,
    )


@pytest.fixture
def train(
    encoder: TextEncoder,
    shop_texts: list[tuple[str, list[str]]],
    diamond_vectors: np.ndarray,
    diamond: Taxonomy,
) -> Callable[..., Outcome]:
    """Return a function from settings and a seed to (head, state of the encoder, history)."""
    texts = [text for text, _ in shop_texts]
    labels = diamond.to_matrix([ids for _, ids in shop_texts])
    examples = WeightedMultiLabelDataset(labels, np.ones(len(texts), np.float32), diamond)

    def run(
        settings: TrainingSettings, seed: int = 0, lexical: LexicalView | None = None, lexical_weight: float = 1.0
    ) -> Outcome:
        model = encoder.load_model()
        features, corpus = (
            read_features(part, encoder, lexical, with_windows=settings.fine_tuning.epochs > 0)
            for part in (texts, CORPUS)
        )
        head, history = train_classifier(
            model,
            features,
            examples,
            diamond_vectors,
            diamond,
            settings,
            seed,
            lexical=lexical,
            lexical_weight=lexical_weight,
            corpus=corpus,
        )
        return head, {k: v.clone() for k, v in model.state_dict().items()}, history

    return run


def states_equal(first: State, second: State) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def heads_equal(first: TrainedHead, second: TrainedHead) -> bool:
    mine, other = first.to_tensors(), second.to_tensors()
    return mine.keys() == other.keys() and all(np.array_equal(mine[name], other[name]) for name in mine)


def losses(history: History, phase: str, column: str = "validation_loss") -> list[float]:
    return [float(row[column]) for row in history if row["phase"] == phase]


# ---------------------------------------------------------------------- whole runs


@pytest.mark.slow
def test_loss_falls_lower_layers_stay_and_a_seed_gives_the_same_model_again(
    train: Callable[..., Outcome], encoder: TextEncoder
) -> None:
    head, state, history = train(make_settings())
    assert [(row["phase"], row["epoch"]) for row in history] == [
        *[("head", epoch) for epoch in range(4)],
        *[("fine_tuning", epoch) for epoch in range(3)],
    ]
    for phase in ("head", "fine_tuning"):
        assert losses(history, phase, "loss")[-1] < losses(history, phase, "loss")[1]
        assert min(losses(history, phase)[1:]) < losses(history, phase)[0]

    untrained = encoder.model.state_dict()
    moved = {
        k.split("layer.")[1].split(".")[0] if "layer." in k else k
        for k in state
        if k in untrained and not torch.equal(state[k], untrained[k])
    }
    assert moved == {"4", "5"}

    again_head, again_state, again_history = train(make_settings())
    assert heads_equal(head, again_head)
    assert states_equal(state, again_state)
    assert [row["validation_loss"] for row in history] == [row["validation_loss"] for row in again_history]


def test_without_fine_tuning_the_encoder_is_untouched(train: Callable[..., Outcome], encoder: TextEncoder) -> None:
    head, state, history = train(make_settings(head_epochs=20, tuning_epochs=0))
    assert {row["phase"] for row in history} == {"head"}
    assert states_equal(state, encoder.model.state_dict())
    assert losses(history, "head")[-1] < 0.9 * losses(history, "head")[0]


def test_other_seed_is_another_model(train: Callable[..., Outcome]) -> None:
    first, second = (train(make_settings(tuning_epochs=0), seed)[0] for seed in (0, 1))
    assert not heads_equal(first, second)


def test_without_any_epoch_the_head_is_the_class_vectors(
    train: Callable[..., Outcome], diamond_vectors: np.ndarray
) -> None:
    head, _, history = train(make_settings(head_epochs=0, tuning_epochs=0))
    np.testing.assert_array_equal(head.class_vectors, diamond_vectors)
    assert [row["epoch"] for row in history] == [0]


@pytest.mark.slow
def test_state_before_training_is_kept_when_training_makes_it_worse(
    train: Callable[..., Outcome], encoder: TextEncoder, diamond_vectors: np.ndarray
) -> None:
    head, state, history = train(make_settings(head_epochs=1, tuning_epochs=1, head_rate=50.0, tuning_rate=1.0))
    for phase in ("head", "fine_tuning"):
        before, after = losses(history, phase)
        assert not after <= before
    np.testing.assert_array_equal(head.class_vectors, diamond_vectors)
    assert states_equal(state, encoder.model.state_dict())


def test_best_epoch_is_kept_and_not_the_last(train: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    from hmltc_kedro.modeling import loop, phases

    planned = iter([4.0, 3.0, 1.0, 2.0])
    seen: list[State] = []

    def validate(run: object, phase: phases.Phase) -> float:
        seen.append({k: v.clone() for k, v in phase.modules[0].state_dict().items()})
        return next(planned)

    monkeypatch.setattr(loop.Run, "validate", validate)
    head, _, history = train(make_settings(head_epochs=3, tuning_epochs=0))
    assert losses(history, "head") == [4, 3, 1, 2]
    kept = {name: torch.tensor(value) for name, value in head.to_tensors().items()}
    assert states_equal(kept, seen[2])
    assert not states_equal(seen[2], seen[3])


def test_temperature_stays_where_it_is_not_learned(train: Callable[..., Outcome]) -> None:
    head, _, _ = train(make_settings(tuning_epochs=0, temperature=1.0, learn_temperature=False))
    assert head.log_scale == 0
    moved, _, _ = train(make_settings(tuning_epochs=0, temperature=1.0))
    assert moved.log_scale != 0


def test_graph_layers_are_trained_and_leave_a_plain_head(
    train: Callable[..., Outcome], diamond_vectors: np.ndarray, diamond: Taxonomy
) -> None:
    start, _, _ = train(make_settings(head_epochs=0, tuning_epochs=0, gcn_layers=2))
    np.testing.assert_allclose(start.class_vectors, smooth_embeddings(diamond_vectors, diamond), atol=1e-6)
    head, _, history = train(make_settings(head_epochs=10, tuning_epochs=0, gcn_layers=2))
    assert losses(history, "head")[-1] < 0.9 * losses(history, "head")[0]


@pytest.mark.slow
def test_graph_layers_are_trained_in_both_phases_and_the_model_is_read_again(
    train: Callable[..., Outcome], encoder: TextEncoder, diamond: Taxonomy, tmp_path: Path
) -> None:
    head, state, history = train(make_settings(tuning_epochs=1, tuning_rate=2e-5, gcn_layers=2))
    before, after = losses(history, "fine_tuning")
    assert after < before
    model = encoder.load_model()
    model.load_state_dict(state)
    classifier = HierarchicalClassifier(model, head, diamond)
    classifier.save(tmp_path / "classifier")
    again = HierarchicalClassifier.load(tmp_path / "classifier", device="cpu")
    texts = ["a leash for the puppy", "rake and spade"]
    np.testing.assert_array_equal(again.predict_probabilities(texts), classifier.predict_probabilities(texts))


# ---------------------------------------------------------------------- with words and windows


@pytest.fixture
def lexical(shop_texts: list[tuple[str, list[str]]], diamond: Taxonomy) -> LexicalView:
    return LexicalView.fit([text for text, _ in shop_texts], diamond.labels)


def test_untrained_head_weighs_both_views_as_the_labels_do(
    train: Callable[..., Outcome],
    encoder: TextEncoder,
    shop_texts: list[tuple[str, list[str]]],
    diamond_vectors: np.ndarray,
    lexical: LexicalView,
) -> None:
    settings = make_settings(head_epochs=0, tuning_epochs=0, temperature=0.1)
    head, _, _ = train(settings, lexical=lexical, lexical_weight=1.5)
    texts = [text for text, _ in shop_texts]
    cosines, words = encoder.encode(texts) @ diamond_vectors.T, lexical.score(lexical.represent(texts))
    spread = np.sqrt(cosines.var(axis=0).mean())
    logits = head.score(encoder.encode(texts), words)
    # Cosines in units of their spread plus 1.5 of the words' score, times one factor, plus the offset.
    expected = (cosines / spread + 1.5 * words) * spread / 0.1 + head.bias
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-3)


def test_training_with_words_learns_and_ends_below_training_without(
    train: Callable[..., Outcome], lexical: LexicalView
) -> None:
    settings = make_settings(head_epochs=15, tuning_epochs=0)
    head, _, history = train(settings, lexical=lexical, lexical_weight=1.0)
    start, _, _ = train(make_settings(head_epochs=0, tuning_epochs=0), lexical=lexical, lexical_weight=1.0)
    assert losses(history, "head")[-1] < 0.9 * losses(history, "head")[0]
    assert head.log_lexical != start.log_lexical
    without = train(settings)[2]
    assert losses(history, "head")[-1] < losses(without, "head")[-1]


@pytest.mark.slow
def test_all_phases_train_with_words_and_the_model_is_read_again(
    train: Callable[..., Outcome], encoder: TextEncoder, diamond: Taxonomy, lexical: LexicalView, tmp_path: Path
) -> None:
    settings = make_settings(head_epochs=2, tuning_epochs=1, tuning_rate=2e-5, rounds=1, gcn_layers=1)
    head, state, history = train(settings, lexical=lexical)
    assert [row["phase"] for row in history] == ["head"] * 3 + ["fine_tuning"] * 2 + ["self_training"] * 2
    model = encoder.load_model()
    model.load_state_dict(state)
    classifier = HierarchicalClassifier(model, head, diamond, lexical=lexical, max_windows=2)
    classifier.save(tmp_path / "classifier")
    again = HierarchicalClassifier.load(tmp_path / "classifier", device="cpu")
    np.testing.assert_array_equal(again.predict_probabilities(CORPUS), classifier.predict_probabilities(CORPUS))


# ---------------------------------------------------------------------- self-training


def corpus_probabilities(head: TrainedHead, encoder: TextEncoder) -> np.ndarray:
    return 1 / (1 + np.exp(-head.score(encoder.encode(CORPUS))))


def cross_entropy(p: np.ndarray, q: np.ndarray) -> float:
    return float(-(q * np.log(p) + (1 - q) * np.log(1 - p)).mean())


def test_self_training_moves_the_head_towards_its_own_sharpened_predictions(
    train: Callable[..., Outcome], encoder: TextEncoder
) -> None:
    before, _, _ = train(make_settings(tuning_epochs=0))
    after, state, history = train(make_settings(tuning_epochs=0, rounds=1))
    p, trained = corpus_probabilities(before, encoder), corpus_probabilities(after, encoder)
    targets = sharpen_targets(p, mean_probabilities(p.astype(np.float16)))
    assert cross_entropy(trained, targets) < cross_entropy(p, targets)
    assert [(row["phase"], row["epoch"]) for row in history][-2:] == [("self_training", 0), ("self_training", 1)]
    # The state kept is the last, whatever the silver labels say; the first row is where it began.
    assert losses(history, "self_training")[0] == pytest.approx(min(losses(history, "head")))
    assert losses(history, "self_training", "loss")[1] == pytest.approx(cross_entropy(p, targets), rel=0.05)
    assert states_equal(state, encoder.model.state_dict())


def test_self_training_goes_on_round_by_round_until_hardly_a_best_class_changes(
    train: Callable[..., Outcome],
) -> None:
    def rounds_run(tolerance: float) -> int:
        history = train(make_settings(tuning_epochs=0, rounds=4, tolerance=tolerance))[2]
        return len(losses(history, "self_training")) - 1

    assert rounds_run(0.0) == 4
    assert rounds_run(1.0) == 1


def test_each_round_has_targets_of_its_own(train: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    from hmltc_kedro.modeling import self_training

    seen: list[np.ndarray] = []
    update = self_training.SelfLabelledDataset.update

    def record(dataset: self_training.SelfLabelledDataset, probabilities: np.ndarray) -> float:
        seen.append(probabilities)
        return update(dataset, probabilities)

    monkeypatch.setattr(self_training.SelfLabelledDataset, "update", record)
    head, _, _ = train(make_settings(tuning_epochs=0, rounds=2))
    assert [p.dtype for p in seen] == [np.float16] * 2
    assert seen[0].shape == (len(CORPUS), 7)
    assert not np.array_equal(seen[0], seen[1])


@pytest.mark.slow
def test_self_training_after_fine_tuning_trains_the_upper_layers_and_repeats_by_seed(
    train: Callable[..., Outcome], encoder: TextEncoder
) -> None:
    settings = make_settings(head_epochs=1, tuning_epochs=1, tuning_rate=2e-5, rounds=1, gcn_layers=1)
    _, tuned, _ = train(settings.model_copy(update={"self_training": SelfTrainingSettings()}))
    head, state, history = train(settings)
    assert [row["phase"] for row in history] == ["head"] * 2 + ["fine_tuning"] * 2 + ["self_training"] * 2
    untrained = encoder.model.state_dict()
    moved = {k for k in state if k in tuned and not torch.equal(state[k], tuned[k])}
    assert moved and all(".layer.4." in k or ".layer.5." in k for k in moved)
    assert state.keys() == untrained.keys()
    again_head, again_state, _ = train(settings)
    assert states_equal(state, again_state) and heads_equal(head, again_head)


@pytest.mark.parametrize(
    ("tuning_epochs", "windows", "corpus", "problem"),
    [
        (0, False, None, "^self-training needs the texts of a corpus$"),
        (0, False, [], "^self-training needs the texts of a corpus$"),
        (1, False, ["a"], "^fine-tuning needs the texts in windows"),
        (1, True, ["a"], "^fine-tuning needs the texts in windows"),
    ],
    ids=["no corpus", "empty corpus", "examples without windows", "corpus without windows"],
)
def test_features_that_do_not_fit_are_refused_before_anything_is_trained(
    encoder: TextEncoder,
    diamond_vectors: np.ndarray,
    diamond: Taxonomy,
    tuning_epochs: int,
    windows: bool,
    corpus: list[str] | None,
    problem: str,
) -> None:
    examples = WeightedMultiLabelDataset(diamond.to_matrix([["an"]]), np.ones(1, np.float32), diamond)
    settings = make_settings(tuning_epochs=tuning_epochs, rounds=1)
    with pytest.raises(ValueError, match=problem):
        train_classifier(
            encoder.model,
            read_features(["a"], encoder, None, with_windows=windows),
            examples,
            diamond_vectors,
            diamond,
            settings,
            0,
            corpus=None if corpus is None else read_features(corpus, encoder, None, with_windows=False),
        )


# ---------------------------------------------------------------------- parts


def encode_windows(model: SentenceTransformer, texts: list[str], max_windows: int) -> EncodedFeatures:
    windows, owners = cut_windows(model, texts, max_windows)
    return EncodedFeatures(model, Windows(windows, np.searchsorted(owners, np.arange(len(texts) + 1))), torch.float32)


def test_encoded_features_are_the_encoders_vectors(encoder: TextEncoder) -> None:
    texts = ["a cat", "a much longer text about a dog and its leash", "a rake"]
    features = encode_windows(encoder.load_model().eval(), texts, 1)
    with torch.no_grad():
        vectors = features(np.array([2, 1]))
    np.testing.assert_allclose(vectors.numpy(), encoder.encode([texts[2], texts[1]]), atol=1e-5)


def test_encoded_features_of_long_texts_are_the_encoders_vectors(encoder: TextEncoder) -> None:
    texts = ["a cat", "a leash for the dog. " * 40, "a rake", "tools for the garden. " * 20, "dogs " * 300]
    model = encoder.load_model().eval()
    features = encode_windows(model, texts, 3)
    rows = np.array([3, 0, 1, 4])
    with torch.no_grad():
        vectors = features(rows)
    expected = encode_texts(model, texts, 32, max_windows=3)
    np.testing.assert_allclose(vectors.numpy(), expected[rows], atol=1e-5)
    assert not np.allclose(expected[[1, 3, 4]], encode_texts(model, texts, 32, 1)[[1, 3, 4]], atol=1e-3)


def test_gradients_reach_the_encoder_through_windows(encoder: TextEncoder) -> None:
    model = encoder.load_model().eval()
    freeze_lower_layers(model, 1 / 6)
    features = encode_windows(model, ["a leash for the dog. " * 40, "a cat"], 2)
    features(np.array([0]))[0, 0].backward()
    moved = [p for p in model.parameters() if p.requires_grad]
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in moved)


class Stack(nn.Module):
    """Six blocks behind an embedding, as in a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(3, 2)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)) for _ in range(6))
        self.heads = nn.ModuleList([nn.Linear(2, 2)])


@pytest.mark.parametrize(("share", "moving"), [(0.0, 0), (0.34, 2), (0.33, 2), (0.5, 3), (1.0, 6)])
def test_only_the_upper_share_of_the_blocks_moves(share: float, moving: int) -> None:
    stack = Stack()
    assert freeze_lower_layers(stack, share) == moving
    free = {name.split(".")[1] for name, p in stack.named_parameters() if p.requires_grad}
    assert free == {str(i) for i in range(6 - moving, 6)}
    assert not any(p.requires_grad for p in stack.embedding.parameters())


def test_biases_and_layer_norms_do_not_decay_and_frozen_parameters_are_left_out() -> None:
    stack = Stack()
    freeze_lower_layers(stack, 1 / 3)
    decayed, others = decay_groups(stack, learning_rate=0.1, weight_decay=0.01)
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.01, 0.0)
    assert decayed["lr"] == others["lr"] == 0.1
    upper = [stack.blocks[4], stack.blocks[5]]
    assert {id(p) for p in decayed["params"]} == {id(block[0].weight) for block in upper}
    assert {id(p) for p in others["params"]} == {
        id(p) for block in upper for p in (block[0].bias, block[1].weight, block[1].bias)
    }


def test_schedule_warms_up_linearly_and_ends_at_zero() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = cosine_schedule(optimizer, steps=20, warmup_share=0.1)
    rates = []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[:3] == pytest.approx([0, 0.5, 1])
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[11] == pytest.approx(0.5)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_loss_that_is_no_number_ends_training(
    train: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, loss: float
) -> None:
    monkeypatch.setattr(Run, "validate", lambda self, phase: loss)
    with pytest.raises(InputError, match=r"epoch 0: the loss is not a finite number; a lower learning rate may help"):
        train(make_settings(tuning_epochs=0), 0)
