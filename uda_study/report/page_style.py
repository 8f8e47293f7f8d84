"""What a page looks like, on a screen and on paper; everything is inside the page."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from html import escape

from PIL import Image

from uda_study.report.style import DPI, Picture

_PIXELS_PER_INCH = 96
_QUALITY, _EFFORT = 82, 2

_CSS = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #22262b; background: #fff;
  max-width: 72rem; margin: 2rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .6rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; border-bottom: 1px solid #dde1e5; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
.verdict { display: inline-block; margin: 0 0 .8rem; padding: .25rem .7rem; border-radius: .3rem;
  font-weight: 600; border: 1px solid; }
.good { color: #00694d; border-color: #009e73; }
.odd { color: #8a5a00; border-color: #e69f00; }
.bad { color: #a33f00; border-color: #d55e00; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: #6b737c; }
dd { margin: 0; }
ul { list-style: none; margin: 0; padding: 0; }
li { border-left: 4px solid; padding: .2rem .7rem; margin: .3rem 0; overflow-wrap: anywhere; }
li b { margin-right: .4rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .82rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid #dde1e5;
  white-space: nowrap; }
th { color: #6b737c; font-weight: 600; white-space: normal; vertical-align: bottom; }
figure { margin: .6rem 0 1.2rem; }
img { max-width: 100%; height: auto; }
figcaption, .note { color: #6b737c; font-size: .85rem; max-width: 60rem; }
@media print {
  body { max-width: none; margin: 0; padding: 0; font-size: 10pt; }
  .wide { overflow: visible; }
  table { font-size: 6.5pt; }
  th, td { white-space: normal; padding-right: .4rem; }
  figure, li, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
"""


def document(title: str, body: str, css: str = "", scripts: Sequence[str] = ()) -> str:
    """Return a whole HTML page that loads nothing, and runs only these scripts, at its end.

    ``css`` is added to what all pages have.
    """
    allowed = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts)
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    policy += f"; script-src {allowed}" if scripts else ""
    last = "".join(f"<script>{script}</script>\n" for script in scripts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{escape(title)}</title>\n<style>{_CSS}{css}</style>\n</head>\n"
        f"<body>\n{body}\n{last}</body>\n</html>\n"
    )


def image(picture: Picture, alt: str, *, photographs: bool = False) -> str:
    """Return an image at its own size; photographs as WebP.

    Of noisy images that is a fraction of the PNG's bytes, and a page may have dozens of them.
    """
    with Image.open(io.BytesIO(picture.png)) as opened:
        width, height = (edge * _PIXELS_PER_INCH // DPI for edge in opened.size)
        data, kind = picture.png, "png"
        if photographs:
            buffer = io.BytesIO()
            opened.convert("RGB").save(buffer, "WEBP", quality=_QUALITY, method=_EFFORT)
            data, kind = buffer.getvalue(), "webp"
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return f'<img alt="{escape(alt)}" width="{width}" height="{height}" src="{source}">'


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of plain texts that scrolls where it is wider than the page."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def folded(summary: str, html: str) -> str:
    """Return HTML that is shown when its summary, a plain text, is clicked."""
    return f"<details><summary>{escape(summary)}</summary>\n{html}\n</details>"


def _sha256(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
