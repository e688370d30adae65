"""Wire protocols without input or output: bytes in, frames out; requests in, bytes out.

One package per protocol, each with the same face:

    frame.Frame          one checked frame; ``encode()`` gives its bytes
    frame.Decoder        ``feed(bytes) -> list[Frame]``, ``expire()``, ``dropped_bytes``, ``errors``, ``incomplete``
    requests.*           builders that return a Frame
    answers.*            the same from the meter's side (for the simulator and tests)
    data.*               data identifiers (TOML tables), payload -> values and back
    matching.matches     is this frame the answer to that request?
    describe.describe    a frame as a plain dictionary for people and for ``meter-connector decode``

Nothing in here may import asyncio, socket, serial or time; tests/codecs/test_purity.py says so.
"""
