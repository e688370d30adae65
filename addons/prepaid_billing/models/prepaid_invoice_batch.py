from dateutil.relativedelta import relativedelta
from odoo import api, fields, models
from odoo.exceptions import UserError

CHUNK = 25  # tenancies a job: a few seconds of work, one commit


class PrepaidInvoiceBatch(models.Model):
    _name = "prepaid.invoice.batch"
    _description = "Invoicing of a Month"
    _inherit = ["mail.thread", "property.facts.mixin"]
    _order = "month desc, id desc"
    _rec_name = "month"

    company_id = fields.Many2one(
        "res.company", required=True, readonly=True, default=lambda self: self.env.company, index=True
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    month = fields.Date(required=True, readonly=True, help="First day of the month.")
    state = fields.Selection(
        [("running", "Running"), ("done", "Done"), ("failed", "Done with Errors")],
        default="running",
        required=True,
        readonly=True,
    )
    total_count = fields.Integer(string="Tenancies", readonly=True)
    done_count = fields.Integer(string="Looked At", readonly=True)
    progress = fields.Float(compute="_compute_progress", string="Progress (%)")
    invoice_ids = fields.One2many("account.move", "prepaid_batch_id", string="Invoices")
    invoice_count = fields.Integer(compute="_compute_totals")
    amount_total = fields.Monetary(compute="_compute_totals", string="Invoiced")
    is_incomplete_accepted = fields.Boolean(
        string="In Spite of Missing Readings",
        readonly=True,
        help="A person has decided not to wait for readings.",
    )
    failed_contract_ids = fields.Many2many("contract.contract", string="Tenancies with Errors", readonly=True)

    @api.depends("total_count", "done_count")
    def _compute_progress(self):
        for batch in self:
            batch.progress = 100.0 * batch.done_count / batch.total_count if batch.total_count else 100.0

    @api.depends("invoice_ids")
    def _compute_totals(self):
        groups = self.env["account.move"]._read_group(
            [("prepaid_batch_id", "in", self.ids), ("state", "=", "posted")],
            ["prepaid_batch_id"],
            ["__count", "amount_total_signed:sum"],
        )
        totals = {batch: (count, amount) for batch, count, amount in groups}
        for batch in self:
            batch.invoice_count, batch.amount_total = totals.get(batch, (0, 0.0))

    @api.depends("month", "company_id")
    def _compute_display_name(self):
        for batch in self:
            batch.display_name = f"{batch.month:%Y-%m}" if batch.month else ""

    @api.model
    def _start(self, company, month, contracts=None, is_incomplete_accepted=False):
        """Enqueue the invoices of a month; returns the batch. Tenancies invoiced already are left alone."""
        month = month.replace(day=1)
        ids = (
            contracts.ids
            if contracts
            else self.env["contract.contract"]._get_contract_ids_to_invoice(company, month)
        )
        self.check_access("create")
        batch = self.sudo().create(  # the right was checked; runs have no writer of their own
            {
                "company_id": company.id,
                "month": month,
                "total_count": len(ids),
                "is_incomplete_accepted": is_incomplete_accepted,
                "state": "running" if ids else "done",
            }
        )
        batch = batch.with_env(self.env)
        for start in range(0, len(ids), CHUNK):
            batch._enqueue(ids[start : start + CHUNK])
        return batch

    def _enqueue(self, contract_ids):
        self.with_delay(
            channel="root.invoice",
            description=f"Invoice {self.month:%Y-%m}: {len(contract_ids)} tenancies",
            identity_key=f"prepaid-invoice-{self.id}-{contract_ids[0]}",
        )._job_invoice(contract_ids)

    def _job_invoice(self, contract_ids):
        """Invoice these tenancies, each on its own; at-least-once safe, an invoiced month is skipped."""
        self.ensure_one()
        failed = self.env["contract.contract"]
        for contract in self.env["contract.contract"].browse(contract_ids).exists():
            if not self._invoice_one(contract):
                failed |= contract
        self._add_progress(len(contract_ids), failed)

    def _invoice_one(self, contract):
        try:
            with self.env.cr.savepoint():
                if not self.is_incomplete_accepted:
                    contract._check_month_complete(self.month)
                move = contract._create_month_invoice_sudo(self.month)
                move.prepaid_batch_id = self
        except UserError as error:
            contract.sudo()._record_invoice_generation_error(error, "invoice")
            return False
        contract.sudo()._clear_invoice_generation_error()
        return True

    def _add_progress(self, count, failed):
        self.flush_recordset()
        self.env.cr.execute("SELECT id FROM prepaid_invoice_batch WHERE id = %s FOR UPDATE", [self.id])
        self.invalidate_recordset()
        batch = self.sudo()
        batch.done_count += count
        batch.failed_contract_ids |= failed
        if batch.done_count >= batch.total_count:
            batch.state = "failed" if batch.failed_contract_ids else "done"

    def action_view_invoices(self):
        self.check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "prepaid_billing.account_move_action_tenancy_invoice"
        )
        return {**action, "domain": [("prepaid_batch_id", "in", self.ids)]}

    def action_refresh(self):
        """Button without effect but that the page is read again."""
        self.check_access("read")
        return True

    def action_retry(self):
        """Once more for the tenancies that failed, after what was wrong is put right."""
        self.ensure_one()
        self.check_access("write")
        failed = self.failed_contract_ids
        self.sudo().write(
            {"failed_contract_ids": False, "state": "running", "done_count": self.done_count - len(failed)}
        )
        for start in range(0, len(failed), CHUNK):
            self._enqueue(failed.ids[start : start + CHUNK])

    @api.model
    def _cron_invoice_last_month(self):
        """Daily: from the invoice day on, invoice the month before, once a company."""
        for company in self.env["res.company"].search([("prepaid_advance_account_id", "!=", False)]):
            today = company._get_prepaid_today()
            month = today.replace(day=1) - relativedelta(months=1)
            if today.day < company.prepaid_invoice_day:
                continue
            if not self.search_count([("company_id", "=", company.id), ("month", "=", month)], limit=1):
                self._start(company, month)
