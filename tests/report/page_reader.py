"""Reads a page as a browser would, and finds what is wrong with it."""

from html.parser import HTMLParser
from itertools import pairwise

_VOID = {"br", "hr", "img", "input", "link", "meta"}
_LOADING = {"src", "href", "data", "poster", "srcset", "action", "xlink:href"}
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


class PageReader(HTMLParser):
    """Collects ids, links, headings and images; ``wrong`` lists what no page may have."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.images: list[str] = []
        self.headings: list[tuple[int, str]] = []
        self.tags: list[str] = []
        self.wrong: list[str] = []
        self.words = ""
        self.feed(page)
        self.close()
        self.wrong += [f"<{tag}> is not closed" for tag in self.open]
        self.wrong += [f"id {name} twice" for name in set(self.ids) if self.ids.count(name) > 1]
        self.wrong += [f"{link} leads nowhere" for link in self.links if link[1:] not in self.ids]
        levels = [0, *(level for level, _ in self.headings)]
        steps = pairwise(levels)
        self.wrong += [f"h{b} below h{a}" for a, b in steps if b > a + 1]
        if levels.count(1) != 1:
            self.wrong.append("not one h1")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in _VOID:
            self.open.append(tag)
        values = dict(attrs)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        for name in _LOADING & values.keys():
            text = values[name] or ""
            if name == "href" and text.startswith("#"):
                self.links.append(text)
            elif not text.startswith("data:"):
                self.wrong.append(f"<{tag} {name}={text[:40]}> loads something")
        if tag == "img":
            self.images.append(values.get("alt") or "")
            if not values.get("alt"):
                self.wrong.append("an image without words")
        self.wrong += [f"<{tag} {name}>" for name in values if name.startswith("on")]
        if tag in _HEADINGS:
            self.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes another")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            return
        self.words += data
        inside = next((tag for tag in self.open if tag in _HEADINGS), None)
        if inside:
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
