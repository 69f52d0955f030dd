from tally import tally


def test_words_are_counted() -> None:
    assert tally("a b a") == {"a": 2, "b": 1}


def test_nothing_is_nothing() -> None:
    assert tally("") == {}
