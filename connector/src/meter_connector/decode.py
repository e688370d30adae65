"""The ``decode`` command: bytes of any source -> what they say, as JSON or for people."""

import argparse


def decode_stream(protocol: str, data: bytes) -> dict[str, object]:
    """All frames of a byte stream.

    Returns ``{"frames": [...], "errors": [...], "dropped_bytes": n, "incomplete": bool}``; raises KeyError for an unknown protocol.
    """
    raise NotImplementedError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--protocol, --json and HEX..., for cli.py."""
    raise NotImplementedError


def main(options: argparse.Namespace) -> int:
    """Run it; returns the exit code: 0, or 2 when an input line was not hexadecimal."""
    raise NotImplementedError
