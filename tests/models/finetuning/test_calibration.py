"""The temperature: what makes held-out photos most likely, and never too sure."""

import numpy as np
import pytest
from scipy.special import softmax

from emotag.models.finetuning.calibration import fit_temperature


def sampled(scale: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Return logits that are `scale` times too large for the classes drawn from them."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (count, 5))
    probabilities = softmax(logits, axis=1)
    classes = np.array([rng.choice(5, p=row) for row in probabilities])
    return (scale * logits).astype(np.float32), classes


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_finds_what_the_logits_were_scaled_by(scale: float) -> None:
    logits, classes = sampled(scale)
    temperature = fit_temperature(logits, classes, np.ones(len(classes)), len(classes))
    assert temperature == pytest.approx(scale, rel=0.05)


def test_weights_count() -> None:
    logits = np.array([[2.0, 0.0], [2.0, 0.0]])
    classes = np.array([0, 1])
    right = fit_temperature(logits, classes, np.array([9.0, 1.0]), 1000)
    assert softmax(logits / right, axis=1)[0, 0] == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("independent", [3, 50])
def test_few_photos_justify_little(independent: int) -> None:
    logits = np.eye(3)[np.arange(60) % 3] * 8.0
    classes = np.arange(60) % 3
    temperature = fit_temperature(logits, classes, np.ones(60), independent)
    confidence = softmax(logits / temperature, axis=1).max(axis=1).mean()
    justified = (independent + 1) / (independent + 2)
    assert 0.9 * justified < confidence <= justified
