"""Accounts and what acts for them: API keys, their verified cache, typed settings, and the box that keeps secrets encrypted."""
