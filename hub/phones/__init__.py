"""How phones speak to the hub: one module or folder per transport, found by a scan for `PHONE_TRANSPORT`."""
