"""The model card of a bundle: what it was made of, what it scored, what it is not for."""

from typing import Any

from emotag.bundle.config import BundleConfig
from emotag.saliency.preprocess import SalientPreprocess

__all__ = ["model_card"]


def model_card(
    config: BundleConfig, notes: str = "", *, calibrated: bool = False, licence: str = ""
) -> str:
    """Return a model card in Markdown, with the front matter of the Hugging Face Hub.

    Parameters
    ----------
    config : BundleConfig
        Of the bundle.
    notes : str
        Paragraphs that stand between the summary and the figures.
    calibrated : bool, default=False
        Whether the probabilities were calibrated.
    licence : str
        Of the model, as the Hub names it.
    """
    labels = config.label_set
    sentiment = (
        "learnt by an output of its own"
        if config.learnt_sentiment
        else "folded from the emotions"
        if labels.folds
        else "not known for these labels"
    )
    parts = [
        _front_matter(licence, has_network=config.has_network),
        f"# {config.name}",
        f"Predicts the emotion that a photo depicts: {', '.join(labels.names)}. "
        f"Its sentiment is {sentiment}.",
        f"Recipe `{config.recipe}`{_standing(config)}, saved by emotag {config.emotag_version}.",
        f"```console\n$ emotag tag --model ./{config.name} ./photos\n```",
        notes.strip(),
        _data_section(config.data),
        _metrics_section(config.metrics),
        f"{_LIMITS} {_CALIBRATED if calibrated else _UNCALIBRATED}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _standing(config: BundleConfig) -> str:
    """Return what a model stands on, and what runs it, to go on a sentence with."""
    on = f" on the backbone `{config.backbone}`" if config.backbone else ""
    seen = config.preprocess
    if isinstance(seen, SalientPreprocess):
        done = {"crop": "cropped to", "weight": "faded around"}[seen.salient]
        return f"{on}, on photos {done} what is salient (`{seen.saliency}`)"
    if config.has_network:
        return on
    return f"{on} with hand-crafted features, run by scikit-learn (no `model.onnx`)"


_LIMITS = """## What it is not for

It says what a photo seems to depict, not what the people in it feel, and not
what any one viewer will feel. It must not be used to judge people."""

_CALIBRATED = """Its
confidence is calibrated, and holds for photos like those it was calibrated on;
on photos of another kind it may claim too much."""

_UNCALIBRATED = """Its
confidence is a score that was not calibrated: a larger one means more sure, and
no more than that."""


def _front_matter(licence: str, *, has_network: bool) -> str:
    lines = ["---", "library_name: emotag", "pipeline_tag: image-classification"]
    lines += [f"license: {licence}"] if licence else []
    tags = ["emotion", "sentiment", "onnx" if has_network else "sklearn"]
    return "\n".join([*lines, "tags:", *(f"- {tag}" for tag in tags), "---"])


def _data_section(data: dict[str, Any]) -> str:
    if not data:
        return ""
    lines = ["## Data", ""]
    lines += [f"- {key.replace('_', ' ')}: {_shown(value)}" for key, value in data.items()]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _metrics_section(metrics: dict[str, Any]) -> str:
    if not metrics:
        return ""
    lines = [
        "## Figures",
        "",
        "With 95 % bootstrap intervals over groups.",
        "",
        "| judged on | figure | value | 95 % interval |",
        "| --- | --- | --- | --- |",
    ]
    for place, figures in metrics.items():
        for name, figure in figures.items():
            lines.append(f"| {place} | {name.replace('_', ' ')} | {_figure_cells(figure)} |")
    return "\n".join(lines)


def _figure_cells(figure: dict[str, Any]) -> str:
    value = figure["value"]
    shown = f"{value:.3f}" if isinstance(value, float) else str(value)
    low, high = figure.get("low"), figure.get("high")
    interval = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
    return f"{shown} | {interval}"
