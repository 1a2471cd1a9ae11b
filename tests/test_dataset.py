"""Labelled folders and manifests: what is loaded, what is refused, and how it is split."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotag.dataset import Dataset, load_dataset, load_photos, split_dataset
from emotag.errors import DataError, PhotosNotFoundError
from tests.conftest import as_ordinary_user, draw_photo

HEADER = ("file", "label", "group", "split")


def write_photos(folder: Path, names: Sequence[str], first_seed: int = 0) -> None:
    for seed, name in enumerate(names, first_seed):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_photo(path, seed, size=(40, 36))


def write_manifest(
    folder: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER
) -> Path:
    path = folder / "photos.csv"
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def make_dataset(
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
) -> Dataset:
    """Return a data set of photos that need not exist."""
    count = len(labels)
    return Dataset(
        paths=np.array([f"{index}.jpg" for index in range(count)], dtype=np.str_),
        labels=np.array(labels, dtype=np.str_),
        sentiments=np.array([""] * count, dtype=np.str_),
        groups=np.array(groups or [f"g{index}" for index in range(count)], dtype=np.str_),
        splits=np.array(splits or [""] * count, dtype=np.str_),
        sources=np.array([""] * count, dtype=np.str_),
        digests=np.array([f"d{index}" for index in range(count)], dtype=np.str_),
    )


class TestFolders:
    def test_each_folder_is_a_label(self, tmp_path: Path) -> None:
        names = ["love/10.jpg", "love/9.jpg", "fear/more/deep.jpg", "stray.jpg"]
        write_photos(tmp_path, names)
        (tmp_path / "love" / "notes.txt").write_text("no photo")
        dataset = load_dataset([str(tmp_path)])
        assert dataset.paths.tolist() == [
            f"{tmp_path}/fear/more/deep.jpg",
            f"{tmp_path}/love/9.jpg",
            f"{tmp_path}/love/10.jpg",
            f"{tmp_path}/stray.jpg",
        ]
        assert dataset.labels.tolist() == ["fear", "love", "love", ""]
        assert dataset.counts == {"fear": 1, "love": 2}
        assert len(set(dataset.groups.tolist())) == 4

    def test_a_folder_that_may_not_be_listed_is_not_passed_over(self, open_folder: Path) -> None:
        write_photos(open_folder, ["love/a.jpg", "fear/b.jpg", "sadness/c.jpg"])
        (open_folder / "sadness").chmod(0)
        with as_ordinary_user(), pytest.raises(DataError) as caught:
            load_dataset([str(open_folder)])
        message = f"{open_folder}/sadness could not be searched: Permission denied."
        assert str(caught.value) == message

    def test_paths_are_as_typed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_photos(tmp_path, ["data/love/a.jpg"])
        monkeypatch.chdir(tmp_path)
        assert load_dataset(["data"]).paths.tolist() == ["data/love/a.jpg"]

    def test_copies_are_one_group(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["love/a.jpg", "love/c.jpg"])
        (tmp_path / "fear").mkdir()
        shutil.copy(tmp_path / "love/a.jpg", tmp_path / "fear/b.jpg")
        copied, original, other = load_dataset([str(tmp_path)]).groups.tolist()
        assert copied == original != other

    def test_several_folders(self, tmp_path: Path) -> None:
        write_photos(tmp_path / "one", ["love/a.jpg"])
        write_photos(tmp_path / "two", ["b.jpg"], first_seed=1)
        write_manifest(tmp_path / "two", [["b.jpg", "fear", "", "test"]])
        dataset = load_dataset([str(tmp_path / "one"), str(tmp_path / "two")])
        assert dataset.labels.tolist() == ["love", "fear"]
        assert dataset.splits.tolist() == ["", "test"]

    def test_a_folder_given_twice(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["data/love/a.jpg"])
        (tmp_path / "again").symlink_to(tmp_path / "data")
        data = str(tmp_path / "data")
        message = f"^{data}/love/a.jpg was given twice; name each folder once.$"
        with pytest.raises(DataError, match=message):
            load_dataset([data, data])
        with pytest.raises(DataError, match=message):
            load_dataset([data, str(tmp_path / "again")])

    def test_no_such_folder(self, tmp_path: Path) -> None:
        with pytest.raises(PhotosNotFoundError) as caught:
            load_dataset([f"{tmp_path}/nowhere"])
        assert str(caught.value) == (
            f"{tmp_path}/nowhere does not exist; emotag fits on folders of LABEL/photo.jpg, "
            "with or without a photos.csv."
        )
        write_photos(tmp_path, ["a.jpg"])
        with pytest.raises(PhotosNotFoundError, match=r"a.jpg is not a folder; emotag fits"):
            load_dataset([f"{tmp_path}/a.jpg"])

    @pytest.mark.parametrize("names", [[], ["a.jpg", "b.jpg"]])
    def test_no_labelled_photo(self, tmp_path: Path, names: list[str]) -> None:
        write_photos(tmp_path, names)
        with pytest.raises(PhotosNotFoundError) as caught:
            load_dataset([str(tmp_path)])
        assert str(caught.value) == (
            f"{tmp_path} holds no labelled photo; emotag expects {tmp_path}/LABEL/photo.jpg "
            "or a photos.csv with the columns file and label."
        )

    def test_photos_that_cannot_be_read_are_kept_for_the_report(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["love/a.jpg"])
        (tmp_path / "love/gone.jpg").symlink_to("nowhere.jpg")
        dataset = load_dataset([str(tmp_path)])
        assert len(dataset) == 2
        assert dataset.digests.tolist()[1] == f"unreadable {tmp_path}/love/gone.jpg"

    def test_a_fifo_is_not_waited_for(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["love/a.jpg"])
        os.mkfifo(tmp_path / "love/b.jpg")
        code = "import sys; from emotag.dataset import load_dataset as load; load(sys.argv[1:])"
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60, check=True)
        assert len(load_dataset([str(tmp_path)])) == 2


class TestManifests:
    def test_columns(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["x/a.jpg", "b.jpg", "c.jpg"])
        header = ("source", "split", "label", "file", "sentiment", "group", "licence")
        write_manifest(
            tmp_path,
            [
                ["web", "train", " love ", "x/a.jpg", "positive", "g1", "CC BY"],
                ["", "test", "fear", "b.jpg", "negative", "g2", ""],
                ["web", "val", "", "c.jpg", "neutral", "g1", ""],
            ],
            header,
        )
        dataset = load_dataset([str(tmp_path)])
        assert dataset.paths.tolist() == [
            f"{tmp_path}/{name}" for name in ("x/a.jpg", "b.jpg", "c.jpg")
        ]
        assert dataset.labels.tolist() == ["love", "fear", ""]
        assert dataset.sentiments.tolist() == ["positive", "negative", ""]
        assert dataset.splits.tolist() == ["train", "test", "val"]
        assert dataset.sources.tolist() == ["web", "", "web"]
        first, second, third = dataset.groups.tolist()
        assert first == third != second

    def test_other_columns_by_name(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["a.jpg", "b.jpg"])
        header = ("file", "label", "mood", "owner", "part")
        rows = [["a.jpg", "x", "awe", "ann", "train"], ["b.jpg", "x", "joy", "ann", "test"]]
        write_manifest(tmp_path, rows, header)
        dataset = load_dataset(
            [str(tmp_path)], label_column="mood", group_column="owner", split_column="part"
        )
        assert dataset.labels.tolist() == ["awe", "joy"]
        assert dataset.splits.tolist() == ["train", "test"]
        assert len(set(dataset.groups.tolist())) == 1

    def test_group_and_split_are_not_needed(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["a.jpg"])
        write_manifest(tmp_path, [["a.jpg", "love"]], ("file", "label"))
        dataset = load_dataset([str(tmp_path)])
        assert dataset.splits.tolist() == [""]

    def test_as_a_spreadsheet_saves_it(self, tmp_path: Path) -> None:
        names = ["a, b.jpg", 'say "hi".jpg', "two\nlines.jpg", "größe.jpg"]
        write_photos(tmp_path, names)
        path = write_manifest(tmp_path, [[name, "love", "", ""] for name in names])
        content = path.read_bytes()
        assert b"\r\n" in content
        path.write_bytes(b"\xef\xbb\xbf" + content)
        dataset = load_dataset([str(tmp_path)])
        assert dataset.paths.tolist() == [f"{tmp_path}/{name}" for name in names]

    def test_a_very_long_cell(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["a.jpg"])
        write_manifest(tmp_path, [["a.jpg", "love", "x" * 200_000]], ("file", "label", "tags"))
        assert len(load_dataset([str(tmp_path)])) == 1

    @pytest.mark.parametrize("header", [("path", "label"), ("file", "emotion"), ()])
    def test_missing_column(self, tmp_path: Path, header: tuple[str, ...]) -> None:
        path = write_manifest(tmp_path, [], header)
        missing = "label" if "file" in header else "file"
        with pytest.raises(DataError) as caught:
            load_dataset([str(tmp_path)])
        assert str(caught.value) == (
            f"{path} has no column {missing!r}; it has {', '.join(header) or 'none'}. "
            "--label-column names another for the labels."
        )

    @pytest.mark.parametrize("option", ["group_column", "split_column"])
    def test_missing_column_that_was_named(self, tmp_path: Path, option: str) -> None:
        path = write_manifest(tmp_path, [])
        with pytest.raises(DataError) as caught:
            load_dataset([str(tmp_path)], **{option: "owner"})
        message = f"{path} has no column 'owner'; it has file, label, group, split."
        assert str(caught.value) == message

    def test_empty_manifest(self, tmp_path: Path) -> None:
        write_manifest(tmp_path, [])
        with pytest.raises(PhotosNotFoundError, match="holds no labelled photo"):
            load_dataset([str(tmp_path)])

    def test_unknown_split(self, tmp_path: Path) -> None:
        path = write_manifest(tmp_path, [["a.jpg", "love", "", "dev"]])
        with pytest.raises(DataError) as caught:
            load_dataset([str(tmp_path)])
        message = f"{path}, line 2: unknown split 'dev'; choose from train, val, test."
        assert str(caught.value) == message

    @pytest.mark.parametrize("row", [["a.jpg", "love"], ["a.jpg", "love", "", "", "more"]])
    def test_wrong_number_of_cells(self, tmp_path: Path, row: list[str]) -> None:
        path = write_manifest(tmp_path, [["b.jpg", "love", "", ""], row])
        with pytest.raises(DataError) as caught:
            load_dataset([str(tmp_path)])
        message = f"{path}, line 3: the row has more or fewer cells than the header."
        assert str(caught.value) == message

    def test_not_utf8(self, tmp_path: Path) -> None:
        path = tmp_path / "photos.csv"
        path.write_bytes("file,label\nfür.jpg,love\n".encode("latin-1"))
        with pytest.raises(DataError, match=f"^{path} cannot be read: 'utf-8' codec"):
            load_dataset([str(tmp_path)])

    def test_a_folder_in_the_manifests_place(self, tmp_path: Path) -> None:
        (tmp_path / "photos.csv").mkdir()
        with pytest.raises(DataError, match=r"photos.csv is not a file, or a broken link.$"):
            load_dataset([str(tmp_path)])

    def test_a_fifo_in_the_manifests_place_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "photos.csv")
        with pytest.raises(DataError, match=r"photos.csv is not a file, or a broken link.$"):
            load_dataset([str(tmp_path)])

    def test_a_broken_link_in_the_manifests_place_is_not_passed_over(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["love/a.jpg", "fear/b.jpg"])
        (tmp_path / "photos.csv").symlink_to("gone.csv")
        with pytest.raises(DataError, match=r"photos.csv is not a file, or a broken link.$"):
            load_dataset([str(tmp_path)])

    def test_a_column_that_stands_twice(self, tmp_path: Path) -> None:
        path = write_manifest(tmp_path, [], header=("file", "label", "label"))
        with pytest.raises(DataError) as caught:
            load_dataset([str(tmp_path)])
        assert str(caught.value) == f"{path} has the column 'label' twice."

    @pytest.mark.parametrize(
        "file",
        [
            "/etc/hostname",
            "../outside.jpg",
            "love/../../outside.jpg",
            "..",
            "C:\\photos\\a.jpg",
            "C:a.jpg",
            "\\\\server\\share\\a.jpg",
            "\\windows\\a.jpg",
            "//server/share/a.jpg",
            "love\\..\\..\\outside.jpg",
            "nul\0byte.jpg",
            "",
        ],
    )
    def test_paths_that_lead_out(self, tmp_path: Path, file: str) -> None:
        write_photos(tmp_path, ["outside.jpg", "data/love/a.jpg"])
        path = write_manifest(tmp_path / "data", [[file, "love", "", ""]])
        with pytest.raises(DataError) as caught:
            load_dataset([str(tmp_path / "data")])
        message = f"{path}, line 2: {file!r} is not a path inside the folder of the manifest."
        assert str(caught.value) == message

    def test_row_without_file(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["a.jpg"])
        rows = [[name, "love", "", ""] for name in ("a.jpg", "b.jpg", "c.jpg")]
        path = write_manifest(tmp_path, rows)
        with pytest.raises(DataError) as caught:
            load_dataset([str(tmp_path)])
        assert str(caught.value) == (
            f"{path} names photos that are not there: {tmp_path}/b.jpg, {tmp_path}/c.jpg."
        )

    def test_many_rows_without_file(self, tmp_path: Path) -> None:
        write_manifest(tmp_path, [[f"{index}.jpg", "love", "", ""] for index in range(10)])
        with pytest.raises(DataError, match=r"0.jpg, .*/1.jpg, .*/2.jpg and 7 more.$"):
            load_dataset([str(tmp_path)])

    def test_file_without_row(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["a.jpg", "x/b.jpg"])
        path = write_manifest(tmp_path, [["a.jpg", "love", "", ""]])
        with pytest.raises(DataError) as caught:
            load_dataset([str(tmp_path)])
        assert str(caught.value) == (
            f"{path} does not name photos that are there: {tmp_path}/x/b.jpg. "
            "Add a row for each, with an empty label to leave it out, or move them away."
        )

    @pytest.mark.parametrize("again", ["x/a.jpg", "./x/a.jpg", "x//a.jpg", "x/./a.jpg"])
    def test_doubled_row(self, tmp_path: Path, again: str) -> None:
        write_photos(tmp_path, ["x/a.jpg"])
        rows = [["x/a.jpg", "love", "", ""], [again, "fear", "", ""]]
        path = write_manifest(tmp_path, rows)
        with pytest.raises(DataError) as caught:
            load_dataset([str(tmp_path)])
        assert str(caught.value) == f"{path} names photos more than once: {tmp_path}/x/a.jpg."

    def test_rows_without_label_are_left_out_of_fitting(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["a.jpg", "b.jpg", "c.jpg"])
        labels = {"a.jpg": "love", "b.jpg": "", "c.jpg": "fear"}
        write_manifest(tmp_path, [[name, label, "", ""] for name, label in labels.items()])
        dataset = load_dataset([str(tmp_path)])
        assert len(dataset) == 3
        assert len(dataset.labelled) == 2
        assert dataset.counts == {"fear": 1, "love": 1}
        paths, y, groups = load_photos(tmp_path)
        assert paths.tolist() == [f"{tmp_path}/a.jpg", f"{tmp_path}/c.jpg"]
        assert y.tolist() == ["love", "fear"]
        assert len(set(groups.tolist())) == 2

    def test_copies_join_their_groups(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["a.jpg", "b.jpg", "d.jpg"])
        shutil.copy(tmp_path / "b.jpg", tmp_path / "c.jpg")
        groups = {"a.jpg": "one", "b.jpg": "one", "c.jpg": "two", "d.jpg": "two"}
        write_manifest(tmp_path, [[name, "love", group, ""] for name, group in groups.items()])
        assert len(set(load_dataset([str(tmp_path)]).groups.tolist())) == 1


class TestLoadPhotos:
    def test_several_folders_as_paths(self, tmp_path: Path) -> None:
        write_photos(tmp_path / "one", ["love/a.jpg"])
        write_photos(tmp_path / "two", ["fear/b.jpg"], first_seed=1)
        paths, y, groups = load_photos([tmp_path / "one", tmp_path / "two"])
        assert [os.path.basename(path) for path in paths] == ["a.jpg", "b.jpg"]
        assert y.tolist() == ["love", "fear"]
        assert len(groups) == 2

    def test_nothing_has_a_label(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["a.jpg"])
        write_manifest(tmp_path, [["a.jpg", "", "", ""]])
        with pytest.raises(DataError, match=r"^No photo has a label, so there is nothing to fit"):
            load_photos(tmp_path)
        with pytest.raises(DataError, match=r"^No photo has a label"):
            load_photos([])


class TestSplits:
    def test_given_splits_are_taken(self) -> None:
        splits = ["train", "val", "test", "test"]
        train, test = split_dataset(make_dataset(["a", "b", "a", "b"], splits=splits))
        assert train.paths.tolist() == ["0.jpg", "1.jpg"]
        assert test.paths.tolist() == ["2.jpg", "3.jpg"]

    def test_without_splits_a_quarter_is_held_out(self) -> None:
        labels = ["love"] * 40 + ["fear"] * 120
        train, test = split_dataset(make_dataset(labels))
        assert test.counts == {"fear": 30, "love": 10}
        assert train.counts == {"fear": 90, "love": 30}
        assert set(train.paths) | set(test.paths) == {f"{index}.jpg" for index in range(160)}

    def test_the_seed_decides(self) -> None:
        dataset = make_dataset(["love", "fear"] * 40)
        held_out = [split_dataset(dataset, seed=seed)[1].paths.tolist() for seed in (0, 0, 1)]
        assert held_out[0] == held_out[1] != held_out[2]

    @settings(deadline=None, max_examples=60)
    @given(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 15)), min_size=1, max_size=60),
        st.integers(0, 2**32 - 1),
    )
    def test_no_group_is_on_both_sides(self, photos: list[tuple[str, int]], seed: int) -> None:
        dataset = make_dataset([label for label, _ in photos], [f"g{group}" for _, group in photos])
        try:
            train, test = split_dataset(dataset, seed=seed)
        except DataError:
            few = [
                len(set(dataset.groups[dataset.labels == label].tolist())) < 4
                for label in dataset.counts
            ]
            assert len(dataset.counts) < 2 or any(few)
            return
        assert not set(train.groups) & set(test.groups)
        assert set(test.labels) <= set(train.labels)
        assert sorted([*train.paths, *test.paths]) == sorted(dataset.paths)
        assert len(train) > 0
        assert len(test) > 0

    def test_nothing_to_fit_on(self) -> None:
        with pytest.raises(
            DataError, match=r"^No photo has a label, so there is nothing to fit on.$"
        ):
            split_dataset(make_dataset([]))

    def test_one_label(self) -> None:
        message = "^All photos have the label 'love'; a model needs at least two to tell apart.$"
        with pytest.raises(DataError, match=message):
            split_dataset(make_dataset(["love"] * 9))

    def test_label_with_fewer_photos_than_folds(self) -> None:
        with pytest.raises(DataError) as caught:
            split_dataset(make_dataset(["love"] * 20 + ["fear"] * 3))
        assert str(caught.value) == (
            "The label 'fear' has 3 photos that are independent of each other, "
            "and 4 are needed to hold a part out."
        )

    def test_label_whose_photos_are_one_group(self) -> None:
        groups = [f"g{index}" for index in range(20)] + ["owner"] * 9
        with pytest.raises(DataError, match="'fear' has 1 photos that are independent"):
            split_dataset(make_dataset(["love"] * 20 + ["fear"] * 9, groups))

    def test_some_have_a_split(self) -> None:
        splits = ["train", "", "test", ""]
        with pytest.raises(DataError) as caught:
            split_dataset(make_dataset(["a", "b", "a", "b"], splits=splits))
        assert str(caught.value) == (
            "2 labelled photos have no split while others have one, the first of them 1.jpg; "
            "give every photo one or none."
        )

    def test_a_group_on_both_sides(self) -> None:
        groups = ["g", "g", "h", "i"]
        splits = ["train", "test", "train", "test"]
        with pytest.raises(DataError) as caught:
            split_dataset(make_dataset(["a", "b", "b", "a"], groups, splits))
        assert str(caught.value) == (
            "Photos of one group, or with the same content, stand both in the test split and "
            "outside it: 0.jpg, 1.jpg (1 such groups). "
            "The test would not be honest; mend the column split."
        )

    def test_a_copy_on_both_sides(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["a.jpg", "b.jpg", "d.jpg"])
        shutil.copy(tmp_path / "a.jpg", tmp_path / "c.jpg")
        splits = {"a.jpg": "train", "b.jpg": "train", "c.jpg": "test", "d.jpg": "test"}
        rows = [[name, name[0], "", split] for name, split in splits.items()]
        write_manifest(tmp_path, rows)
        with pytest.raises(DataError, match=r"with the same content, .*a.jpg, .*c.jpg"):
            split_dataset(load_dataset([str(tmp_path)]))

    def test_train_and_val_may_share_a_group(self) -> None:
        groups = ["g", "g", "h", "i"]
        train, _ = split_dataset(
            make_dataset(["a", "b", "a", "b"], groups, ["train", "val", "test", "test"])
        )
        assert len(train) == 2

    @pytest.mark.parametrize(("split", "side"), [("train", "test"), ("test", "train")])
    def test_an_empty_side(self, split: str, side: str) -> None:
        with pytest.raises(DataError, match=f"^No labelled photo is in the {side} split.$"):
            split_dataset(make_dataset(["a", "b"], splits=[split] * 2))

    def test_label_only_in_the_test_split(self) -> None:
        splits = ["train", "train", "test", "test"]
        message = "^The labels c, d are in the test split only.$"
        with pytest.raises(DataError, match=message):
            split_dataset(make_dataset(["a", "b", "d", "c"], splits=splits))

    def test_single_label_to_fit_on(self) -> None:
        dataset = make_dataset(["a", "a", "b"], splits=["train", "train", "test"])
        with pytest.raises(DataError, match=r"^The labels b are in the test split only\.$"):
            split_dataset(dataset)


class TestFingerprint:
    def test_does_not_depend_on_names_and_order(self, tmp_path: Path) -> None:
        write_photos(tmp_path / "one", ["love/a.jpg", "fear/b.jpg"])
        write_photos(tmp_path / "two", ["love/c.jpg"], first_seed=5)
        shutil.copytree(tmp_path / "one", tmp_path / "elsewhere")
        (tmp_path / "elsewhere/love/a.jpg").rename(tmp_path / "elsewhere/love/z.jpg")
        before = load_dataset([str(tmp_path / "one"), str(tmp_path / "two")])
        after = load_dataset([str(tmp_path / "two"), str(tmp_path / "elsewhere")])
        assert before.paths.tolist() != after.paths.tolist()
        assert before.fingerprint() == after.fingerprint()

    def test_depends_on_labels_splits_and_contents(self, tmp_path: Path) -> None:
        write_photos(tmp_path, ["love/a.jpg", "fear/b.jpg"])
        fingerprints = {load_dataset([str(tmp_path)]).fingerprint()}
        (tmp_path / "love/a.jpg").rename(tmp_path / "fear/a.jpg")
        fingerprints.add(load_dataset([str(tmp_path)]).fingerprint())
        draw_photo(tmp_path / "fear/a.jpg", seed=99)
        fingerprints.add(load_dataset([str(tmp_path)]).fingerprint())
        rows = [["fear/a.jpg", "fear", "", "train"], ["fear/b.jpg", "fear", "", "test"]]
        write_manifest(tmp_path, rows)
        fingerprints.add(load_dataset([str(tmp_path)]).fingerprint())
        assert len(fingerprints) == 4


def test_the_shared_photos_load_and_split(shared_data: Path) -> None:
    dataset = load_dataset([str(shared_data)])
    assert len(dataset) > 10_000
    assert set(dataset.counts) == {"love", "happiness", "violence", "fear", "sadness"}
    assert set(dataset.sentiments) == {"positive", "negative", ""}
    train, test = split_dataset(dataset.labelled)
    assert set(test.labels) == set(train.labels) == set(dataset.counts)
    assert not set(train.groups) & set(test.groups)


def test_a_column_that_was_asked_for_needs_a_manifest(tmp_path: Path) -> None:
    write_photos(tmp_path, ["love/a.jpg", "fear/b.jpg"])
    with pytest.raises(DataError) as caught:
        load_dataset([str(tmp_path)], group_column="owner")
    assert str(caught.value) == f"{tmp_path} has no photos.csv, so it has no column 'owner'."


class TestSentiment:
    def test_the_manifest_counts_before_the_label(self, tmp_path: Path) -> None:
        rows = [("love", ""), ("fear", ""), ("fear", "positive"), ("", "negative"), ("", "")]
        lines = ["file,label,sentiment"]
        for index, (label, sentiment) in enumerate(rows):
            draw_photo(tmp_path / f"{index}.jpg", index)
            lines.append(f"{index}.jpg,{label},{sentiment}")
        (tmp_path / "photos.csv").write_text("\n".join(lines))
        found = load_dataset([str(tmp_path)]).for_sentiment()
        assert found.labels.tolist() == ["positive", "negative", "positive", "negative", ""]
        assert found.sentiments.tolist() == found.labels.tolist()

    def test_labels_without_a_sentiment(self, tmp_path: Path) -> None:
        for index, label in enumerate(["sun", "rain"]):
            (tmp_path / label).mkdir()
            draw_photo(tmp_path / label / "0.jpg", index)
        dataset = load_dataset([str(tmp_path)])
        with pytest.raises(DataError) as caught:
            dataset.for_sentiment()
        assert str(caught.value) == (
            "No photo has a sentiment: neither a column sentiment of the manifest nor the labels "
            "say it. A label file says how labels fold."
        )
        said = {"labels": ["sun", "rain"], "positive": ["sun"], "negative": ["rain"]}
        assert dataset.for_sentiment(said).counts == {"negative": 1, "positive": 1}
