"""Markdown as its readers see it."""

from html.parser import HTMLParser

from markdown_it import MarkdownIt

__all__ = ["Page"]


class Page(HTMLParser):
    """What a reader of rendered Markdown sees: text, links and tags."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: set[str] = set()
        self.links: list[str] = []
        renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        self.feed(renderer.render(markdown))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and its links."""
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data
