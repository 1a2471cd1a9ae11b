"""Compare recipes on photos that they know the source of, and on photos from elsewhere.

Each recipe is fitted on the training photos and judged on four things:

- the test photos, which come from the same sources and flatter it;
- each source of photos by a model that was fitted without it; violence, which
  a single source shows, is left out there, since no model could know it;
- photos of protests, violent or not, and photos of tweets, positive or
  negative, which are never trained on.

Then the paper's settings of fine-tuning are switched off, one at a time. All of
it is fitted with few photos and epochs if the machine is slow: what a
fine-tuned network sees is cut to ``--tuned-photos``, chosen at random, and the
table says so.

DATA is a folder with a ``photos.csv`` that has the columns label, sentiment,
source, split and group. ``--places FILE.onnx`` adds a linear head on a network
of scenes, with FILE.onnx.json beside it. Without ``--figure`` nothing is drawn::

    python examples/plot_compare_recipes.py DATA --figure compare.png
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from emotag import FIVE, FineTunedCNN, LabelSet, fold_sentiment, make_model
from emotag.dataset import Dataset, load_dataset
from emotag.evaluation.report import Report, judge
from emotag.models.recipes import fit_model, prepare_photos

ONLY_JUDGED = ("ucla_protest", "sentibank_twitter89")
SENTIMENT = LabelSet(["negative", "positive"])
COLUMNS = ("test photos", "unseen source", "protests", "tweets")

Make = Callable[[], Any]


@dataclass(frozen=True)
class Recipe:
    """What is compared: how it is made, and how many photos it is fitted on at most."""

    name: str
    make: Make
    n_photos: int | None = None
    everywhere: bool = True


def recipes(options: argparse.Namespace) -> list[Recipe]:
    """Return the recipes, the fine-tuned ones last."""
    found = [
        Recipe("linear on lite0", lambda: make_model("lite0", random_state=0)),
        Recipe("svm on lite0", lambda: make_model("svm", backbone="lite0", random_state=0)),
        Recipe("concepts", lambda: make_model("concepts", random_state=0)),
        Recipe("fused", lambda: make_model("fused", random_state=0)),
    ]
    if options.places:
        backbone = f"onnx:{options.places}"
        make = lambda: make_model("linear", backbone=backbone, random_state=0)  # noqa: E731
        found.append(Recipe("linear on Places365", make))
    usual = {"backbone": "lite0", "lr": 1e-3, "head_lr": 1e-2, "max_epochs": options.epochs}
    changes = {
        "finetune lite0": {},
        "… without mirroring": {"mirror": False},
        "… without random crops": {"crop": False},
        "… one rate for all layers": {"head_lr": 1e-3},
    }
    for name, change in changes.items():
        found.append(
            Recipe(
                name,
                lambda change=change: FineTunedCNN(
                    **{**usual, **change}, class_weight="balanced", random_state=0
                ),
                options.tuned_photos,
                everywhere=not change,
            )
        )
    return found


def fit(recipe: Recipe, dataset: Dataset) -> Any:
    """Fit a recipe on labelled photos, or on as many of them as it takes."""
    if recipe.n_photos is not None and len(dataset) > recipe.n_photos:
        chosen = np.random.default_rng(0).permutation(len(dataset))[: recipe.n_photos]
        dataset = dataset.take(np.sort(chosen))
    return fit_model(recipe.make(), dataset.paths, dataset.labels, dataset.groups)


def probabilities(model: Any, dataset: Dataset) -> np.ndarray:
    """Return probabilities in the order of FIVE; 0 for a label that was not learnt."""
    known = model.predict_proba(dataset.paths)
    proba = np.zeros((len(dataset), len(FIVE)))
    for column, name in enumerate(model.classes_):
        proba[:, FIVE.index(str(name))] = known[:, column]
    return proba


def on_test(model: Any, test: Dataset) -> Report:
    seen = test.labelled
    seen = seen.take(~np.isin(seen.sources, ONLY_JUDGED))
    return judge(probabilities(model, seen), seen.labels, seen.groups, label_set=FIVE)


def on_unseen(recipe: Recipe, train: Dataset, lonely: tuple[str, ...]) -> Report:
    """Judge each source by a model without it, apart from labels that one source shows."""
    parts = []
    for source in np.unique(train.sources):
        held = train.sources == source
        near = np.isin(train.groups, train.groups[held])
        model = fit(recipe, train.take(~held & ~near))
        parts.append((held, probabilities(model, train.take(held))))
    proba = np.zeros((len(train), len(FIVE)))
    for held, found in parts:
        proba[held] = found
    kept = ~np.isin(train.labels, lonely)
    some = train.take(kept)
    return judge(proba[kept], some.labels, some.groups, label_set=FIVE)


def on_protests(model: Any, test: Dataset) -> Report:
    protests = test.take(test.sources == "ucla_protest")
    violent = probabilities(model, protests).argmax(axis=1) == FIVE.index("violence")
    actual = np.where(protests.labels == "violence", "violence", "peaceful")
    called = np.column_stack([~violent, violent]).astype(float)
    labels = LabelSet(["peaceful", "violence"])
    return judge(called, actual, protests.groups, label_set=labels)


def on_tweets(model: Any, test: Dataset) -> Report:
    tweets = test.take(test.sources == "sentibank_twitter89")
    proba = fold_sentiment(probabilities(model, tweets))
    return judge(proba, tweets.sentiments, tweets.groups, label_set=SENTIMENT)


def compare(recipe: Recipe, train: Dataset, test: Dataset, lonely: tuple[str, ...]) -> list[Any]:
    """Return a recipe's report in each column; None where it is not judged."""
    started = time.monotonic()
    model = fit(recipe, train)
    reports = [
        on_test(model, test),
        on_unseen(recipe, train, lonely) if recipe.everywhere else None,
        on_protests(model, test),
        on_tweets(model, test),
    ]
    print(f"{recipe.name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return reports


def cell(report: Report | None) -> str:
    if report is None:
        return "-"
    figure = report.metrics["balanced_accuracy"]
    return f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})"


