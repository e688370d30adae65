"""Which way to pay a browser can go, by what it says of itself. It only chooses the offer, never what is owed."""

import re

_PHONE = re.compile(r"Mobi|Android|iPhone|iPod|HarmonyOS|Windows Phone", re.IGNORECASE)


def choose_kind(user_agent):
    """'jsapi' inside WeChat, 'h5' on a phone outside it, 'native' (QR code) everywhere else."""
    user_agent = user_agent or ""
    if "MicroMessenger" in user_agent:
        return "jsapi"
    return "h5" if _PHONE.search(user_agent) else "native"
