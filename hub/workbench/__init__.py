"""For whoever writes a receiver of webhooks: `hub webhook listen` and `hub webhook forward`. Nothing of a running hub imports it."""
