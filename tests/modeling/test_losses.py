"""The focal loss: by hand, against torch's cross-entropy, and its gradient."""

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from hmltc_kedro.modeling.losses import focal_loss


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def row(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return logits, soft targets, mask and weights of four documents and five classes, float64."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 5, generator=generator, dtype=torch.float64) * 3
    targets = (torch.rand(4, 5, generator=generator) > 0.6).double() * 0.9
    mask = (torch.rand(4, 5, generator=generator) > 0.3).double()
    return logits, targets, mask, torch.tensor([1.0, 0.5, 2.0, 0.1], dtype=torch.float64)


@pytest.mark.parametrize(
    ("p", "target", "gamma", "expected"),
    [
        (0.5, 1.0, 2.0, 0.25 * math.log(2)),
        (0.8, 1.0, 2.0, 0.04 * -math.log(0.8)),
        (0.8, 0.0, 2.0, 0.64 * -math.log(0.2)),
        (0.8, 1.0, 1.0, 0.2 * -math.log(0.8)),
        (0.8, 1.0, 0.0, -math.log(0.8)),
        # Soft: 1 - p_t = 0.9 * 0.2 + 0.1 * 0.8 = 0.26.
        (0.8, 0.9, 2.0, 0.26**2 * -(0.9 * math.log(0.8) + 0.1 * math.log(0.2))),
    ],
)
def test_one_cell_by_hand(p: float, target: float, gamma: float, expected: float) -> None:
    loss = focal_loss(row(logit(p)), row(target), row(1), torch.ones(1), gamma=gamma)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_gamma_zero_is_binary_cross_entropy(batch: tuple[torch.Tensor, ...]) -> None:
    logits, targets, _, _ = batch
    loss = focal_loss(logits, targets, torch.ones_like(targets), torch.ones(4, dtype=torch.float64), gamma=0)
    assert loss.item() == pytest.approx(binary_cross_entropy_with_logits(logits, targets).item(), rel=1e-9)


def test_masked_cells_have_no_say(batch: tuple[torch.Tensor, ...]) -> None:
    logits, targets, mask, weights = batch
    changed = torch.where(mask > 0, logits, logits + 17)
    assert focal_loss(changed, targets, mask, weights).item() == focal_loss(logits, targets, mask, weights).item()


def test_loss_of_a_document_is_the_mean_over_its_known_classes() -> None:
    loss = focal_loss(row(0, 0, 5), row(1, 1, 0), row(1, 1, 0), torch.ones(1), gamma=0)
    assert loss.item() == pytest.approx(math.log(2))


def test_document_with_everything_masked_costs_nothing() -> None:
    assert focal_loss(row(3, 3), row(0, 0), row(0, 0), torch.ones(1)).item() == 0


def test_documents_count_by_weight() -> None:
    logits, targets = torch.tensor([[0.0], [logit(0.8)]]), torch.ones(2, 1)
    loss = focal_loss(logits, targets, torch.ones(2, 1), torch.tensor([3.0, 1.0]), gamma=0)
    assert loss.item() == pytest.approx((3 * math.log(2) - math.log(0.8)) / 4, rel=1e-6)


def test_scale_of_the_weights_does_not_matter(batch: tuple[torch.Tensor, ...]) -> None:
    logits, targets, mask, weights = batch
    assert focal_loss(logits, targets, mask, weights * 10).item() == pytest.approx(
        focal_loss(logits, targets, mask, weights).item()
    )


def test_positive_weight_counts_positives_only() -> None:
    positive = focal_loss(row(0), row(0.9), row(1), torch.ones(1), gamma=0, positive_weight=2)
    negative = focal_loss(row(0), row(0), row(1), torch.ones(1), gamma=0, positive_weight=2)
    assert positive.item() == pytest.approx(2 * math.log(2))
    assert negative.item() == pytest.approx(math.log(2))


def test_alpha_is_a_factor_of_the_whole(batch: tuple[torch.Tensor, ...]) -> None:
    assert focal_loss(*batch, alpha=0.25).item() == pytest.approx(0.25 * focal_loss(*batch, alpha=1).item())


def test_gradient_agrees_with_finite_differences(batch: tuple[torch.Tensor, ...]) -> None:
    logits, targets, mask, weights = batch
    assert torch.autograd.gradcheck(
        lambda x: focal_loss(x, targets, mask, weights, positive_weight=2), logits.requires_grad_()
    )


def test_loss_of_extreme_logits_is_the_distance_to_zero_and_its_gradient_a_share_of_one() -> None:
    logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([[0.0, 1.0]]), torch.ones(1, 2), torch.ones(1))
    loss.backward()
    assert loss.item() == 1e4
    assert logits.grad is not None and logits.grad.tolist() == [[0.5, -0.5]]
