from odoo import fields, models

COLUMN_WIDTHS = (12, 16, 10, 20, 36, 36, 16, 16, 12, 14, 14, 10)


class ReportPaymentReconciliationXlsx(models.AbstractModel):
    """Reconciliations as a workbook: a sheet of totals per day, and a sheet of all lines.

    What comes from a bill is written as text, so that no line of it is a formula.
    """

    _name = "report.payment_reconciliation.report_reconciliation_xlsx"
    _description = "Payment Reconciliation (Excel)"
    _inherit = "report.report_xlsx.abstract"

    def generate_xlsx_report(self, workbook, data, reconciliations):
        reconciliations.check_access("read")
        formats = {
            "head": workbook.add_format({"bold": True, "bg_color": "#E8EEF4", "border": 1}),
            "money": workbook.add_format({"num_format": "#,##0.00", "border": 1}),
            "fee": workbook.add_format({"num_format": "#,##0.00000", "border": 1}),
            "number": workbook.add_format({"num_format": "0", "border": 1}),
            "text": workbook.add_format({"border": 1}),
        }
        ordered = reconciliations.sorted(lambda one: (one.date, one.provider_id.id))
        self._write_sheet(
            workbook.add_worksheet(self.env._("Totals")),
            formats,
            self._get_total_titles(),
            [self._get_total_row(reconciliation) for reconciliation in ordered],
        )
        self._write_sheet(
            workbook.add_worksheet(self.env._("Lines")),
            formats,
            self._get_line_titles(),
            [self._get_line_row(line) for reconciliation in ordered for line in reconciliation.line_ids],
        )

    def _write_sheet(self, sheet, formats, titles, rows):
        for column, title in enumerate(titles):
            sheet.set_column(column, column, COLUMN_WIDTHS[column])
            sheet.write_string(0, column, title, formats["head"])
        sheet.freeze_panes(1, 2)
        for number, row in enumerate(rows, 1):
            for column, (kind, value) in enumerate(row):
                write = sheet.write_string if kind == "text" else sheet.write_number
                write(number, column, value or ("" if kind == "text" else 0), formats[kind])

    def _get_total_titles(self):
        return (
            self.env._("Date"),
            self.env._("Provider"),
            self.env._("State"),
            self.env._("Payments in the Bill"),
            self.env._("Paid"),
            self.env._("Refunds in the Bill"),
            self.env._("Refunded"),
            self.env._("Fees"),
            self.env._("Net"),
            self.env._("Paid Here"),
            self.env._("Refunded Here"),
            self.env._("Differences"),
        )

    def _get_total_row(self, reconciliation):
        return (
            ("text", fields.Date.to_string(reconciliation.date)),
            ("text", reconciliation.sudo().provider_id.name),  # accountants may not read providers
            ("text", self._get_label(reconciliation, "state")),
            ("number", reconciliation.payment_count),
            ("money", reconciliation.payment_total),
            ("number", reconciliation.refund_count),
            ("money", reconciliation.refund_total),
            ("money", reconciliation.fee_total),
            ("money", reconciliation.net_total),
            ("money", reconciliation.our_payment_total),
            ("money", reconciliation.our_refund_total),
            ("number", reconciliation.difference_count),
        )

    def _get_line_titles(self):
        return (
            self.env._("Date"),
            self.env._("Result"),
            self.env._("Kind"),
            self.env._("Time"),
            self.env._("Reference"),
            self.env._("Gateway Reference"),
            self.env._("Amount in the Bill"),
            self.env._("Amount Here"),
            self.env._("Fee"),
            self.env._("State in the Bill"),
            self.env._("State Here"),
            self.env._("Case"),
        )

    def _get_line_row(self, line):
        moment = line.at and fields.Datetime.context_timestamp(self.with_context(tz="Asia/Shanghai"), line.at)
        return (
            ("text", fields.Date.to_string(line.date)),
            ("text", self._get_label(line, "result")),
            ("text", self._get_label(line, "kind")),
            ("text", moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""),
            ("text", line.reference),
            ("text", line.gateway_reference),
            ("money", line.bill_amount),
            ("money", line.our_amount),
            ("fee", line.fee),
            ("text", line.bill_state),
            ("text", line.our_state),
            ("text", self._get_label(line.case_id, "state") if line.case_id else ""),
        )

    def _get_label(self, record, name):
        return dict(record._fields[name]._description_selection(self.env))[record[name]]
