"""Contacts, and texts that are sent often: read and kept by people."""
