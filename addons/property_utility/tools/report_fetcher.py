"""What a PDF may load: assets of this database and of the addons. Never the network, never other files."""

import base64
import mimetypes
import re
from contextlib import nullcontext
from urllib.parse import parse_qsl, unquote, urlsplit

from odoo import api
from odoo.tools import file_open
from odoo.tools.mimetypes import guess_mimetype
from weasyprint.urls import URLFetcher, URLFetcherResponse

LOCAL_HOST = "report.local"
STATIC_EXTENSIONS = (
    ".css",
    ".png",
    ".jpg",
    ".jpeg",
    ".gif",
    ".svg",
    ".webp",
    ".ico",
    ".woff",
    ".woff2",
    ".ttf",
    ".otf",
)
ASSET_URL = re.compile(r"^/web/assets/(?P<unique>[^/]+)/(?P<filename>[^/]+)$")
STATIC_URL = re.compile(r"^/(?P<path>[a-z0-9_]+/static/.+)$", re.IGNORECASE)
BARCODE_URL = re.compile(r"^/report/barcode/?(?:(?P<kind>[^/]+)/(?P<value>.+))?$")
IMAGE_URL = re.compile(
    r"^/web/image/(?:(?P<model>[a-z0-9_.]+\.[a-z0-9_.]+)/(?P<model_id>\d+)(?:-\w+)?/(?P<field>\w+)|(?P<id>\d+))(?:[-/].*)?$"
)


class RefusedUrlError(ValueError):
    """This address is not loaded into a report."""


class ReportFetcher(URLFetcher):
    """URL fetcher for WeasyPrint; everything it does not know is refused."""

    def __init__(self, env, base_url):
        super().__init__(allowed_protocols=("data",), allow_redirects=False)
        self._env = env
        self._hosts = {LOCAL_HOST, urlsplit(base_url or "").netloc}

    def fetch(self, url, headers=None):
        parts = urlsplit(url)
        if parts.scheme == "data":
            return super().fetch(url, headers)
        if parts.scheme not in ("http", "https") or parts.netloc not in self._hosts:
            raise RefusedUrlError(f"a report loads nothing from outside: {url[:200]}")
        content, mimetype = self._get_content(unquote(parts.path), dict(parse_qsl(parts.query)))
        return URLFetcherResponse(url, body=content, headers={"Content-Type": mimetype})

    def _get_content(self, path, query):
        if match := ASSET_URL.match(path):
            return self._get_asset(**match.groupdict()), "text/css; charset=utf-8"
        if match := STATIC_URL.match(path):
            return self._get_static(match["path"])
        if match := BARCODE_URL.match(path):
            kind = match["kind"] or query.pop("barcode_type", "")
            value = match["value"] or query.pop("value", "")
            return self._env["ir.actions.report"].barcode(kind, value, **query), "image/png"
        if match := IMAGE_URL.match(path):
            return self._get_image(**match.groupdict())
        raise RefusedUrlError(f"a report does not load {path[:200]}")

    def _get_static(self, path):
        if ".." in path.split("/"):
            raise RefusedUrlError(f"a report does not load /{path[:200]}")
        try:
            with file_open(path, "rb", filter_ext=STATIC_EXTENSIONS) as handle:
                return handle.read(), mimetypes.guess_type(path)[0] or "application/octet-stream"
        except (OSError, ValueError) as error:
            raise RefusedUrlError(f"a report does not load /{path[:200]}") from error

    def _get_image(self, model, model_id, field, id):  # noqa: A002 (name of the group in IMAGE_URL)
        """An image field or attachment that the printing user may read."""
        record = self._env["ir.binary"]._find_record(
            res_model=model or "ir.attachment", res_id=int(model_id or id), field=field
        )
        content = record.raw if record._name == "ir.attachment" else base64.b64decode(record[field] or b"")
        return content or b"", guess_mimetype(content or b"", default="image/png")

    def _get_asset(self, unique, filename):
        """CSS of an asset bundle, built if nobody has asked for it yet."""
        bundle_name, is_rtl, asset_type, autoprefix = self._env["ir.asset"]._parse_bundle_name(
            filename, False
        )
        if asset_type != "css":
            raise RefusedUrlError(f"a report loads no {asset_type} bundle: {filename}")
        cr = self._env.cr
        with self._env.registry.cursor() if cr.readonly else nullcontext(cr) as writable:
            env = api.Environment(writable, self._env.uid, {})
            bundle = env["ir.qweb"]._get_asset_bundle(
                bundle_name, css=True, js=False, rtl=is_rtl, autoprefix=autoprefix
            )
            return bundle.css().sudo().raw if bundle.stylesheets else b""
