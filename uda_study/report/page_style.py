"""What a page looks like, on a screen and on paper; everything is inside the page."""

from __future__ import annotations

from html import escape

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


def document(title: str, body: str) -> str:
    """Return a whole HTML page that loads nothing."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )
