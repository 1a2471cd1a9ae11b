"""The key of a person: found, refused where it makes no sense, and kept from others."""

import os
import stat
import tomllib
from pathlib import Path

import pytest

from emotag.errors import FetchError, StorageError
from emotag.flickr.keys import (
    Credentials,
    credentials_path,
    find_credentials,
    store_credentials,
)
from tests.conftest import as_ordinary_user

KEY = "0123456789abcdef0123456789abcdef"
SECRET = "fedcba9876543210"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMOTAG_CONFIG", str(tmp_path / "settings" / "emotag"))
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)
    monkeypatch.delenv("FLICKR_API_SECRET", raising=False)
    return tmp_path / "settings" / "emotag"


def write(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "flickr.toml"
    path.write_bytes(content)
    path.chmod(mode)
    return path


class TestCredentials:
    def test_space_around_them_is_dropped(self) -> None:
        found = Credentials(f" {KEY}\n", f"{SECRET}\r\n")
        assert (found.key, found.secret) == (KEY, SECRET)

    def test_they_are_not_shown(self) -> None:
        both = Credentials(KEY, SECRET)
        for text in (repr(both), str(both), f"{both}", repr([both]), f"{both!a}"):
            assert KEY not in text
            assert SECRET not in text

    @pytest.mark.parametrize(
        ("key", "secret", "said"),
        [
            (KEY * 5, SECRET, "A key has 32 hexadecimal digits .* this one has others"),
            (KEY[:16] + " " + KEY[17:], SECRET, "this one has others among them"),
            ("", SECRET, "this one has none"),
            (KEY, SECRET[:-1] + '"', "A secret has 16 hexadecimal digits .* this one has others"),
            (SECRET, KEY, "are the two exchanged"),
            ("\u0660" * 32, "", "this one has others among them"),
        ],
    )
    def test_malformed_ones_are_refused_and_not_repeated(
        self, key: str, secret: str, said: str
    ) -> None:
        with pytest.raises(FetchError, match=said) as caught:
            Credentials(key, secret)
        for text in filter(None, (key, secret)):
            assert text not in str(caught.value)

    def test_they_are_hidden_in_a_text_however_they_are_written(self) -> None:
        both = Credentials(KEY, SECRET)
        assert both.hide(f"{KEY.upper()}+{SECRET}{SECRET}.") == "…+……."
        assert Credentials(KEY).hide("nothing") == "nothing"


class TestFind:
    def test_none_says_how_to_get_one(self) -> None:
        with pytest.raises(FetchError) as caught:
            find_credentials()
        assert str(caught.value) == (
            "Flickr answers only those who have a key. Get one at "
            "https://www.flickr.com/services/apps/create/ (it costs nothing for what is not "
            "commercial), then type: emotag fetch --setup"
        )

    def test_the_environment_counts_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        store_credentials(Credentials(KEY[::-1], SECRET[::-1]))
        monkeypatch.setenv("FLICKR_API_KEY", KEY)
        # another key's secret is not taken for its own
        assert find_credentials() == Credentials(KEY)
        monkeypatch.setenv("FLICKR_API_SECRET", SECRET)
        assert find_credentials() == Credentials(KEY, SECRET)

    def test_a_secret_without_its_key_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FLICKR_API_SECRET", SECRET)
        with pytest.raises(FetchError, match="FLICKR_API_SECRET is set, but not FLICKR_API_KEY"):
            find_credentials()

    def test_a_malformed_one_is_said_with_its_place(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write(folder, b'key = "no key"\n')
        with pytest.raises(FetchError, match=f"What is in {path} is no key of Flickr. A key has"):
            find_credentials()
        monkeypatch.setenv("FLICKR_API_KEY", "no key")
        said = "What is in FLICKR_API_KEY and FLICKR_API_SECRET is no key of Flickr. A key has 32"
        with pytest.raises(FetchError, match=said):
            find_credentials()

    @pytest.mark.parametrize("content", [b"key = ", b"\xff\xfe", KEY.encode(), b"\0" * 100])
    def test_a_damaged_file_is_said_and_not_repeated(self, folder: Path, content: bytes) -> None:
        path = write(folder, content)
        with pytest.raises(FetchError) as caught:
            find_credentials()
        assert str(caught.value) == (
            f"{path} is damaged; type your key again with: emotag fetch --setup"
        )
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize("content", [b"key = 5\n", b"[key]\nvalue = 1\n", b"other = 1\n"])
    def test_a_file_with_something_else_is_said(self, folder: Path, content: bytes) -> None:
        write(folder, content)
        with pytest.raises(FetchError, match=r"flickr\.toml is no key of Flickr"):
            find_credentials()

    def test_an_empty_file_is_none(self, folder: Path) -> None:
        write(folder, b"")
        with pytest.raises(FetchError, match="Flickr answers only those who have a key"):
            find_credentials()

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
    def test_a_file_that_others_may_read_is_refused(self, folder: Path, mode: int) -> None:
        path = store_credentials(Credentials(KEY, SECRET))
        os.chmod(path, mode)
        with pytest.raises(FetchError) as caught:
            find_credentials()
        assert str(caught.value) == (
            f"{path} is open to others, so your Flickr key in it is not used. Type: "
            f"chmod 600 {path}"
        )
        os.chmod(path, 0o600)
        assert find_credentials() == Credentials(KEY, SECRET)

    def test_a_file_that_cannot_be_read_is_said(self, open_folder: Path) -> None:
        os.environ["EMOTAG_CONFIG"] = str(open_folder)
        path = write(open_folder, b'key = "x"\n', 0o000)
        with as_ordinary_user(), pytest.raises(FetchError, match=f"{path} cannot be read: Perm"):
            find_credentials()


class TestStore:
    def test_what_is_stored_is_found(self, folder: Path) -> None:
        path = store_credentials(Credentials(KEY, SECRET))
        assert path == str(folder / "flickr.toml") == credentials_path()
        assert find_credentials() == Credentials(KEY, SECRET)
        assert tomllib.loads(Path(path).read_text()) == {"key": KEY, "secret": SECRET}
        store_credentials(Credentials(KEY[::-1]))
        assert find_credentials() == Credentials(KEY[::-1])
        assert os.listdir(folder) == ["flickr.toml"]

    def test_nobody_else_may_read_it(self, folder: Path) -> None:
        before = os.umask(0)
        try:
            path = store_credentials(Credentials(KEY, SECRET))
        finally:
            os.umask(before)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_one_that_was_open_is_closed(self, folder: Path) -> None:
        path = write(folder, b'key = "old"\n', 0o644)
        store_credentials(Credentials(KEY, SECRET))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert find_credentials() == Credentials(KEY, SECRET)

    def test_a_folder_that_cannot_be_made_is_said(self, folder: Path) -> None:
        folder.parent.write_text("no folder")
        with pytest.raises(StorageError, match=r"flickr\.toml cannot be written"):
            store_credentials(Credentials(KEY, SECRET))

    def test_what_cannot_be_written_leaves_nothing(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(StorageError, match="the disk is full"):
            store_credentials(Credentials(KEY, SECRET))
        assert not os.listdir(folder)


def test_by_default_it_is_in_the_folder_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    from platformdirs import user_config_dir

    monkeypatch.delenv("EMOTAG_CONFIG")
    assert credentials_path() == os.path.join(
        user_config_dir("emotag", appauthor=False), "flickr.toml"
    )
