"""The steps: ordinary Python functions."""

BOOKS = {
    "haiku": "an old silent pond a frog jumps into the pond splash silence again",
    "proverb": "many hands make light work",
    "pangram": "the quick brown fox jumps over the lazy dog",
}


def titles():
    return list(BOOKS)


def count_words(title):
    return len(BOOKS[title].split())
