"""Small SVG charts: a curve, an interval, a bar. Pure.

Their sizes are attributes, because the pages' policy allows no inline styles. Each is
next to the numbers that it shows, so it needs no text alternative.
"""

from collections.abc import Sequence

CURVE = (120, 32)
SPAN = (120, 16)
BAR_HEIGHT = 6


def curve(values: Sequence[float], before: Sequence[float] = ()) -> str:
    """Return a line through the values, and a dashed one through the earlier values."""
    width, height = CURVE
    highest = max([*values, *before, 1])
    lines = [
        f'<path class="before" d="{_path(before, width, height, highest)}" fill="none"'
        ' stroke="currentColor" stroke-width="1.5" stroke-dasharray="3 3"/>'
        if len(before) > 1
        else "",
        f'<path d="{_path(values, width, height, highest)}" fill="none"'
        ' stroke="currentColor" stroke-width="2" stroke-linejoin="round"/>',
    ]
    return _svg("curve", width, height, "".join(lines))


def _path(values: Sequence[float], width: int, height: int, highest: float) -> str:
    if len(values) == 1:
        values = [values[0], values[0]]
    step = width / max(1, len(values) - 1)
    # A pixel at each edge, so that the line is not cut.
    points = (
        f"{number * step:.1f} {height - 2 - value / highest * (height - 4):.1f}"
        for number, value in enumerate(values)
    )
    return "M" + "L".join(points)


def span(low: float, middle: float, high: float, most: float) -> str:
    """Return an interval on a scale from 0 to `most`."""
    width, height = SPAN
    scale = (width - 8) / (most or 1)
    start, at, end = (4 + value * scale for value in (low, middle, high))
    y = height / 2
    return _svg(
        "span",
        width,
        height,
        f'<path d="M0 {y}H{width}" stroke="currentColor" stroke-opacity="0.25"/>'
        f'<path d="M{start:.1f} {y}H{max(end, start + 1):.1f}" stroke="currentColor"'
        ' stroke-width="5" stroke-opacity="0.45" stroke-linecap="round"/>'
        f'<circle cx="{at:.1f}" cy="{y}" r="3.5" fill="currentColor"/>',
    )


def bar(share: float) -> str:
    """Return a bar with this share of the available width."""
    length = f"{max(0.0, min(1.0, share)) * 100:.1f}%"
    return (
        f'<svg class="bar" width="100%" height="{BAR_HEIGHT}" aria-hidden="true">'
        f'<rect width="{length}" height="{BAR_HEIGHT}" rx="3"/></svg>'
    )


def _svg(name: str, width: int, height: int, inner: str) -> str:
    return (
        f'<svg class="{name}" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" aria-hidden="true">{inner}</svg>'
    )
