"""``meter-connector decode``: JSON a stream a line, a table for people, bad input told."""

import argparse
import io
import json
from typing import Any

import pytest
from codec_vectors import GOOD, ROWS
from meter_connector import decode

VOLTAGE = "68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16"
TRIP_REFUSED = "68 56 34 12 00 00 00 68 DC 01 37 80 16"


def run(*arguments: str, stdin: str = "") -> tuple[int, list[str]]:
    parser = argparse.ArgumentParser()
    decode.add_arguments(parser)
    out = io.StringIO()
    code = decode.main(parser.parse_args(arguments), io.StringIO(stdin), out)
    return code, out.getvalue().splitlines()


def run_json(*arguments: str, stdin: str = "", protocol: str = "dlt645-2007") -> tuple[int, list[Any]]:
    code, lines = run("--protocol", protocol, "--json", *arguments, stdin=stdin)
    return code, [json.loads(line) for line in lines]


def test_a_frame_in_one_argument_or_many_is_one_stream() -> None:
    for arguments in (
        [VOLTAGE],
        VOLTAGE.split(),
        [VOLTAGE.replace(" ", "").lower()],
        ["0x68,0x61"] + VOLTAGE.split()[2:],
    ):
        code, (result,) = run_json(*arguments)
        assert code == 0
        (frame,) = result["frames"]
        assert frame["address"] == "000000000161"
        assert frame["values"] == [{"name": "voltage A", "value": "100.1", "unit": "V"}]
        assert set(result) == {"frames", "errors", "dropped_bytes", "incomplete"}


def test_whole_frames_as_arguments_are_a_stream_each() -> None:
    _, results = run_json(VOLTAGE, TRIP_REFUSED)
    assert [result["frames"][0]["control"] for result in results] == ["91", "DC"]
    _, results = run_json("FEFEFEFE", VOLTAGE.replace(" ", ""))
    assert [len(result["frames"]) for result in results] == [1]


@pytest.mark.parametrize("protocol", sorted(decode.CODECS))
def test_standard_input_is_a_stream_a_line(protocol: str) -> None:
    rows = [row for row in ROWS if row["protocol"] == protocol]
    code, results = run_json(stdin="\n".join(row["hex"] for row in rows), protocol=protocol)
    assert (code, len(results)) == (0, len(rows))
    for row, result in zip(rows, results, strict=True):
        assert bool(result["frames"]) == (row["expect"] == "ok")
        assert result == decode.decode_stream(protocol, bytes.fromhex(row["hex"]))


def test_a_bad_line_is_told_and_the_others_are_decoded(capsys: pytest.CaptureFixture[str]) -> None:
    code, results = run_json(stdin=f"{VOLTAGE}\nnot hex\n{VOLTAGE} 6\n\n{VOLTAGE}\n")
    assert code == 2
    assert [len(result["frames"]) for result in results] == [1, 0, 0, 0, 1]
    assert [result["errors"][0]["kind"] for result in results[1:4]] == ["bad_hex", "bad_hex", "no_frame"]
    assert "line 2" in capsys.readouterr().err


def test_the_table_is_for_people() -> None:
    code, lines = run("--protocol", "dlt645-2007", VOLTAGE)
    assert code == 0
    assert "000000000161" in lines[0]
    assert any("voltage A" in line and "100.1 V" in line for line in lines)
    _, lines = run("--protocol", "dlt645-2007", TRIP_REFUSED)
    assert "REFUSED" in lines[0]
    assert any("password_refused" in line for line in lines)


@pytest.mark.parametrize("row", GOOD, ids=lambda row: str(row["id"]))
def test_the_table_of_every_row_names_its_address(row: dict[str, Any]) -> None:
    code, lines = run("--protocol", row["protocol"], row["hex"])
    assert code == 0
    assert any(str(row["decoded"].get("address", row["decoded"].get("unit"))) in line for line in lines)


def test_an_unknown_protocol_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run("--protocol", "dlms", VOLTAGE)
    assert stop.value.code == 2
    assert "dlt645-2007" in capsys.readouterr().err


def test_values_that_are_not_available_are_null() -> None:
    row = next(row for row in GOOD if row["id"] == "x-bcd-bad")
    _, (result,) = run_json(row["hex"])
    assert result["frames"][0]["values"] == [
        {"name": "forward active total energy", "value": None, "unit": "kWh"}
    ]
    _, lines = run("--protocol", "dlt645-2007", row["hex"])
    assert any("not available" in line for line in lines)
