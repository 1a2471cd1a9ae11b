"""Photos as batches: decoded once, cropped and mirrored by a seed, left out where they break."""

import dataclasses
import os
import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emotag.errors import DataError, StorageError
from emotag.features.pixels import PixelCache
from emotag.models.finetuning.broken import BrokenPhotos
from emotag.models.finetuning.callbacks import Epoch
from emotag.models.finetuning.photos import (
    Augmentation,
    EvenBatches,
    Labelled,
    PhotoLoader,
    PhotoSet,
)
from emotag.models.finetuning.preparing import decode_sets, hash_photos
from emotag.photos.decoding import decode_photo
from emotag.photos.preprocess import Preprocess
from tests.models.conftest import Photos
from tests.models.finetuning.conftest import Quick

PREPROCESS = Preprocess(24, 32, mean=(127.5,) * 3, std=(127.5,) * 3)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def copies(photos: Photos, tmp_path: Path) -> Photos:
    """The photos, to be damaged and removed."""
    (tmp_path / "copies").mkdir()
    paths = [shutil.copy(path, tmp_path / "copies") for path in photos.X]
    return Photos(np.array([str(path) for path in paths]), photos.y)


def labelled(photos: Photos) -> Labelled:
    count = len(photos.X)
    codes = np.unique(photos.y, return_inverse=True)[1]
    return Labelled(photos.X.tolist(), codes, np.arange(count), np.arange(1.0, count + 1))


def make_set(photos: Photos, *, mirror: bool = False, crop: bool = True) -> PhotoSet:
    broken = BrokenPhotos(len(photos.X), 0.05)
    sound = hash_photos(labelled(photos), broken)
    augmentation = Augmentation(mirror=mirror, crop=crop)
    nothing = sound.take(np.array([], dtype=int))
    return decode_sets(sound, nothing, PREPROCESS, augmentation, broken)[0]


def pixels_of(photos: PhotoSet, indices: list[int] | None = None) -> np.ndarray:
    return photos.__getitems__(indices or list(range(len(photos))))[0].numpy()


class TestBatches:
    def test_pixels_classes_and_weights(self, photos: Photos) -> None:
        found = make_set(photos)
        pixels, (classes, weights) = found.__getitems__([3, 17, 4])
        assert (pixels.shape, pixels.dtype) == ((3, 24, 24, 3), torch.uint8)
        assert classes.tolist() == [0, 1, 0]
        assert weights.tolist() == [4, 18, 5]
        assert (classes.dtype, weights.dtype) == (torch.int64, torch.float32)
        found.close()

    def test_the_centre_is_exactly_that_of_tagging(self, photos: Photos) -> None:
        found = make_set(photos, crop=False)
        expected = [decode_photo(path, PREPROCESS).pixels for path in photos.X]
        np.testing.assert_array_equal(pixels_of(found), np.stack(expected))
        found.close()

    def test_an_epoch_is_what_its_seed_says(self, photos: Photos) -> None:
        found = make_set(photos, mirror=True)
        epochs = []
        for seed in (1, 2, 1):
            found.start_epoch(seed)
            epochs.append((found.order.tolist(), pixels_of(found)))
        found.close()
        assert epochs[0][0] == epochs[2][0] != epochs[1][0]
        np.testing.assert_array_equal(epochs[0][1], epochs[2][1])
        assert (epochs[0][1] != epochs[1][1]).any()

    def test_a_photo_does_not_depend_on_its_batch(self, photos: Photos) -> None:
        found = make_set(photos, mirror=True)
        whole = pixels_of(found)
        for index in (0, 13, 39):
            np.testing.assert_array_equal(pixels_of(found, [index])[0], whole[index])
        np.testing.assert_array_equal(pixels_of(found, [5, 2]), whole[[5, 2]])
        found.close()

    def test_half_are_mirrored(self, photos: Photos) -> None:
        mirroring, plain = make_set(photos, mirror=True), make_set(photos)
        turned = 0
        for seed in range(10):
            mirroring.start_epoch(seed)
            plain.start_epoch(seed)
            for ours, theirs in zip(pixels_of(mirroring), pixels_of(plain), strict=True):
                is_turned = (ours == theirs[:, ::-1]).all()
                assert is_turned or (ours == theirs).all()
                turned += is_turned
        mirroring.close()
        plain.close()
        assert 150 < turned < 250

    def test_crops_come_from_everywhere(self, photos: Photos) -> None:
        found = make_set(photos)
        with PixelCache() as opened:
            whole = opened.get([found.keys[0]])[found.keys[0]]
        places = set()
        for seed in range(300):
            found.start_epoch(seed)
            crop = pixels_of(found, [0])[0]
            places |= {
                (top, left)
                for top in range(whole.shape[0] - 23)
                for left in range(whole.shape[1] - 23)
                if (whole[top : top + 24, left : left + 24] == crop).all()
            }
        found.close()
        assert {top for top, _ in places} == set(range(9))
        assert {left for _, left in places} == set(range(whole.shape[1] - 23))


