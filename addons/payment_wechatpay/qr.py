"""A QR code as a picture in the page itself: nothing is fetched, and it is sharp at every size."""

import base64

from reportlab.graphics.barcode import qrencoder

#: White modules around the code, as the standard asks.
QUIET_ZONE = 4


def make_data_uri(text):
    """Address of an SVG picture of the text, for an img."""
    code = qrencoder.QRCode(None, qrencoder.QRErrorCorrectLevel.M)
    code.addData(text)
    code.make()
    size = code.getModuleCount() + 2 * QUIET_ZONE
    modules = "".join(
        f"M{x + QUIET_ZONE} {y + QUIET_ZONE}h1v1h-1z"
        for y in range(code.getModuleCount())
        for x in range(code.getModuleCount())
        if code.isDark(y, x)
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{size}v{size}H0z"/><path d="{modules}"/></svg>'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
