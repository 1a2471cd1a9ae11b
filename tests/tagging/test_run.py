import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotag.bundle.engine import Probabilities
from emotag.bundle.folder import open_bundle
from emotag.emotions import FIVE, LabelSet
from emotag.errors import BundleError, PhotosNotFoundError
from emotag.parallel.threads import usable_cores
from emotag.tagging.judging import CHUNK, gather_crew
from emotag.tagging.run import find_some, tag_found, tag_photos
from tests.conftest import draw_photo
from tests.tagging.small_bundle import save_small_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save_small_bundle(tmp_path_factory.mktemp("bundle") / "small")


@pytest.fixture
def mixed(tmp_path):
    """Five chunks of photos, of which some cannot be tagged."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for index in range(4 * CHUNK + 3):
        draw_photo(folder / f"img{index}.jpg", index)
    draw_photo(folder / "img2.jpg", 2, size=(16, 16))
    (folder / "img9.jpg").write_bytes(b"")
    (folder / "img10.jpg").write_text("Dear diary,")
    # a whole chunk without a sound photo
    for index in range(16, 24):
        (folder / f"img{index}.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "notes.txt").write_text("not a photo")
    return folder


def test_every_photo_gives_one_row_in_natural_order(mixed, bundle):
    rows = tag_photos(mixed, bundle)
    assert [os.path.basename(row.path) for row in rows] == [
        f"img{index}.jpg" for index in range(4 * CHUNK + 3)
    ]
    refused = {9, 10, *range(16, 24)}
    for index, row in enumerate(rows):
        expected = "skipped" if index == 2 else "failed" if index in refused else "tagged"
        assert (row.path, row.status) == (str(mixed / f"img{index}.jpg"), expected)
        assert bool(row.reason) == (expected != "tagged")
        assert row.model == "small"
    assert rows[9].reason == "empty file"
    assert rows[10].reason == "not a photo but text"
    assert rows[2].reason.startswith("too small")
    assert (rows[9].emotion, rows[9].confidence, rows[9].probabilities) == ("", None, ())


def test_rows_do_not_depend_on_threads_or_runs(mixed, bundle):
    rows = tag_photos(mixed, bundle, jobs=1)
    for jobs in (1, 2, 4, None):
        assert tag_photos(mixed, bundle, jobs=jobs) == rows


def test_a_row_says_the_most_probable_emotion_and_the_folded_sentiment(mixed, bundle):
    rows = [row for row in tag_photos(mixed, bundle) if row.status == "tagged"]
    assert len({row.emotion for row in rows}) > 1, "the photos should differ"
    for row in rows:
        assert sum(row.probabilities) == pytest.approx(1, abs=1e-5)
        assert row.confidence == max(row.probabilities)
        assert row.emotion == FIVE.names[int(np.argmax(row.probabilities))]
        assert row.p_positive == pytest.approx(row.probabilities[0] + row.probabilities[1])
        assert row.sentiment == ("positive" if row.p_positive >= 0.5 else "negative")


def test_a_photo_under_the_wrong_ending_is_tagged_and_noted(tmp_path, bundle):
    os.rename(draw_photo(tmp_path / "a.jpg", 1), tmp_path / "a.png")
    (row,) = tag_photos(tmp_path, bundle)
    assert (row.status, row.reason) == ("tagged", "JPEG under the ending .png")


def test_a_sentiment_of_its_own_comes_from_the_model(tmp_path):
    folder = save_small_bundle(tmp_path / "learnt", learnt_sentiment=True)
    photos = [draw_photo(tmp_path / f"{seed}.jpg", seed) for seed in range(3)]
    rows = tag_photos(photos, folder)
    assert all(row.sentiment in ("positive", "negative") for row in rows)
    assert any(abs(row.p_positive - sum(row.probabilities[:2])) > 0.01 for row in rows)


def test_labels_of_unknown_sentiment_give_none(tmp_path):
    folder = save_small_bundle(tmp_path / "weather", LabelSet(["sun", "rain"]))
    (row,) = tag_photos(draw_photo(tmp_path / "a.jpg", 1), folder)
    assert row.emotion in ("sun", "rain")
    assert (row.sentiment, row.p_positive) == ("", None)


def test_paths_may_be_text_path_objects_lists_and_patterns(mixed, bundle, monkeypatch):
    monkeypatch.chdir(mixed)
    assert [row.path for row in tag_photos("img1.jpg", bundle)] == ["img1.jpg"]
    assert [row.path for row in tag_photos(Path("img1.jpg"), bundle)] == ["img1.jpg"]
    assert [row.path for row in tag_photos(["img3.jpg", Path("img1.jpg")], bundle)] == [
        "img3.jpg",
        "img1.jpg",
    ]
    assert len(tag_photos("img3*.jpg", bundle)) == 6
    assert len(tag_photos(".", bundle, exclude=["img1?.jpg", "img2?.jpg"])) == 15


def test_too_many_pixels_are_skipped_with_the_option_named(tmp_path, bundle):
    draw_photo(tmp_path / "a.jpg", 1)
    (row,) = tag_photos(tmp_path, bundle, max_pixels=1000)
    assert row.status == "skipped"
    assert "--max-pixels" in row.reason


def test_the_default_model_tags_real_photos(sample_photos):
    rows = tag_photos(sample_photos)
    assert [row.status for row in rows] == ["tagged", "tagged"]
    labels = open_bundle(_default()).config.label_set
    assert all(row.emotion in labels for row in rows)


def _default():
    from emotag.bundle.finding import default_bundle

    return default_bundle()


class TestNothingToTag:
    def test_a_path_that_does_not_exist_is_named_with_the_nearest(self, tmp_path, bundle):
        draw_photo(tmp_path / "holiday.jpg", 1)
        with pytest.raises(PhotosNotFoundError, match=r"Did you mean .*holiday\.jpg\?"):
            tag_photos(tmp_path / "holyday.jpg", bundle)

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(PhotosNotFoundError) as caught:
            find_some([tmp_path])
        assert str(caught.value) == (
            f"There is no photo in {tmp_path}. "
            "emotag reads JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, HEIF."
        )

    @pytest.mark.parametrize(("count", "said"), [(1, "1 other file."), (2, "2 other files.")])
    def test_a_folder_of_other_files(self, tmp_path, count, said):
        for index in range(count):
            (tmp_path / f"{index}.txt").write_text("text")
        with pytest.raises(PhotosNotFoundError, match=f", but {said}"):
            find_some([tmp_path])

    def test_a_folder_that_cannot_be_searched_is_named(self, tmp_path):
        deep = _too_deep(tmp_path)
        with pytest.raises(PhotosNotFoundError) as caught:
            find_some([tmp_path])
        assert "could not be searched: File name too long." in str(caught.value)
        assert deep[:200] in str(caught.value)

    def test_no_model_is_opened_for_nothing(self, tmp_path):
        with pytest.raises(PhotosNotFoundError):
            tag_photos(tmp_path, "no-such-model")


def _too_deep(folder):
    """Nest folders until their path is longer than the system takes."""
    name = "d" * 250
    handle = os.open(folder, os.O_RDONLY)
    path = str(folder)
    while len(path) < 4200:
        os.mkdir(name, dir_fd=handle)
        inner = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle, path = inner, f"{path}/{name}"
    os.close(handle)
    return path


def test_a_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BundleError, match="no model 'nope'"):
        tag_photos(draw_photo(tmp_path / "a.jpg", 1), "nope")


def test_an_engine_that_fails_ends_the_run_and_leaves_no_thread(mixed, bundle):
    opened = open_bundle(bundle)

    def engine(pixels):
        raise BundleError("the network failed")

    photos = find_some([mixed]).photos
    with pytest.raises(BundleError, match="the network failed"):
        list(tag_found(photos, crew_of(engine, opened, jobs=2), opened.config))
    assert not [t for t in threading.enumerate() if t.name.startswith("emotag")]


def test_an_engine_sees_chunks_of_sound_photos_only(mixed, bundle):
    opened = open_bundle(bundle)
    sizes = []

    def engine(pixels):
        assert pixels.dtype == np.uint8
        assert pixels.shape[1:] == (32, 32, 3)
        sizes.append(len(pixels))
        return Probabilities(np.full((len(pixels), 5), 0.2), None)

    photos = find_some([mixed]).photos
    rows = list(tag_found(photos, crew_of(engine, opened, jobs=1), opened.config))
    # 32 photos a chunk, of which some cannot be tagged, and the rest
    assert sizes == [3 * CHUNK - 3, 3]
    assert len(rows) == 4 * CHUNK + 3


def crew_of(engine, bundle, *, jobs):
    return gather_crew(bundle, n_photos=100, jobs=jobs, opener=lambda *_: engine)


@pytest.mark.parametrize(("n_photos", "threads"), [(CHUNK, usable_cores()), (CHUNK + 1, 1)])
def test_few_photos_get_all_cores_and_many_one_a_thread(bundle, n_photos, threads):
    asked = []
    gather_crew(open_bundle(bundle), n_photos=n_photos, opener=lambda *said: asked.append(said[1:]))
    assert asked == [(threads, 0)]


def test_an_uncertain_photo_has_probabilities_but_no_emotion(mixed, bundle):
    sure = tag_photos(mixed, bundle)
    bar = sorted(row.confidence for row in sure if row.status == "tagged")[10]
    rows = tag_photos(mixed, bundle, min_confidence=bar)
    for row, plain in zip(rows, sure, strict=True):
        if plain.status != "tagged" or plain.confidence >= bar:
            assert row == plain
            continue
        assert row == replace(plain, status="uncertain", emotion="", sentiment="", because=None)
    assert sum(row.status == "uncertain" for row in rows) == 10


@pytest.mark.parametrize("top", [1, 2, 5, 9])
def test_the_most_probable_labels_come_first(mixed, bundle, top):
    names = open_bundle(bundle).config.label_set.names
    for row in tag_photos(mixed, bundle, top=top, min_confidence=1.0):
        if row.status != "uncertain":
            assert row.top is None
            continue
        said = [part.rpartition(" ") for part in row.top.split("; ")]
        assert len(said) == min(top, len(names))
        expected = sorted(zip(row.probabilities, names, strict=True), reverse=True)[:top]
        assert [name for name, _, _ in said] == [name for _, name in expected]
        assert [text for _, _, text in said] == [f"{value:.2f}" for value, _ in expected]
