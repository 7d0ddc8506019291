"""Moving in from another server: its users, phones, webhooks and texts, so that nobody outside notices but by what works better."""
