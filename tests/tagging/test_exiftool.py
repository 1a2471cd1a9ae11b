"""exiftool as it is asked: started once, replaced when it dies or hangs, refused when too old."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emotag.errors import EmbeddingError, MissingToolError
from emotag.tagging.exiftool import ExifTool
from emotag.tagging.xmp import add_tags
from tests.tagging.embedded import fake_exiftool, needs_exiftool
from tests.tagging.test_xmp import FEAR

ANSWERS = """#!/bin/sh
while read -r line; do
    case "$line" in
        -execute*) echo "{said}"; echo "{{ready${{line#-execute}}}}" ;;
        False) exit ;;
    esac
done
"""


def test_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with ExifTool() as tool, pytest.raises(MissingToolError) as caught:
        tool.start()
    assert str(caught.value) == (
        "Tags inside of photos need exiftool, which is not installed; type: "
        "apt install libimage-exiftool-perl, or brew install exiftool."
    )


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            ANSWERS.format(said="11.88"),
            "exiftool 11.88 is too old; emotag needs 12.0 or newer. Type: "
            "apt install libimage-exiftool-perl, or brew install exiftool.",
        ),
        (
            ANSWERS.format(said="What?"),
            "{path} cannot be used: it does not answer as exiftool does.",
        ),
        (
            "#!/bin/sh\necho no Perl here >&2\n",
            "{path} cannot be used: it ends without an answer. It says: no Perl here.",
        ),
        (
            "#!/bin/sh\n",
            "{path} cannot be used: it ends without an answer. It says: nothing.",
        ),
        ("#!/no/such/perl\n", "{path} cannot be run: No such file or directory."),
    ],
)
def test_of_no_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, said: str) -> None:
    fake_exiftool(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with ExifTool() as tool, pytest.raises(MissingToolError) as caught:
        tool.start()
    assert str(caught.value) == said.format(path=tmp_path / "exiftool")


def test_one_that_ends_on_every_question(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = ANSWERS.format(said="13.0").replace("-execute*)", "-photo) exit ;; -execute*)")
    fake_exiftool(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with ExifTool() as tool, pytest.raises(EmbeddingError) as caught:
        tool.ask("-photo")
    assert str(caught.value) == "ends exiftool before it has answered"


@needs_exiftool
def test_it_is_started_once_and_leaves_nothing() -> None:
    with ExifTool() as tool:
        assert float(tool.ask("-ver")) >= 12
        process = tool._process
        assert process is not None
        assert float(tool.ask("-ver")) >= 12
        assert tool._process is process
        folder = tool.folder
    assert process.returncode == 0
    assert not os.path.exists(folder)


@needs_exiftool
def test_one_that_was_ended_is_replaced() -> None:
    with ExifTool() as tool:
        tool.start()
        first = tool._process
        assert first is not None
        first.kill()
        first.wait()
        assert float(tool.ask("-ver")) >= 12
        assert tool._process is not first


@needs_exiftool
def test_one_that_hangs_is_given_up_and_replaced() -> None:
    with ExifTool(seconds=2) as tool:
        tool.start()
        assert tool._process is not None
        tool._process.send_signal(signal.SIGSTOP)
        with pytest.raises(EmbeddingError) as caught:
            tool.ask("-ver")
        assert str(caught.value) == "exiftool gave no answer in 2 seconds"
        assert float(tool.ask("-ver")) >= 12


@needs_exiftool
def test_what_it_complains_of() -> None:
    with ExifTool() as tool:
        Path(tool.folder, "photo.bmp").write_bytes(b"BM" + bytes(200))
        Path(tool.folder, "packet.xmp").write_bytes(add_tags(None, FEAR))
        with pytest.raises(EmbeddingError) as caught:
            tool.ask("-XMP<=packet.xmp", "-o", "written", "photo.bmp")
        assert str(caught.value) == (
            "is refused by exiftool: Writing of BMP files is not yet supported"
        )
        assert float(tool.ask("-ver")) >= 12


@needs_exiftool
@pytest.mark.skipif(sys.platform == "win32", reason="there, no process knows who started it")
def test_it_ends_when_emotag_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, time\n"
        "from emotag.tagging.exiftool import ExifTool\n"
        "tool = ExifTool()\n"
        "tool.start()\n"
        "print(tool._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    emotag = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert emotag.stdout is not None
    exiftool = int(emotag.stdout.readline())
    # longer than it takes it to look after emotag, so that looking does it no harm
    time.sleep(1.5)
    os.kill(exiftool, 0)
    emotag.kill()
    emotag.wait()
    emotag.stdout.close()
    deadline = time.monotonic() + 10
    with pytest.raises(ProcessLookupError):  # noqa: PT012
        while time.monotonic() < deadline:
            os.kill(exiftool, 0)
            time.sleep(0.05)
