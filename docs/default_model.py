"""What the default model scores, written from its own config."""

from emotag.bundle.finding import default_bundle
from emotag.bundle.folder import open_bundle

__all__ = ["default_model_figures"]


def default_model_figures() -> str:
    """Return a table in Markdown: a row for each kind of photos that the model was judged on."""
    metrics = open_bundle(default_bundle()).config.metrics
    rows = [
        f"| {place} | {_shown(figures['balanced_accuracy'])} | {_shown(figures['accuracy'])} "
        f"| {figures['majority_baseline']['value']:.2f} |"
        for place, figures in metrics.items()
    ]
    head = [
        "| judged on | balanced accuracy, 95 % interval | accuracy, 95 % interval | baseline |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *rows])


def _shown(figure: dict[str, float]) -> str:
    return f"{figure['value']:.2f} ({figure['low']:.2f} to {figure['high']:.2f})"
