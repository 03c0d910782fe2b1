from refold.core.words import quoted


def test_a_few_of_many_names_in_quotes():
    assert quoted("abc") == "'a', 'b', 'c'"
    assert quoted("abcdefg") == "'a', 'b', 'c', 'd', 'e' and 2 more"
