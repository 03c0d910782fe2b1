"""Errors meant for people."""


class RefoldError(Exception):
    """Something the user can put right.

    The message says what is wrong, in which file or key, what is allowed and what to do.
    """
