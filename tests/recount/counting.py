"""How many figures a recount compares."""

from typing import Any


def figures(answer: Any) -> int:
    """The numbers and texts in an answer."""
    if isinstance(answer, dict):
        return sum(map(figures, answer.values()))
    if isinstance(answer, list | tuple):
        return sum(map(figures, answer))
    return 1


class Compared:
    """Compares answers, and counts what was in them."""

    def __init__(self) -> None:
        self.figures = 0

    def __call__(self, answer: Any, expected: Any) -> None:
        assert answer == expected
        self.figures += figures(answer)
