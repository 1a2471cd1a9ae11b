"""The figures of README.md are those of the card of the model that ships with emotag."""

from pathlib import Path

import pytest

from emotag.bundle.finding import default_bundle
from emotag.bundle.folder import open_bundle

README = Path(__file__).resolve().parents[1] / "README.md"

ROWS = {
    "emotions": ("emotion, test photos", "emotion, unseen source"),
    "sentiment": ("sentiment, test photos", "sentiment, unseen source", "sentiment, tweets"),
    "violent or not": ("violence, protests",),
}


def figure_rows() -> list[str]:
    """The table's rows as the config of the shipped bundle has them."""
    metrics = open_bundle(default_bundle()).config.metrics
    return [
        f"| {what} | {place.partition(', ')[2]} | {shown(metrics[place]['balanced_accuracy'])} "
        f"| {shown(metrics[place]['accuracy'])} "
        f"| {metrics[place]['majority_baseline']['value']:.2f} |"
        for what, places in ROWS.items()
        for place in places
    ]


def shown(figure: dict[str, float]) -> str:
    return f"{figure['value']:.2f} ({figure['low']:.2f} to {figure['high']:.2f})"


@pytest.mark.parametrize("row", figure_rows())
def test_a_figure_of_the_readme_is_that_of_the_card(row: str) -> None:
    if not README.is_file():
        pytest.skip("README.md is not here: this is no checkout")
    assert row in README.read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    print("\n".join(figure_rows()))
