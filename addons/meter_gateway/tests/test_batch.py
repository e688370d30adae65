import time

from odoo.tests import TransactionCase, tagged

from ..batch import BatchError, read_batch, to_parameters

NOW = 1_800_000_000.0


@tagged("post_install", "-at_install")
class TestBatch(TransactionCase):
    """The pure part of the ingest: lists and texts mean the same."""

    def test_lists_and_texts_give_the_same_parameters(self):
        lists = {
            "circuit_id": [7, 8, 9],
            "at": [NOW, NOW + 0.25, NOW + 2],
            "total": ["1.50", "", "3"],
            "power_kw": ["-0.1", "", ""],
            "switch": ["on", "", "off"],
            "source": ["scheduled", "freeze", ""],
        }
        texts = {name: ",".join(map(str, values)) for name, values in lists.items()}
        for payload in (lists, texts):
            batch = read_batch(payload, NOW)
            self.assertEqual(sorted(batch.rejected), [1])
            parameters = to_parameters(batch)
            self.assertEqual(parameters["circuit_id"], "{7,9}")
            self.assertEqual(parameters["total"], "{1.50,3}")
            self.assertEqual(parameters["power_kw"], "{-0.1,NULL}")
            self.assertEqual(parameters["switch"], "on,off")
            self.assertIsNone(parameters["t1"])
            self.assertEqual(batch.row(2)["total"], "3")

    def test_a_good_batch_of_texts_is_handed_on_untouched(self):
        payload = {"circuit_id": "1,2", "at": f"{NOW},{NOW}", "total": "1.0,2.0"}
        parameters = to_parameters(read_batch(payload, NOW))
        self.assertEqual(parameters["total"], "{1.0,2.0}")
        self.assertEqual(parameters["at"], f"{{{NOW},{NOW}}}")

    def test_nothing_but_digits_reaches_the_statement(self):
        table = [
            "1e5",
            "+1",
            " 1",
            "1 ",
            "0x1",
            "1_0",
            "NULL",
            "inf",
            "NaN",
            '"1"',
            "{1}",
            "1.",
            ".5",
            "1.2.3",
            "--1",
            "1;",
        ]
        for value in table:
            for form in ([value], value):
                with self.subTest(value=value, form=type(form)):
                    batch = read_batch({"circuit_id": [1], "at": [NOW], "total": form}, NOW)
                    self.assertEqual(list(batch.rejected), [0])

    def test_texts_of_ids_and_times_are_only_numbers(self):
        for column, text in (
            ("circuit_id", "1;2"),
            ("circuit_id", "0"),
            ("circuit_id", "9999999999"),
            ("at", "nan"),
            ("at", "1e9"),
        ):
            payload = {"circuit_id": "1", "at": f"{NOW}"} | {column: text}
            with self.subTest(text=text), self.assertRaisesRegex(BatchError, f"column {column}"):
                read_batch(payload, NOW)

    def test_checking_a_thousand_rows_takes_milliseconds(self):
        """A column is checked whole; a slip into row by row would show as a tenfold."""
        rows = 1000
        payload = {"circuit_id": list(range(1, rows + 1)), "at": [NOW] * rows}
        payload |= {name: ["12345.67"] * rows for name in ("total", "t1", "t2", "t3", "t4", "voltage_v")}
        times = []
        for _try in range(5):
            start = time.perf_counter()
            to_parameters(read_batch(payload, NOW))
            times.append(time.perf_counter() - start)
        self.assertLess(min(times), 0.05)
