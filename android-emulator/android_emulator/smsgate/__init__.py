"""Emulated phones with the published app of sms-gate.app, written from what that app is known to do."""

from android_emulator.smsgate.phone import AppPhone, Habits, Pace

__all__ = ["AppPhone", "Habits", "Pace"]
