"""The model card: what the Hub reads, what a person reads."""

import dataclasses

from emotag.bundle.config import BundleConfig
from emotag.emotions import FIVE, LabelSet
from emotag.models.cards import model_card
from tests.networks import PREPROCESS

CONFIG = BundleConfig(
    name="mine",
    recipe="lite0",
    backbone="lite0",
    label_set=FIVE,
    preprocess=PREPROCESS,
    learnt_sentiment=False,
    emotag_version="1.2.3",
)


def test_a_card_of_a_model_that_was_judged() -> None:
    config = dataclasses.replace(
        CONFIG,
        data={
            "fingerprint": "abc",
            "photos_fitted_on": {"love": 3, "fear": 4},
            "sources": ["web", "tweets"],
            "refit_on_all": False,
        },
        metrics={
            "held-out photos": {
                "accuracy": {"value": 0.75, "low": 0.7, "high": 0.8123},
                "majority_baseline": {"value": 0.5, "low": None, "high": None},
            },
            "tweets": {"n_photos": {"value": 89}},
        },
    )
    lines = model_card(config, "  Some notes.\n\nMore notes. ").splitlines()
    front = lines[1 : lines.index("---", 1)]
    assert lines[0] == "---"
    assert front[:2] == ["library_name: emotag", "pipeline_tag: image-classification"]
    assert "# mine" in lines
    assert (
        "Predicts the emotion that a photo depicts: love, happiness, violence, fear, sadness. "
        "Its sentiment is folded from the emotions."
    ) in lines
    assert "Recipe `lite0` on the backbone `lite0`, saved by emotag 1.2.3." in lines
    assert "$ emotag tag --model ./mine ./photos" in lines
    assert "Some notes." in lines
    assert "More notes." in lines
    assert "- fingerprint: abc" in lines
    assert "- photos fitted on: love 3, fear 4" in lines
    assert "- sources: web, tweets" in lines
    assert "- refit on all: False" in lines
    assert "| held-out photos | accuracy | 0.750 | 0.700 to 0.812 |" in lines
    assert "| held-out photos | majority baseline | 0.500 |  |" in lines
    assert "| tweets | n photos | 89 |  |" in lines
    assert "## What it is not for" in lines


def test_a_card_of_a_model_of_which_nothing_is_said() -> None:
    card = model_card(CONFIG)
    assert "## Data" not in card
    assert "## Figures" not in card
    assert "\n\n\n" not in card
    assert card.endswith(".\n")


def test_what_is_said_of_sentiment() -> None:
    learnt = model_card(dataclasses.replace(CONFIG, learnt_sentiment=True))
    assert "Its sentiment is learnt by an output of its own." in learnt
    weather = model_card(dataclasses.replace(CONFIG, label_set=LabelSet(["sun", "rain"])))
    assert "Its sentiment is not known for these labels." in weather


def test_a_confidence_that_was_not_calibrated_is_called_a_score() -> None:
    assert "a score that was not calibrated" in model_card(CONFIG)
    calibrated = model_card(CONFIG, calibrated=True, licence="mit")
    assert "score" not in calibrated
    assert "license: mit" in calibrated.splitlines()[:6]
