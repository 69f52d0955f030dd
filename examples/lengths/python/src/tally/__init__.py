"""Counts what is in a text."""


def tally(text: str) -> dict[str, int]:
    """How often each word stands in `text`."""
    counts: dict[str, int] = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    return counts
