"""Webhooks: every customer event, delivered to whoever subscribed, until it ends `ok`, `dead` or `cancelled` with a reason."""
