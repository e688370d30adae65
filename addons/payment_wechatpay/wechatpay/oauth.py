"""Who is looking at a page inside WeChat: OAuth 2 with scope snsapi_base (the openid only, no consent page).

These answers are not signed; TLS is what they rest on. The code is single-use and was sent to our own address.
"""

import logging
import re
from urllib.parse import urlencode

import requests

from .client import LARGEST_ANSWER, READ_S
from .errors import ApiError, MessageError, TransportError
from .strict_json import parse_object

AUTHORIZE_URL = "https://open.weixin.qq.com"
TOKEN_URL = "https://api.weixin.qq.com"  # noqa: S105 - an address


class _SecretFilter(logging.Filter):
    """Takes the secret and the code, which WeChat wants in the address, out of urllib3's debug lines."""

    _parameter = re.compile(r"\b(secret|code)=[^&\s]*")

    def filter(self, record):
        if isinstance(record.args, tuple):
            record.args = tuple(
                self._parameter.sub(r"\1=***", value) if isinstance(value, str) else value
                for value in record.args
            )
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_SecretFilter())

_OPENID = re.compile(r"[0-9A-Za-z_\-]{6,128}")
_CODE = re.compile(r"[0-9A-Za-z_\-]{1,128}")


def build_authorize_url(appid, redirect_uri, state, base_url=AUTHORIZE_URL):
    query = urlencode(
        {
            "appid": appid,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": "snsapi_base",
            "state": state,
        }
    )
    return f"{base_url}/connect/oauth2/authorize?{query}#wechat_redirect"


def exchange_code(appid, secret, code, base_url=TOKEN_URL):
    """The openid of the person who brought `code`, for this appid."""
    if not _CODE.fullmatch(code or ""):
        raise MessageError("code is malformed")
    params = {"appid": appid, "secret": secret, "code": code, "grant_type": "authorization_code"}
    try:
        with (
            requests.Session() as session,
            session.get(
                f"{base_url}/sns/oauth2/access_token",
                params=params,
                timeout=READ_S,
                allow_redirects=False,
                stream=True,
                headers={"Accept-Encoding": "identity"},
            ) as response,
        ):
            content = response.raw.read(LARGEST_ANSWER, decode_content=False)
            status = response.status_code
    except (requests.RequestException, OSError) as error:
        # the text of the error would hold the address, and with it the secret
        raise TransportError(f"no answer from the gateway ({type(error).__name__})") from None
    if status != 200:
        raise ApiError(status)
    data = parse_object(content)
    if data.get("errcode"):
        raise ApiError(status, str(data["errcode"])[:16])
    openid = data.get("openid")
    if not isinstance(openid, str) or not _OPENID.fullmatch(openid):
        raise MessageError("answer without openid")
    return openid
