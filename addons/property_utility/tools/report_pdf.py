"""HTML of Odoo's reports to PDF by WeasyPrint, with running headers and footers and page numbers."""

import logging
import threading
from collections import OrderedDict

import lxml.html

# before the import, which already reports its progress: one line per style sheet, and one warning for every
# CSS property it does not know, of which bootstrap has hundreds
for _name in ("weasyprint", "weasyprint.progress", "fontTools"):
    logging.getLogger(_name).setLevel(logging.ERROR)

from weasyprint import CSS, HTML  # noqa: E402
from weasyprint.text.fonts import FontConfiguration  # noqa: E402

from .report_fetcher import LOCAL_HOST, ReportFetcher  # noqa: E402

PAGE_SIZES_MM = {
    "A3": (297, 420),
    "A4": (210, 297),
    "A5": (148, 210),
    "A6": (105, 148),
    "B5": (176, 250),
    "Letter": (216, 279),
    "Legal": (216, 356),
}
MM_PER_PX = 25.4 / 96
_PANGO_LOCK = threading.Lock()  # Pango's font maps are not thread-safe

# Odoo's report styles are made for wkhtmltopdf, which shrinks the page: 1px there is about 0.75px on paper.
BASE_CSS = """
html { font-size: 12px; }
body, .pu_running { font-family: Lato, 'Noto Sans CJK SC', 'Noto Sans', sans-serif; }
body { height: auto !important; overflow: visible !important; margin: 0; background: white; }
.container { max-width: none; }
.pu_running { width: 100%; }
.pu_running span.page, .pu_running span.topage { display: inline; }
.pu_running span.page::before { content: counter(page); }
.pu_running span.topage::before { content: counter(pages); }
table { border-collapse: collapse; }
thead { display: table-header-group; }
tr, img { break-inside: avoid; }
"""


def compute_page(paperformat, landscape=None, specific_args=None):
    """Page geometry in mm: width, height, top, right, bottom, left; data-report-* attributes win."""
    args = specific_args or {}
    landscape = landscape if landscape is not None else args.get("data-report-landscape")
    if paperformat and paperformat.format == "custom" and paperformat.page_width and paperformat.page_height:
        width, height = paperformat.page_width, paperformat.page_height
    else:
        width, height = PAGE_SIZES_MM.get(paperformat.format if paperformat else "A4", PAGE_SIZES_MM["A4"])
    if landscape or (paperformat and paperformat.orientation == "Landscape"):
        width, height = max(width, height), min(width, height)
    return {
        "width": width,
        "height": height,
        "top": float(args.get("data-report-margin-top") or (paperformat.margin_top if paperformat else 40)),
        "right": paperformat.margin_right if paperformat else 7,
        "bottom": float(
            args.get("data-report-margin-bottom") or (paperformat.margin_bottom if paperformat else 20)
        ),
        "left": paperformat.margin_left if paperformat else 7,
    }


def render_pdf(env, bodies, header=None, footer=None, page=None, lang=None, base_url=None):
    """PDF (bytes) of ``bodies``, one after the other, each with its own header, footer and page count.

    :param bodies: HTML documents; the i-th takes the i-th child of the header's and footer's collection,
        as Odoo's ``_prepare_html`` makes them
    :param page: dict of ``compute_page``
    """
    printer = _Printer(env, page, lang, base_url)
    headers = _split_running(header, "minimal_layout_report_headers")
    footers = _split_running(footer, "minimal_layout_report_footers")
    with _PANGO_LOCK:
        documents = [
            printer.render(body, _pick(headers, index), _pick(footers, index))
            for index, body in enumerate(bodies)
        ]
        pages = [single for document in documents for single in document.pages]
        return documents[0].copy(pages).write_pdf(pdf_identifier=None)


def _split_running(html, collection_id):
    """(class of the body, [elements]) of Odoo's collected headers or footers."""
    if not html:
        return "", []
    root = lxml.html.document_fromstring(html)
    collection = root.xpath(f"//*[@id='{collection_id}']")
    body = root.find("body")
    return body.get("class", ""), list(collection[0]) if collection else []


def _pick(running, index):
    css_class, elements = running
    if not elements:
        return None
    return css_class, elements[min(index, len(elements) - 1)]


