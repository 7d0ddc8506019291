"""Texts: taken in, handed to phones, followed by their reports, and read back by every API.

Use cases over the rules of `hub.core`; all SQL is in `hub.storage.messages*`, `conversations`, `timeline` and `usage`.
"""
