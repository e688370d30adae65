"""Barcodes as PNG without reportlab's native back end (rlPyCairo), which a plain installation lacks."""

import io

from PIL import Image, ImageDraw, ImageFont
from reportlab.graphics.barcode import createBarcodeDrawing
from reportlab.graphics.shapes import Group, Rect, String, UserNode

OVERSAMPLING = 4  # barcodes are black and white: exact edges matter, greys do not


def render_barcode_png(kind, value, **options):
    """PNG (bytes) of a barcode; ``options`` as for ``reportlab``'s ``createBarcodeDrawing``.

    :raise ValueError, AttributeError: unknown kind, or a value the code cannot carry
    """
    drawing = createBarcodeDrawing(kind, value=value, format="png", **options)
    width, height = max(1, round(drawing.width)), max(1, round(drawing.height))
    image = Image.new("L", (width * OVERSAMPLING, height * OVERSAMPLING), 255)
    _paint(ImageDraw.Draw(image), drawing, (1, 0, 0, 1, 0, 0), drawing.height)
    result = io.BytesIO()
    image.resize((width, height), Image.Resampling.BOX).save(result, format="PNG")
    return result.getvalue()


def _paint(draw, node, transform, page_height):
    """Paint the rectangles and texts below ``node``. reportlab counts y upwards, PIL downwards."""
    if isinstance(node, UserNode):
        node = node.provideNode()
    if isinstance(node, Group):  # Drawing is one
        inner = _multiply(transform, node.transform)
        for child in node.contents:
            _paint(draw, child, inner, page_height)
    elif isinstance(node, Rect) and node.fillColor is not None:
        left, bottom = _apply(transform, node.x, node.y)
        right, top = _apply(transform, node.x + node.width, node.y + node.height)
        box = (left, page_height - top, right, page_height - bottom)
        left, top, right, bottom = (round(edge * OVERSAMPLING) for edge in box)
        if right > left and bottom > top:
            draw.rectangle((left, top, right - 1, bottom - 1), fill=_grey(node.fillColor))
    elif isinstance(node, String):
        x, y = _apply(transform, node.x, node.y)
        font = ImageFont.load_default(size=node.fontSize * OVERSAMPLING)
        anchor = {"middle": "ms", "end": "rs"}.get(node.textAnchor, "ls")
        draw.text(
            (x * OVERSAMPLING, (page_height - y) * OVERSAMPLING), node.text, 0, font=font, anchor=anchor
        )


def _grey(color):
    return round(255 * (color.red + color.green + color.blue) / 3)


def _apply(transform, x, y):
    a, b, c, d, e, f = transform
    return a * x + c * y + e, b * x + d * y + f


def _multiply(outer, inner):
    a, b, c, d, e, f = outer
    x1, y1 = _apply((a, b, c, d, 0, 0), inner[0], inner[1])
    x2, y2 = _apply((a, b, c, d, 0, 0), inner[2], inner[3])
    return (x1, y1, x2, y2, *_apply(outer, inner[4], inner[5]))
