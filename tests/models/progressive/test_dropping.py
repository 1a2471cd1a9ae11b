"""Which photos are dropped: by the paper's formula, and never all of a label."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from emotag.models.finetuning.broken import BrokenPhotos
from emotag.models.finetuning.net import FineTuningNet
from emotag.models.finetuning.photos import Augmentation, Labelled, PhotoSet
from emotag.models.finetuning.preparing import decode_sets, hash_photos
from emotag.models.finetuning.training import make_net, make_network
from emotag.models.progressive.dropping import (
    DropClose,
    choose_kept,
    drop_probability,
    score_margins,
)
from emotag.models.progressive.estimator import ProgressiveCNN
from emotag.models.progressive.networks import ARCHITECTURES, PREPROCESS, build_trunk, draw_weights
from emotag.photos.decoding import decode_photo
from tests.models.conftest import Photos


class TestProbability:
    def test_is_the_paper_s(self) -> None:
        margins = np.array([0.0, 0.1, 0.4, 0.6931, 0.6932, 0.9, 1.0])
        expected = [max(0.0, 2 - float(np.exp(margin))) for margin in margins]
        np.testing.assert_allclose(drop_probability(margins), expected)
        assert drop_probability(margins)[0] == 1
        assert (drop_probability(margins)[4:] == 0).all()

    @pytest.mark.parametrize("margin", [0.15, 0.3, 0.6])
    def test_that_many_are_dropped(self, margin: float) -> None:
        n = 20_000
        margins = np.full(n, margin)
        kept = choose_kept(margins, np.arange(n) % 2, np.ones(n), seed=0)
        expected = 2 - np.exp(margin)
        # four standard deviations of a share of so many draws
        tolerance = 4 * np.sqrt(expected * (1 - expected) / n)
        assert 1 - kept.mean() == pytest.approx(expected, abs=tolerance)


class TestChoice:
    def test_the_sure_stay_and_the_undecided_go(self) -> None:
        margins = np.tile([0.75, 0.0], 50)
        kept = choose_kept(margins, np.repeat([0, 1], 50), np.ones(100), seed=1)
        assert kept.tolist() == [True, False] * 50

    def test_the_seed_chooses(self) -> None:
        margins, classes = np.full(100, 0.4), np.arange(100) % 2
        draws = [choose_kept(margins, classes, np.ones(100), seed).tolist() for seed in (0, 0, 1)]
        assert draws[0] == draws[1] != draws[2]

    def test_a_label_keeps_its_surest(self) -> None:
        margins = np.r_[np.full(30, 0.9), np.linspace(0, 1e-6, 30)]
        kept = choose_kept(margins, np.repeat([0, 1], 30), np.ones(60), seed=0)
        assert kept[:30].all()
        # a tenth of the other label
        assert np.flatnonzero(kept[30:]).tolist() == [27, 28, 29]

    def test_of_the_surest_those_that_count(self) -> None:
        weights = np.r_[np.ones(10), [0] * 9, [1]]
        margins = np.r_[np.full(10, 0.9), np.full(9, 1e-7), [0.0]]
        kept = choose_kept(margins, np.repeat([0, 1], 10), weights, seed=0)
        assert np.flatnonzero(kept[10:]).tolist() == [9]

    @given(
        margins=arrays.arrays(np.float32, 60, elements=st.floats(0, 1, width=32)),
        seed=st.integers(0, 100),
    )
    def test_no_label_is_lost(self, margins: np.ndarray, seed: int) -> None:
        classes = np.repeat([0, 1, 2], [2, 8, 50])
        kept = choose_kept(margins, classes, np.ones(60), seed)
        counts = np.bincount(classes[kept], minlength=3)
        assert (counts >= [1, 1, 5]).all()
        assert kept[margins >= 0.6932].all()


@pytest.fixture(params=[True])
def photo_set(request: pytest.FixtureRequest, photos: Photos) -> Iterator[PhotoSet]:
    """Photos to train on, mirrored at random, and cropped unless told otherwise."""
    broken = BrokenPhotos(40, 0.0)
    classes = np.unique(photos.y, return_inverse=True)[1].astype(np.intp)
    weights = np.tile([0.5, 1.5], 20)
    labelled = hash_photos(Labelled(photos.X.tolist(), classes, np.arange(40), weights), broken)
    nobody = labelled.take(np.arange(0))
    augmentation = Augmentation(mirror=True, crop=request.param)
    found, _ = decode_sets(labelled, nobody, PREPROCESS, augmentation, broken)
    yield found
    found.close()


def untrained(batch_size: int = 8) -> FineTuningNet:
    network = make_network(build_trunk(ARCHITECTURES["small"]), 8, 4, 0.5, seed=0)
    draw_weights(network.modules(), seed=0)
    # far from chance, so that the rule has something to choose from
    network.head.weight.data *= 8
    settings = ProgressiveCNN(batch_size=batch_size)._settings()
    return make_net(network, PREPROCESS, settings, "cpu")


class TestScores:
    # the centre of what was resized as a whole is half a pixel beside that of a prediction
    @pytest.mark.parametrize(
        ("photo_set", "tolerance"), [(False, 1e-5), (True, 0.1)], indirect=["photo_set"]
    )
    def test_are_those_of_prediction(
        self, photo_set: PhotoSet, photos: Photos, tolerance: float
    ) -> None:
        net = untrained()
        margins = score_margins(net, photo_set)
        pixels = np.stack([decode_photo(path, PREPROCESS).pixels for path in photos.X])
        net.module_.eval()
        with torch.inference_mode():
            logits = net.module_(torch.from_numpy(PREPROCESS.normalise(pixels)))
        highest = torch.softmax(logits, dim=1).topk(2, dim=1).values.numpy()
        expected = highest[:, 0] - highest[:, 1]
        assert np.ptp(expected) > 0.2
        np.testing.assert_allclose(margins, expected, atol=tolerance)

    def test_the_batch_and_the_epoch_do_not_matter(self, photo_set: PhotoSet) -> None:
        first = score_margins(untrained(), photo_set)
        photo_set.start_epoch(5)
        np.testing.assert_allclose(score_margins(untrained(7), photo_set), first, atol=1e-6)


class TestCallback:
    def test_restricts_the_photos(self, photo_set: PhotoSet, photos: Photos) -> None:
        drop = DropClose(seed=0)
        drop.on_train_begin(untrained(), X=photo_set)
        left = photo_set.photos.paths
        assert 0 < len(left) < 40
        assert [path for path in photos.X if path not in drop.dropped_] == left
        assert set(left) & set(drop.dropped_) == set()
        assert photo_set.photos.weights.mean() == pytest.approx(1)
        assert sorted(photo_set.order) == list(range(len(left)))
        pixels, (classes, weights) = photo_set.__getitems__([0, len(left) - 1])
        assert pixels.shape == (2, 227, 227, 3)
        assert classes.tolist() == photo_set.photos.classes[[0, -1]].tolist()
        np.testing.assert_allclose(weights, photo_set.photos.weights[[0, -1]], rtol=1e-6)

    def test_those_that_stay_are_random_again(self, photo_set: PhotoSet) -> None:
        DropClose(seed=0).on_train_begin(untrained(), X=photo_set)
        still, _ = photo_set.__getitems__([0])
        photo_set.start_epoch(1)
        moved, _ = photo_set.__getitems__([0])
        assert not torch.equal(still, moved)
