"""How much of labels and of a model's word colour alone, or size alone, explains."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emotag.dataset import Dataset
from emotag.errors import DataError
from emotag.evaluation.appearance import COLOURS, Appearance
from emotag.evaluation.correlation import correlate_ranks
from emotag.evaluation.metrics import Figure, Outcomes, bootstrap
from emotag.evaluation.predictions import Predictions

__all__ = [
    "Correlation",
    "Shortcut",
    "Shortcuts",
    "describe_shortcuts",
    "measure_shortcuts",
]

Floats = NDArray[np.float64]
Strings = NDArray[np.str_]

_FOLDS = 5
_SENTIMENT_CUES = ("brightness", "saturation")


@dataclass(frozen=True)
class Shortcut:
    """How well a small classifier does that sees nothing but one simple thing.

    Attributes
    ----------
    cue : str
        ``'colour'`` or ``'size'``: what it sees.
    target : str
        ``'label'``: it is to find what the photos are labelled with;
        ``'prediction'``: what the model says of them.
    figure : Figure
        Balanced accuracy, cross-validated by group.
    chance : float
        What guessing, and always saying the same, would come to.
    n_photos : int
        How many photos it was measured on.
    """

    cue: str
    target: str
    figure: Figure
    chance: float
    n_photos: int

    @property
    def is_above_chance(self) -> bool:
        """Whether the whole interval lies above chance; not where there is none."""
        return bool(self.figure.low > self.chance)


@dataclass(frozen=True)
class Correlation:
    """How the probability of positive sentiment goes with something simple.

    Attributes
    ----------
    cue : str
        ``'brightness'`` or ``'saturation'``, means over the photo.
    figure : Figure
        Spearman's correlation of the two.
    """

    cue: str
    figure: Figure


@dataclass(frozen=True)
class Shortcuts:
    """What a model may have learnt instead of emotions.

    Attributes
    ----------
    model : str
        Its name.
    explained : tuple of Shortcut
        Colour and size, each for labels and for predictions; without those for
        which there are too few photos.
    correlations : tuple of Correlation
        Empty where the model gives no probability of positive sentiment.
    n_unreadable : int
        The photos that were left out, since they cannot be read.
    """

    model: str
    explained: tuple[Shortcut, ...]
    correlations: tuple[Correlation, ...]
    n_unreadable: int

    @property
    def has_figures(self) -> bool:
        """Whether anything could be measured."""
        return bool(self.explained or self.correlations)


def measure_shortcuts(
    dataset: Dataset,
    predictions: Predictions,
    appearance: Appearance,
    *,
    n_draws: int = 2000,
    seed: int = 0,
) -> Shortcuts:
    """Measure what colour alone and size alone tell of labels and of a model's word.

    A logistic regression sees the mean colour of each photo, or its width,
    height, aspect and bytes per pixel, and nothing else. If it finds the
    labels better than by chance, a model can do well on these photos without
    having learnt an emotion: photos of one emotion may come from one source,
    which has its own size. If it finds what the model says, the model may do
    just that. That bright is taken for positive, as the paper suspects [1]_,
    shows in the correlations.

    The intervals come from resampling the photos that were judged, not from
    fitting anew; without any shortcut about one in 25 lies above chance.

    Faces, which the paper suspects too, are not looked for: no package that
    emotag needs anyway brings a detector.

    Parameters
    ----------
    dataset : Dataset
        All labelled photos, also those that were learnt from.
    predictions : Predictions
        The model's word on some of them.
    appearance : Appearance
        Of the photos of `dataset`, in its order.
    n_draws : int, default=2000
        Bootstrap draws of whole groups.
    seed : int, default=0
        Of the draws and the folds.

    Returns
    -------
    Shortcuts
        Labels that are in fewer than five groups are left out of what is explained.

    Raises
    ------
    DataError
        A photo that was judged is not in the data set, or lengths differ.

    References
    ----------
    .. [1] Gajarla, V. & Gupta, A. (2015). Emotion Detection and Sentiment
       Analysis of Images. Georgia Institute of Technology. Section 5.
    """
    if len(appearance.hashes) != len(dataset):
        raise DataError(f"{len(appearance.hashes)} photos were measured of {len(dataset)}.")
    places = _places(dataset, predictions)
    seen = np.flatnonzero(appearance.readable)
    judged = np.flatnonzero(appearance.readable[places])
    said, at = predictions.take(judged), places[judged]
    # sizes differ by factors
    cues = {"colour": appearance.colours, "size": np.log(appearance.sizes)}
    in_data = {cue: features[seen] for cue, features in cues.items()}
    in_said = {cue: features[at] for cue, features in cues.items()}
    return Shortcuts(
        predictions.model,
        (
            *_explain("label", in_data, dataset.labels[seen], dataset.groups[seen], n_draws, seed),
            *_explain("prediction", in_said, said.predicted, said.groups, n_draws, seed),
        ),
        _correlations(said, appearance.colours[at], n_draws, seed),
        int((~appearance.readable).sum()),
    )


def try_shortcuts(
    dataset: Dataset, predictions: Predictions, appearance: Appearance
) -> Shortcuts | None:
    """Return what `measure_shortcuts` does, or None where there are too few photos to say."""
    try:
        return measure_shortcuts(dataset, predictions, appearance)
    except DataError:
        return None


def _places(dataset: Dataset, predictions: Predictions) -> NDArray[np.intp]:
    """Return where in the data set each photo is that was judged."""
    known = {path: place for place, path in enumerate(dataset.paths.tolist())}
    paths = predictions.paths.tolist()
    strange = [path for path in paths if path not in known]
    if strange:
        raise DataError(f"{strange[0] or 'A photo without a path'} is not in the data set.")
    return np.array([known[path] for path in paths], dtype=np.intp)


def _explain(
    target: str,
    cues: Mapping[str, Floats],
    y: Strings,
    groups: Strings,
    n_draws: int,
    seed: int,
) -> list[Shortcut]:
    """Return how far each cue goes; nothing where there are too few photos."""
    usable = [label for label in np.unique(y) if len(np.unique(groups[y == label])) >= _FOLDS]
    if len(usable) < 2:
        return []
    kept = np.isin(y, usable)
    names, actual = np.unique(y[kept], return_inverse=True)
    groups = groups[kept]
    splitter = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    folds = list(splitter.split(actual, actual, groups))
    # balanced, as what it is judged by: else it would rarely say the rare labels
    classifier = LogisticRegression(class_weight="balanced", max_iter=1000)
    model = make_pipeline(StandardScaler(), classifier)
    explained = []
    for cue, features in cues.items():
        predicted = np.asarray(cross_val_predict(model, features[kept], actual, cv=folds))
        outcomes = Outcomes(actual, predicted, len(names))
        wanted = {"figure": outcomes.figures()["balanced_accuracy"]}
        found = bootstrap(outcomes.sums(), groups, wanted, n_draws=n_draws, seed=seed)
        explained.append(Shortcut(cue, target, found["figure"], 1 / len(names), len(actual)))
    return explained


def _correlations(
    predictions: Predictions, colours: Floats, n_draws: int, seed: int
) -> tuple[Correlation, ...]:
    positive = predictions.p_positive
    if positive is None and predictions.proba is not None and predictions.labels.folds:
        positive = np.asarray(predictions.labels.fold(predictions.proba))
    # of fewer, an order by chance looks certain: two are always in one or the other
    if positive is None or len(np.unique(predictions.groups)) < _FOLDS:
        return ()
    found = []
    for cue in _SENTIMENT_CUES:
        values = colours[:, COLOURS.index(cue)]
        figure = correlate_ranks(values, positive, predictions.groups, n_draws=n_draws, seed=seed)
        found.append(Correlation(cue, figure))
    return tuple(found)


def describe_shortcuts(shortcuts: Shortcuts) -> list[str]:
    """Say in words what was measured, one sentence a figure.

    Parameters
    ----------
    shortcuts : Shortcuts
        As `measure_shortcuts` returns them.

    Examples
    --------
    >>> colour = Shortcut("colour", "label", Figure(0.31, 0.28, 0.34), 0.2, 900)
    >>> light = Correlation("brightness", Figure(0.02, -0.05, 0.09))
    >>> for sentence in describe_shortcuts(Shortcuts("svm", (colour,), (light,), 0)):
    ...     print(sentence)
    Colour alone finds 0.31 [0.28, 0.34] of each label; chance is 0.20.
    It cannot be told whether svm holds brighter photos for more positive: the rank \