class TestLoading:
    def batches(self, photos: PhotoSet, **settings: Any) -> list[list[int]]:
        return list(EvenBatches(photos, **settings))

    @pytest.mark.parametrize(
        ("size", "expected"), [(32, [20, 20]), (7, [7, 7, 7, 7, 6, 6]), (99, [40])]
    )
    def test_batches_are_even(self, photos: Photos, size: int, expected: list[int]) -> None:
        found = make_set(photos)
        batches = self.batches(found, batch_size=size, shuffle=True)
        assert [len(batch) for batch in batches] == expected
        assert sorted(chain(*batches)) == list(range(40))
        in_order = self.batches(found, batch_size=size, shuffle=False)
        assert list(chain(*in_order)) == list(range(40))
        found.close()

    def test_processes_share_each_batch(self, photos: Photos) -> None:
        found = make_set(photos)
        whole = self.batches(found, batch_size=7, shuffle=True)
        shares = [
            self.batches(found, batch_size=7, shuffle=True, part=part, parts=3) for part in range(3)
        ]
        assert [list(chain(*parts)) for parts in zip(*shares, strict=True)] == whole
        found.close()

    @pytest.mark.parametrize("num_workers", [0, 1])
    def test_loaded_ahead(self, photos: Photos, num_workers: int) -> None:
        found = make_set(photos, mirror=True)
        loader = PhotoLoader(found, EvenBatches(found, 16, shuffle=True), num_workers=num_workers)
        torch.manual_seed(0)
        before = torch.get_rng_state()
        pixels = torch.cat([batch for batch, _ in loader])
        assert torch.equal(torch.get_rng_state(), before)
        np.testing.assert_array_equal(pixels.numpy(), pixels_of(found)[found.order])
        found.close()

    def test_what_goes_wrong_ahead_is_raised(self, copies: Photos) -> None:
        found = make_set(copies)
        with PixelCache() as opened:
            opened.clear()
        shutil.rmtree(Path(copies.X[0]).parent)
        with pytest.raises(DataError, match=r"^3 of 40 photos cannot be used"):
            list(PhotoLoader(found, EvenBatches(found, 8, shuffle=True)))
        found.close()


