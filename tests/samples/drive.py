"""Feeds the cases of standard input to the Python sample: a line of tab-separated fields each, one answer a line."""

import base64
import sys

sys.path.insert(0, sys.argv[1])

from verify import is_genuine  # type: ignore[import-not-found]

for line in sys.stdin:
    now, secrets, webhook_id, timestamp, signature, body = line.rstrip("\n").split("\t")
    named = {"webhook-id": webhook_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    headers = {name: value for name, value in named.items() if value != "-"}
    print("true" if is_genuine(secrets.split(), headers, base64.b64decode(body), int(now)) else "false")
