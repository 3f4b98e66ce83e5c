"""Small pictures of tables: bars and lines as SVG, for light and for dark pages."""

import html
import pathlib

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "img"
STYLE = """
text { font: 13px sans-serif; fill: #222 }
.title { font-weight: bold; font-size: 15px }
.faint { fill: #666 }
.axis { stroke: #999; fill: none }
.c0 { fill: #8a8f98; stroke: #8a8f98 } .c1 { fill: #1f77b4; stroke: #1f77b4 }
.c2 { fill: #2a9d5c; stroke: #2a9d5c } .c3 { fill: #c77d0a; stroke: #c77d0a }
.c4 { fill: #b5468b; stroke: #b5468b }
.line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
    text { fill: #ddd } .faint { fill: #999 } .axis { stroke: #777 }
}
"""
WIDTH, LABEL, NUMBER = 760, 300, 70


def _save(name, height, parts):
    FOLDER.mkdir(exist_ok=True)
    body = "\n".join(parts)
    (FOLDER / f"{name}.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">\n'
        f"<style>{STYLE}</style>\n{body}\n</svg>\n")


def _text(x, y, text, more=""):
    return f'<text x="{x:.0f}" y="{y:.0f}"{more}>{html.escape(str(text))}</text>'


def bars(name, title, unit, groups):
    """`groups` is [(heading, [(label, value, colour)])]; all bars have one scale."""
    longest = max(value for _, rows in groups for _, value, _ in rows)
    scale = (WIDTH - LABEL - NUMBER) / longest
    parts, y = [_text(8, 22, f"{title} ({unit})", ' class="title"')], 34
    for heading, rows in groups:
        y += 22
        parts.append(_text(8, y, heading, ' class="faint"'))
        for label, value, colour in rows:
            y += 20
            parts.append(_text(LABEL - 8, y, label, ' text-anchor="end"'))
            parts.append(f'<rect class="c{colour}" x="{LABEL}" y="{y - 12}" '
                         f'width="{max(value * scale, 1):.1f}" height="14"/>')
            parts.append(_text(LABEL + value * scale + 6, y,
                               f"{value:,.0f}" if value >= 100 else f"{value:.1f}"))
    _save(name, y + 16, parts)


def lines(name, title, unit, panels):
    """`panels` is [(what grows, [steps], {label: [values]})]; two panels a row, a scale each."""
    parts = [_text(8, 22, f"{title} ({unit})", ' class="title"')]
    wide, high = WIDTH / 2, 230
    for number, (what, steps, curves) in enumerate(panels):
        left, top = number % 2 * wide, 34 + number // 2 * high
        parts += _panel(left, top, wide, high, what, steps, curves)
    _save(name, 34 + (len(panels) + 1) // 2 * high, parts)


def _panel(left, top, wide, high, what, steps, curves):
    x0, x1, y0, y1 = left + 44, left + wide - 36, top + high - 64, top + 24
    highest = max(max(values) for values in curves.values()) * 1.1 or 1
    xs = [x0 + (x1 - x0) * i / max(len(steps) - 1, 1) for i in range(len(steps))]
    parts = [_text(x0, top + 14, what),
             f'<path class="axis" d="M{x0:.0f} {y1:.0f}V{y0:.0f}H{x1:.0f}"/>',
             _text(x0 - 6, y1 + 10, f"{highest:.3g}", ' text-anchor="end" class="faint"'),
             _text(x0 - 6, y0, "0", ' text-anchor="end" class="faint"')]
    parts += [_text(x, y0 + 16, f"{step:,}", ' text-anchor="middle" class="faint"')
              for x, step in zip(xs, steps)]
    for colour, (label, values) in enumerate(curves.items()):
        points = " ".join(f"{x:.1f},{y0 - (y0 - y1) * max(value, 0) / highest:.1f}"
                          for x, value in zip(xs, values))
        parts.append(f'<polyline class="line c{colour}" points="{points}" style="fill:none"/>')
        at = x0 + colour * (x1 - x0) / len(curves)
        parts.append(f'<rect class="c{colour}" x="{at:.0f}" y="{y0 + 26:.0f}" width="10" '
                     'height="10"/>')
        parts.append(_text(at + 14, y0 + 36, label))
    return parts
