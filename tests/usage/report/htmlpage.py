"""An HTML page taken apart, by the parser of the standard library."""

from html.parser import HTMLParser
from typing import NamedTuple


class Element(NamedTuple):
    """A start tag, and how deep in which elements it stood."""

    tag: str
    attributes: dict[str, str | None]
    path: tuple[str, ...]


class Parsed(HTMLParser):
    """All elements of a page, and its text by element."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == [], "not all is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs), tuple(self._open)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs), tuple(self._open)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((tuple(self._open), data.strip()))

    def all(self, tag: str) -> list[Element]:
        """The elements of that kind."""
        return [one for one in self.elements if one.tag == tag]

    def ids(self) -> list[str]:
        """All that have an id."""
        return [str(one.attributes["id"]) for one in self.elements if "id" in one.attributes]

    def within(self, tag: str) -> list[str]:
        """The texts that stand in elements of that kind."""
        return [text for path, text in self.texts if tag in path]