class TestDecodedOnce:
    def test_later_epochs_need_no_file(self, quick: Quick, copies: Photos) -> None:
        expected = quick(max_epochs=4).fit(copies.X, copies.y)

        def remove(epoch: Epoch) -> None:
            if epoch.number == 1:
                shutil.rmtree(Path(copies.X[0]).parent)

        model = quick(max_epochs=4, progress=remove).fit(copies.X, copies.y)
        assert model.failures_ == []
        for ours, theirs in zip(
            model.module_.state_dict().values(),
            expected.module_.state_dict().values(),
            strict=True,
        ):
            assert torch.equal(ours, theirs)

    def test_a_second_fit_decodes_nothing(
        self, copies: Photos, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_set(copies).close()
        decoded: list[str] = []

        def count(path: str, *args: Any, **kwargs: Any) -> Any:
            decoded.append(path)
            return decode_photo(path, *args, **kwargs)

        monkeypatch.setattr("emotag.features.pixels.decode_photo", count)
        make_set(copies, mirror=True).close()
        assert decoded == []
        make_set(copies, crop=False).close()
        assert sorted(decoded) == sorted(copies.X)

    def test_the_same_content_is_decoded_once(self, copies: Photos) -> None:
        X = copies.X.copy()
        X[1] = shutil.copy(X[0], os.path.join(os.path.dirname(X[0]), "copy.png"))
        make_set(Photos(X, copies.y)).close()
        with PixelCache() as opened:
            assert opened.count() == 39

    @pytest.mark.parametrize("limit", ["0", "1"])
    def test_a_cache_that_is_too_small(
        self, quick: Quick, photos: Photos, monkeypatch: pytest.MonkeyPatch, limit: str
    ) -> None:
        expected = quick(max_epochs=2).fit(photos.X, photos.y).predict_proba(photos.X)
        with PixelCache() as opened:
            opened.clear()
        monkeypatch.setenv("EMOTAG_PIXEL_LIMIT", limit)
        model = quick(max_epochs=2).fit(photos.X, photos.y)
        np.testing.assert_array_equal(model.predict_proba(photos.X), expected)

    def test_a_cache_that_cannot_be_written(
        self, quick: Quick, photos: Photos, cache: Path
    ) -> None:
        cache.write_text("a file")
        with pytest.raises(StorageError, match=r"pixels\.sqlite cannot be opened: "):
            quick().fit(photos.X, photos.y)


class TestBroken:
    @pytest.fixture
    def gone(self, copies: Photos) -> Iterator[tuple[PhotoSet, Photos]]:
        """Photos that are not in the cache any more."""
        found = make_set(copies, crop=False)
        with PixelCache() as opened:
            opened.clear()
        yield found, copies
        found.close()

    def test_one_that_breaks_later_is_left_out(self, gone: tuple[PhotoSet, Photos]) -> None:
        found, copies = gone
        os.remove(copies.X[1])
        for _ in range(2):
            pixels, (classes, weights) = found.__getitems__([0, 1, 12])
            assert classes.tolist() == [0, 1]
            assert weights.tolist() == [1, 13]
            assert len(pixels) == 2
        assert [str(error) for error in found.broken.failures] == [
            f"{copies.X[1]}: does not exist (any more)"
        ]

    def test_a_batch_of_nothing_counts_nothing(self, gone: tuple[PhotoSet, Photos]) -> None:
        found, copies = gone
        os.remove(copies.X[1])
        pixels, (classes, weights) = found.__getitems__([1])
        assert pixels.shape == (1, 24, 24, 3)
        assert (len(classes), weights.tolist()) == (1, [0.0])

    def test_too_many_that_break_later(self, gone: tuple[PhotoSet, Photos]) -> None:
        found, copies = gone
        for path in copies.X[:3]:
            os.remove(path)
        with pytest.raises(DataError) as caught:
            found.__getitems__(list(range(40)))
        assert str(caught.value) == (
            "3 of 40 photos cannot be used, more than max_broken=0.05 allows; the first: "
            f"{copies.X[0]}: does not exist (any more)."
        )

    def test_while_training(
        self, quick: Quick, copies: Photos, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("EMOTAG_PIXEL_LIMIT", "0")

        def remove(*indices: int) -> Any:
            def progress(epoch: Epoch) -> None:
                if epoch.number == 1:
                    for index in indices:
                        os.remove(copies.X[index])

            return progress

        model = quick(max_epochs=3, progress=remove(0)).fit(copies.X, copies.y)
        assert [failure.path for failure in model.failures_] == [copies.X[0]]
        with pytest.raises(DataError, match=r"^3 of 40 photos cannot be used"):
            quick(max_epochs=3, progress=remove(1, 2, 3)).fit(copies.X, copies.y)


def test_photos_are_taken_by_mask_and_by_index(photos: Photos) -> None:
    found = hash_photos(labelled(photos), BrokenPhotos(40, 0.0))
    mask = np.zeros(40, bool)
    mask[[2, 5]] = True
    for some in (found.take(mask), found.take(np.array([2, 5]))):
        assert some.paths == photos.X[[2, 5]].tolist()
        assert some.weights.tolist() == [3, 6]
        assert some.contents == [found.contents[2], found.contents[5]]
    assert len(dataclasses.astuple(found)) == 5
