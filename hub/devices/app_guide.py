"""What a person has to know of phones with the sms-gate.app app: what to type to bring one in, and what it cannot promise."""

import msgspec

SMSGATE = "smsgate"


class TypeIn(msgspec.Struct, frozen=True, kw_only=True):
    """What to type into the app. Each of the three ways is enough; all use the one word that was made."""

    short_url: str
    """As API URL, with Private Token left as it is: nothing else has to be typed."""
    api_url: str
    """As API URL, together with the private token, or with the code."""
    private_token: str
    code: str
    """In the *By Code* tab, which the app shows only before its first registration."""
    steps: tuple[str, ...]
    warning: str | None
    """Why the phone could not reach this address, as far as the address tells."""


def what_to_type(base_url: str, word: str) -> TypeIn:
    """For a word of `hub.devices.registration.new_word`, as it was made."""
    short = f"{base_url}/p/{word}"
    return TypeIn(
        short_url=short,
        api_url=f"{base_url}/mobile/v1",
        private_token=word,
        code=word,
        steps=(
            "On the phone open SMS Gateway, then Settings, then Cloud server.",
            f"Tap API URL and replace what is there with {short}",
            "Tap Notification channel and choose SSE only.",
            "Go back to Home and switch Cloud server on.",
            "Tap the button at the bottom until it says Online. If a dialog asks, stay on Sign Up and tap Continue.",
            "Allow SMS and Phone. On Android 13 and later first tap App info, the three dots, Allow restricted settings.",
            "In Settings, System, switch battery optimisation off for the app; on Home switch Start on boot on.",
        ),
        warning=None if base_url.startswith("https://") else _NO_HTTPS,
    )


_NO_HTTPS = (
    "The app speaks https only (its separate insecure build http too). Set HUB_PUBLIC_URL to an https address that the phone trusts: see "
    "docs/adapters/smsgate-app.md."
)


class Caveat(msgspec.Struct, frozen=True, kw_only=True):
    """Something this kind of phone cannot promise, in a sentence."""

    code: str
    text: str


_OF_SMSGATE = (
    Caveat(
        code="no_gap_proof",
        text="Its texts are not numbered: the hub cannot show that none is missing. The app tries to post each one for two weeks, "
        "then drops it.",
    ),
    Caveat(
        code="no_acceptance",
        text="It sends what it is listed without asking again: a text is its own from then on and cannot move to another phone. "
        "If Android kills the app in the moment it hands a text to the radio, the app sends that text again by itself.",
    ),
    Caveat(
        code="no_segments",
        text="It tells one result for all segments of a long text: after a failure nobody knows which had left, so it is not tried again.",
    ),
    Caveat(
        code="no_recall",
        text="A hub restored from a backup cannot ask it what it sent meanwhile: texts of that time may go out again by another phone.",
    ),
)


def caveats_of(transport: str) -> tuple[Caveat, ...]:
    """What phones of a transport cannot promise; none for the hub's own app."""
    return _OF_SMSGATE if transport == SMSGATE else ()
