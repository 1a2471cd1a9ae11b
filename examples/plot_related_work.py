"""Fit the systems that the paper compares itself with on one set of photos, and draw the table.

DATA is a folder with a manifest photos.csv; its split ``test`` judges, the rest is
learnt from. Each model learns the emotions, or whether a photo is positive or
negative; photos that have a sentiment only, such as those of tweets, count for the
second. Prints a table in Markdown, and draws it beside what was published::

    python examples/plot_related_work.py DATA --target emotion --epochs 6
    python examples/plot_related_work.py DATA --target sentiment --epochs 4

The networks trained from scratch take most of the time: on a core, about an hour for
each of the two. What was fitted is kept in the cache, so that a run that was stopped
goes on.
"""

import argparse
import textwrap
import time

import matplotlib.pyplot as plt

from emotag.dataset import load_dataset
from emotag.errors import EmotagError
from emotag.evaluation.comparing import judge_all
from emotag.evaluation.contestants import (
    RecipeFitter,
    find_contestants,
    identify_networks,
    prepare_all,
)
from emotag.evaluation.literature import LITERATURE
from emotag.evaluation.report import Report, report_of
from emotag.evaluation.splits import make_splits
from emotag.models.recipes import without_failures

BY_HAND = "mpeg7,bag-of-emotions,lab,gist,saliency,fusion"
FROM_SCRATCH = "pcnn-2conv4fc,pcnn-2conv3fc,pcnn-3conv2fc,pcnn-3conv4fc"
# Xu et al. and Karayev et al. took features of an ImageNet network, and so does lite0
MODELS = f"lite0,{BY_HAND},fc7@lite0,{FROM_SCRATCH}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data", help="folder with photos.csv")
    parser.add_argument("--target", choices=["emotion", "sentiment"], default="emotion")
    parser.add_argument("--models", default=MODELS, help="names with commas between them")
    parser.add_argument("--epochs", type=int, help="of networks that are trained")
    parser.add_argument("--out", help="the picture; by default related_work_TARGET.png")
    given = parser.parse_args()
    try:
        reports = fit_and_judge(given.data, given.target, given.models, given.epochs)
    except EmotagError as error:
        parser.exit(1, f"{error}\n")
    print_table(reports)
    draw(reports, given.target, given.out or f"related_work_{given.target}.png")


def fit_and_judge(data: str, target: str, models: str, epochs: int | None) -> list[Report]:
    """Return a report for each model, all of the same photos."""
    loaded = load_dataset([data])
    dataset = (loaded.for_sentiment() if target == "sentiment" else loaded).labelled
    fitter = RecipeFitter(epochs=epochs)
    contestants = find_contestants(models)
    dataset = without_failures(
        dataset, prepare_all(fitter, list(contestants), dataset, lambda _: None)
    )
    networks = identify_networks(contestants)
    splits = make_splits(dataset, "given")
    print(f"{len(splits[0].train):,} photos to learn from, {len(splits[0].test):,} to judge with")
    reports = []
    for model in contestants:
        begun = time.monotonic()
        said = judge_all(dataset, splits, [model], fitter, both_ways=False, networks=networks)
        reports.append(report_of(said[model]))
        print(f"{model}: fitted and judged in {time.monotonic() - begun:.0f} s", flush=True)
    return reports


def print_table(reports: list[Report]) -> None:
    """Print accuracies with their 95 % intervals, the baseline last."""
    print("\n| model | accuracy | balanced accuracy |\n| --- | --- | --- |")
    for report in reports:
        cells = [shown(report, name) for name in ("accuracy", "balanced_accuracy")]
        print(f"| `{report.predictions.model}` | {' | '.join(cells)} |")
    majority = reports[0].metrics["majority_baseline"].value
    labels = len(reports[0].predictions.labels)
    print(f"| the most frequent label | {majority:.3f} | {1 / labels:.3f} |")


def shown(report: Report, name: str) -> str:
    """Return a figure with its interval."""
    figure = report.metrics[name]
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def draw(reports: list[Report], target: str, path: str) -> None:
    """Draw our figures with their intervals, and those of other data below, without any."""
    published = [entry for entry in LITERATURE if entry.task == target]
    rows = len(reports) + len(published)
    figure, axes = plt.subplots(figsize=(8, 0.33 * rows + 1.5), layout="constrained")
    names = []
    for row, report in enumerate(reports):
        value = report.metrics["accuracy"]
        axes.plot([value.low, value.high], [row, row], color="#0072b2", linewidth=2)
        axes.plot(value.value, row, "o", color="#0072b2", label=None if row else "these photos")
        names.append(report.predictions.model)
    for row, entry in enumerate(published, start=len(reports)):
        label = None if row > len(reports) else "other photos, as published"
        ends = [entry.value, entry.highest or entry.value]
        axes.plot(ends, [row, row], "s-", color="#777777", fillstyle="none", label=label)
        names.append(textwrap.fill(f"{entry.system} ({entry.data})", 48))
    majority = reports[0].metrics["majority_baseline"].value
    axes.axvline(majority, color="black", linestyle=":", label="the most frequent label")
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"accuracy on {target}, with 95 % intervals")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    figure.savefig(path, dpi=150)
    print(f"\nDrawn in {path}")


if __name__ == "__main__":
    main()
