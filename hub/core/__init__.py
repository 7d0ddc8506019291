"""The rules and words of the hub: pure code, with the time and randomness it needs given as arguments."""
