"""A QR code as SVG: sharp at any size, and no drawing library needed on the server."""

import base64

from reportlab.graphics.barcode import qrencoder

MARGIN = 4  # modules of white around it, as the standard asks


def make_image_uri(text: str) -> str:
    """`data:` address of the picture, for an <img>."""
    return f"data:image/svg+xml;base64,{base64.b64encode(make_svg(text).encode()).decode()}"


def make_svg(text: str) -> str:
    code = qrencoder.QRCode(None, qrencoder.QRErrorCorrectLevel.M)
    code.addData(text)
    code.make()
    size = code.getModuleCount() + 2 * MARGIN
    dark = "".join(
        f"M{column + MARGIN} {row + MARGIN}h1v1h-1z"
        for row, modules in enumerate(code.modules)
        for column, is_dark in enumerate(modules)
        if is_dark
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">'
        f'<rect width="{size}" height="{size}" fill="#fff"/><path d="{dark}"/></svg>'
    )