class _StyleCache:
    """Parsed asset bundles of this process: parsing bootstrap takes longer than laying out an invoice.

    The address of a bundle holds a hash of its content, so an entry never gets stale. All of them share one
    font configuration, because @font-face rules belong to the configuration they were parsed with. Used under
    ``_PANGO_LOCK`` only.
    """

    def __init__(self, size=16):
        self._size = size
        self.clear()

    def clear(self):
        self._styles = OrderedDict()
        self.font_config = FontConfiguration()

    def get(self, env, href, fetcher):
        key = (env.cr.dbname, href)
        if key not in self._styles:
            if len(self._styles) >= self._size:
                self.clear()
            url = href if "://" in href else f"http://{LOCAL_HOST}{href}"
            self._styles[key] = CSS(url=url, url_fetcher=fetcher, font_config=self.font_config)
        return self._styles[key]


_STYLES = _StyleCache()


class _Printer:
    def __init__(self, env, page, lang, base_url):
        self.env = env
        self.page = page or compute_page(None)
        self.lang = (lang or env.lang or "en_US").replace("_", "-")
        self.fetcher = ReportFetcher(env, base_url)

    def render(self, body_html, header, footer):
        root = lxml.html.document_fromstring(str(body_html))
        styles = self._take_stylesheets(root)
        header_mm = self._measure(header, styles) if header is not None else 0
        footer_mm = self._measure(footer, styles) if footer is not None else 0
        for name, running in (("pu_footer", footer), ("pu_header", header)):
            if running is not None:
                root.find("body").insert(0, self._make_running(name, running))
        page_css = self._make_page_css(header_mm, footer_mm)
        return self._render_root(root, [*styles, self._make_css(BASE_CSS + page_css)])

    def _render_root(self, root, styles):
        # the language picks the Chinese, Japanese or Korean shape of a character
        marked = root.xpath("string(//@data-oe-lang)")
        root.set("lang", marked.replace("_", "-") if marked else self.lang)
        root.attrib.pop("style", None)
        html = HTML(
            string=lxml.html.tostring(root, encoding="unicode", doctype="<!DOCTYPE html>"),
            base_url=f"http://{LOCAL_HOST}/",
            url_fetcher=self.fetcher,
        )
        return html.render(stylesheets=styles, font_config=_STYLES.font_config, presentational_hints=True)

    def _take_stylesheets(self, root):
        """The linked style sheets, parsed; links, scripts and the base address leave the document."""
        links = root.xpath("//link[@rel='stylesheet'][@href]")
        styles = [_STYLES.get(self.env, link.get("href"), self.fetcher) for link in links]
        for node in root.xpath("//link[@rel='stylesheet'] | //script | //base"):
            node.drop_tree()
        return styles

    def _make_css(self, text):
        return CSS(string=text, url_fetcher=self.fetcher, font_config=_STYLES.font_config)

    def _make_running(self, name, running):
        css_class, element = running
        box = lxml.html.fromstring(f'<div id="{name}"></div>')
        box.set("class", f"pu_running {css_class}")
        box.append(element)
        return box

    def _make_page_css(self, header_mm, footer_mm):
        page = self.page
        top = max(page["top"], header_mm)
        bottom = max(page["bottom"], footer_mm)
        return f"""
@page {{
    size: {page["width"]}mm {page["height"]}mm;
    margin: {top:.2f}mm {page["right"]}mm {bottom:.2f}mm {page["left"]}mm;
    @top-center {{ content: element(pu_header); width: 100%; vertical-align: top; }}
    @bottom-center {{ content: element(pu_footer); width: 100%; vertical-align: bottom; }}
}}
#pu_header {{ position: running(pu_header); }}
#pu_footer {{ position: running(pu_footer); }}
"""

    def _measure(self, running, styles):
        """Height in mm of a header or footer at this page's width: the place of an anchor below it."""
        css_class, element = running
        root = lxml.html.document_fromstring("<html><body></body></html>")
        copy = lxml.html.fromstring(lxml.html.tostring(element, encoding="unicode"))
        body = root.find("body")
        body.append(self._make_running("pu_measured", (css_class, copy)))
        body.append(lxml.html.fromstring('<div id="pu_end" style="height: 1px"></div>'))
        width = self.page["width"] - self.page["left"] - self.page["right"]
        page_css = f"@page {{ size: {width}mm 2000mm; margin: 0; }}"
        document = self._render_root(root, [*styles, self._make_css(BASE_CSS + page_css)])
        position = document.pages[0].anchors.get("pu_end")
        return position[1] * MM_PER_PX if position else 0
