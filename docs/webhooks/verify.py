import base64
import hashlib
import hmac
import time

TOLERANCE_SECONDS = 300


def is_genuine(secrets, headers, body, now=None):
    """`secrets`: one whsec_…, two while you rotate. `headers`: names in lower case. `body`: the raw bytes, before any parsing."""
    webhook_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not webhook_id or not (timestamp.isascii() and timestamp.isdigit()):
        return False
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    genuine = False
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        wanted = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        for given in headers.get("webhook-signature", "").split(" "):
            genuine |= hmac.compare_digest(wanted.encode(), given.encode())
    return genuine
