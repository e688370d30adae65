from odoo import models

COLUMN_WIDTHS = (14, 28, 24, 14, 14, 14, 14, 14)


class ReportPrepaidBalancesXlsx(models.AbstractModel):
    """Balances of wallets as a workbook: what each holds, and the part that is not invoiced yet."""

    _name = "report.prepaid_billing.report_balances_xlsx"
    _description = "Balances (Excel)"
    _inherit = "report.report_xlsx.abstract"

    def generate_xlsx_report(self, workbook, data, wallets):
        sheet = workbook.add_worksheet(self.env._("Balances"))
        head = workbook.add_format({"bold": True, "bg_color": "#E8EEF4", "border": 1})
        money = workbook.add_format({"num_format": "#,##0.00", "border": 1})
        text = workbook.add_format({"border": 1})
        for column, (title, width) in enumerate(zip(self._get_titles(), COLUMN_WIDTHS, strict=True)):
            sheet.set_column(column, column, width)
            sheet.write(0, column, title, head)
        sheet.freeze_panes(1, 2)
        rows = self._get_rows(wallets)
        for number, row in enumerate(rows, 1):
            for column, value in enumerate(row):
                sheet.write(number, column, value, text if isinstance(value, str) else money)
        self._write_totals(sheet, len(rows), head, money)

    def _get_titles(self):
        return (
            self.env._("Account No."),
            self.env._("Tenant"),
            self.env._("Units"),
            self.env._("Balance"),
            self.env._("Advance Account"),
            self.env._("Charges Not Invoiced"),
            self.env._("Fees Not Invoiced"),
            self.env._("Difference"),
        )

    def _get_rows(self, wallets):
        wallets.check_access("read")
        lines = self.env["prepaid.books.line"].sudo().search([("wallet_id", "in", wallets.ids)])
        by_wallet = {line.wallet_id: line for line in lines}
        return [
            (
                wallet.account_number or "",
                wallet.partner_id.name or "",
                ", ".join(wallet.contract_id.unit_ids.mapped("code")),
                line.balance,
                line.advance_amount,
                line.charge_amount,
                line.fee_amount,
                line.difference,
            )
            for wallet in wallets.sorted(lambda wallet: wallet.account_number or "")
            if (line := by_wallet[wallet])
        ]

    def _write_totals(self, sheet, count, head, money):
        sheet.write(count + 1, 0, self.env._("Total"), head)
        for column in range(3, 8):
            letter = "ABCDEFGH"[column]
            sheet.write_formula(count + 1, column, f"=SUM({letter}2:{letter}{count + 1})", money)
