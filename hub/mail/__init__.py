"""Mails that go out as texts: the addresses they come to, and how they are taken."""
