from odoo import models

from ..wizards.prepaid_finance import KINDS

AMOUNTS = ("opening", *KINDS, "closing")


class ReportPrepaidFinanceXlsx(models.AbstractModel):
    _name = "report.prepaid_billing.report_finance_xlsx"
    _description = "Finance by Tenancy (Excel)"
    _inherit = "report.report_xlsx.abstract"

    def generate_xlsx_report(self, workbook, data, reports):
        head = workbook.add_format({"bold": True, "bg_color": "#E8EEF4", "border": 1})
        money = workbook.add_format({"num_format": "#,##0.00", "border": 1})
        text = workbook.add_format({"border": 1})
        for report in reports:
            sheet = workbook.add_worksheet(f"{report.date_from} {report.date_to}")
            sheet.set_column(0, 0, 14)
            sheet.set_column(1, 1, 28)
            sheet.set_column(2, len(AMOUNTS) + 1, 13)
            for column, title in enumerate(self._get_titles()):
                sheet.write(0, column, title, head)
            sheet.freeze_panes(1, 2)
            rows = report._get_rows()
            for number, row in enumerate(rows, 1):
                wallet = self.env["prepaid.wallet"].browse(row["wallet_id"])
                sheet.write_string(number, 0, wallet.account_number or "", text)
                sheet.write_string(number, 1, wallet.partner_id.name or "", text)
                for column, key in enumerate(AMOUNTS, 2):
                    sheet.write_number(number, column, row[key], money)
            sheet.write(len(rows) + 1, 0, self.env._("Total"), head)
            for column, key in enumerate(AMOUNTS, 2):
                sheet.write_number(len(rows) + 1, column, sum(row[key] for row in rows), money)

    def _get_titles(self):
        kinds = dict(self.env["prepaid.entry"]._fields["kind"]._description_selection(self.env))
        return (
            self.env._("Account No."),
            self.env._("Tenant"),
            self.env._("Opening Balance"),
            *(kinds[kind] for kind in KINDS),
            self.env._("Closing Balance"),
        )
