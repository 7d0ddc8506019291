"""For whoever writes a receiver of webhooks: `hub webhooks listen` and `hub webhooks forward`. Nothing of a running hub imports it."""
