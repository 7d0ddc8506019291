"""The `hub` command: a module for each of its words, thin around what `hub.operations` does and `hub.app` runs."""

from hub.cli.command import app, main

__all__ = ["app", "main"]