correlation is 0.02 [-0.05, 0.09].
    """
    sentences = [_describe(shortcut, shortcuts.model) for shortcut in shortcuts.explained]
    if not sentences:
        sentences = ["There are too few photos to measure what colour or size alone explains."]
    sentences += _describe_correlations(shortcuts.correlations, shortcuts.model)
    if shortcuts.n_unreadable:
        sentences.append(f"{shortcuts.n_unreadable:,} photos that cannot be read are left out.")
    return sentences


def _describe(shortcut: Shortcut, model: str) -> str:
    what = "label" if shortcut.target == "label" else f"answer that {model} gives"
    sentence = f"{shortcut.cue.capitalize()} alone finds {_written(shortcut.figure)} of each {what}"
    if np.isfinite(shortcut.figure.low) and not shortcut.is_above_chance:
        return f"{sentence}, which may be chance: {shortcut.chance:.2f}."
    return f"{sentence}; chance is {shortcut.chance:.2f}."


def _describe_correlations(correlations: Iterable[Correlation], model: str) -> list[str]:
    return [_describe_correlation(correlation, model) for correlation in correlations]


def _describe_correlation(correlation: Correlation, model: str) -> str:
    more, less = {
        "brightness": ("brighter", "darker"),
        "saturation": ("more colourful", "paler"),
    }[correlation.cue]
    figure = correlation.figure
    if figure.low > 0 or figure.high < 0:
        kind = more if figure.low > 0 else less
        start = f"{model} holds {kind} photos for more positive"
    else:
        start = f"It cannot be told whether {model} holds {more} photos for more positive"
    return f"{start}: the rank correlation is {_written(figure)}."


def _written(figure: Figure) -> str:
    if not np.isfinite(figure.value):
        return "unknown"
    interval = f" [{figure.low:.2f}, {figure.high:.2f}]" if np.isfinite(figure.low) else ""
    return f"{figure.value:.2f}{interval}"
