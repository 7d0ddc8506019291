"""Where each maker hides the switch that stops background apps: added to the fix of a phone that Android may put to sleep.

Menu words as the makers' own help pages and dontkillmyapp.com give them; they move between versions, so the fix names the way and the
page, not each tap.
"""

_MENUS = (
    (
        ("samsung",),
        "On Samsung also add the app to Never sleeping apps (Settings, Battery, Background usage limits); "
        "an update of the system may take it out again.",
    ),
    (
        ("xiaomi", "redmi", "poco"),
        "On Xiaomi also switch Autostart on for the app and set its battery saver to No restrictions; "
        "swiping the app away stops it.",
    ),
    (
        ("huawei", "honor"),
        "On Huawei and Honor also open App launch and let the app start by itself, be started, and run in the background.",
    ),
    (
        ("oppo", "realme", "oneplus"),
        "On Oppo, Realme and OnePlus also allow background activity and auto-launch in the app's battery usage.",
    ),
    (("vivo", "iqoo"), "On Vivo also allow high background power use and Autostart for the app."),
    (("tecno", "infinix", "itel"), "On Tecno, Infinix and Itel also switch Autostart on in Phone Master."),
    (("asus",), "On Asus also allow the app in the Auto-start Manager of the Mobile Manager."),
    (("motorola", "nokia", "hmd"), "Also take the app out of Adaptive Battery's restrictions."),
)
"""The makers' names in lower case, as Android tells them, and what to do."""


def battery_menu(manufacturer: str | None) -> str | None:
    """A sentence for this maker's phones; None for one without a menu of its own."""
    maker = (manufacturer or "").casefold()
    return next((sentence for names, sentence in _MENUS if maker.startswith(names)), None)