def print_table(rows: dict[str, list[Any]], n_photos: dict[str, int]) -> None:
    """Print the table in Markdown, with what always naming the most frequent would score."""
    print(f"| balanced accuracy (95 %) | fitted on | {' | '.join(COLUMNS)} |")
    print(f"| --- | --- | {' | '.join('---' for _ in COLUMNS)} |")
    for name, reports in rows.items():
        cells = " | ".join(cell(report) for report in reports)
        print(f"| {name} | {n_photos[name]} | {cells} |")
    chance = []
    for report in next(iter(rows.values())):
        n_present = int((report.confusion.sum(axis=1) > 0).sum())
        majority = report.metrics["majority_baseline"].value
        chance.append(f"{1 / n_present:.2f} (accuracy {majority:.2f})")
    print(f"| always the most frequent | - | {' | '.join(chance)} |")


def draw(rows: dict[str, list[Any]], path: str) -> None:
    """Draw every figure with its interval, a panel a column."""
    try:
        from matplotlib import pyplot
    except ImportError:
        sys.exit("--figure needs matplotlib; type: pip install matplotlib")
    names = list(rows)[::-1]
    height = 1.2 + 0.35 * len(names)
    figure, axes = pyplot.subplots(1, len(COLUMNS), sharey=True, figsize=(11, height))
    for axis, column, title in zip(axes, range(len(COLUMNS)), COLUMNS, strict=True):
        for place, name in enumerate(names):
            report = rows[name][column]
            if report is not None:
                found = report.metrics["balanced_accuracy"]
                axis.plot([found.low, found.high], [place, place], color="0.6")
                axis.plot(found.value, place, "o", color="tab:blue")
        axis.set_title(title)
        axis.set_xlim(0, 1)
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(names)), names)
    figure.supxlabel("balanced accuracy, 95 % interval")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data", help="folder with a photos.csv")
    parser.add_argument("--places", help="a network of scenes: FILE.onnx, FILE.onnx.json beside it")
    parser.add_argument("--tuned-photos", type=int, default=1200, help="for a fine-tuned network")
    parser.add_argument("--epochs", type=int, default=4, help="of fine-tuning, at most")
    parser.add_argument("--only", default="", metavar="TEXT", help="those named like it")
    parser.add_argument("--figure", help="an image to draw")
    options = parser.parse_args()

    everything = load_dataset([options.data])
    judged_only = np.isin(everything.sources, ONLY_JUDGED)
    train = everything.take((everything.splits != "test") & ~judged_only).labelled
    test = everything.take(everything.splits == "test")
    lonely = tuple(
        name for name in FIVE.names if len(np.unique(train.sources[train.labels == name])) < 2
    )
    found = [recipe for recipe in recipes(options) if options.only in recipe.name]
    if not found:
        sys.exit(f"--only {options.only}: no recipe has that in its name")
    for recipe in found:
        failures = prepare_photos(recipe.make(), train.paths.tolist())
        if failures:
            sys.exit(f"{failures[0]}; leave it out of photos.csv")
    rows = {recipe.name: compare(recipe, train, test, lonely) for recipe in found}
    n_photos = {recipe.name: min(len(train), recipe.n_photos or len(train)) for recipe in found}
    print_table(rows, n_photos)
    figures = {
        name: [report and report.to_dict()["metrics"] for report in reports]
        for name, reports in rows.items()
    }
    print(json.dumps(figures), file=sys.stderr)
    if options.figure:
        draw(rows, options.figure)


if __name__ == "__main__":
    main()
