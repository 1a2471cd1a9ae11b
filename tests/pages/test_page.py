"""The file of a page: a policy that names its own style and script, data and blocks as text."""

import base64
import hashlib
import html
import io
import json
import re

from emotag.pages.page import write_page


def written(title: str = "A title", data: object = None, blocks: tuple[bytes, ...] = ()) -> str:
    file = io.BytesIO()
    write_page(file, "gallery", title, data, blocks)
    return file.getvalue().decode()


def between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0]


def test_the_policy_allows_the_page_s_own_style_and_script_and_no_other() -> None:
    page = written()
    policy = html.unescape(between(page, 'Content-Security-Policy" content="', '">'))
    rules = dict(rule.partition(" ")[::2] for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "'self' data: file:"
    for tag in ("style", "script"):
        content = between(page, f"<{tag}>", f"</{tag}>")
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"


def test_it_names_nothing_that_would_be_loaded() -> None:
    assert not re.search(r"https?:|//\w+\.\w|@import|url\(", written())


def test_title_and_data_are_text() -> None:
    page = written("</title><b>\u202e", {"$policy": "</script><!--"})
    assert "<title>&lt;/title&gt;&lt;b&gt;\\u202e</title>" in page
    assert json.loads(between(page, 'id="data">', "</script>")) == {"$policy": "</script><!--"}


def test_blocks_come_last_by_number() -> None:
    page = written(blocks=(b"one\n", b"two\n"))
    assert page.endswith(
        '<script type="text/plain" id="block-0">one\n</script>\n'
        '<script type="text/plain" id="block-1">two\n</script>\n'
        "</body>\n</html>\n"
    )
