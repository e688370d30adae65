import logging
from datetime import timedelta

from odoo import api, fields, models

_logger = logging.getLogger(__name__)

KINDS = [
    ("warning_1", "First Warning"),
    ("warning_2", "Second Warning"),
    ("trip", "Cut Off"),
    ("reclose", "Back On"),
]
RETRY_MINUTES = (1, 5, 15, 60, 240)


class PrepaidNotice(models.Model):
    """A message to a tenant and whether it got there. Only a delivered warning counts before a trip.

    Channels join by extending ``channel`` and ``_get_channels``; each gives a method that returns True when delivered.
    """

    _name = "prepaid.notice"
    _description = "Notice to a Tenant"
    _order = "id desc"
    _rec_name = "subject"

    contract_id = fields.Many2one(
        "contract.contract", string="Tenancy", required=True, readonly=True, index=True, ondelete="restrict"
    )
    partner_id = fields.Many2one(related="contract_id.partner_id", string="Tenant")
    case_id = fields.Many2one("prepaid.case", readonly=True, index=True, ondelete="restrict")
    company_id = fields.Many2one(related="contract_id.company_id", store=True, index=True)
    kind = fields.Selection(KINDS, required=True, readonly=True)
    level = fields.Integer(readonly=True)
    channel = fields.Selection([("email", "E-mail")], required=True, readonly=True, default="email")
    state = fields.Selection(
        [("queued", "Queued"), ("delivered", "Delivered"), ("failed", "Failed")],
        required=True,
        readonly=True,
        default="queued",
        index=True,
    )
    subject = fields.Char(readonly=True)
    text = fields.Text(readonly=True)
    delivered_at = fields.Datetime(readonly=True)
    tries = fields.Integer(readonly=True)
    next_try_at = fields.Datetime(readonly=True, default=fields.Datetime.now)
    error = fields.Char(readonly=True)

    _once_uniq = models.UniqueIndex(
        "(case_id, kind, channel) WHERE case_id IS NOT NULL", "Each message is sent once in a case."
    )

    @api.model
    def _queue(self, contract, case, kind, level, amounts):
        """Write a message in the tenant's language; it leaves after this transaction, by the cron that is woken here."""
        notice = self.with_context(lang=contract.partner_id.lang or self.env.lang).sudo()
        if case and notice.search_count([("case_id", "=", case.id), ("kind", "=", kind)]):
            return self.browse()
        subject, text = notice._prepare_text(contract, kind, amounts)
        created = notice.create(
            {
                "contract_id": contract.id,
                "case_id": case.id,
                "kind": kind,
                "level": level,
                "subject": subject,
                "text": text,
            }
        )
        self.env.ref("prepaid_billing.prepaid_notice_cron")._trigger()
        return created

    @api.model
    def _prepare_text(self, contract, kind, amounts):
        """(subject, text) for a shop owner."""
        _ = self.env._
        values = {
            "account": contract.account_number,
            "balance": amounts["balance"],
            "days": amounts["days_left"] or "—",
            "url": f"{contract.get_base_url()}/my/utility/{contract.id}",
        }
        texts = {
            "warning_1": (
                _("Account %(account)s: balance ¥%(balance)s, please top up", **values),
                _(
                    "Your balance is ¥%(balance)s, enough for about %(days)s days. Top up on your phone: %(url)s",
                    **values,
                ),
            ),
            "warning_2": (
                _("Account %(account)s: balance ¥%(balance)s, power will be cut off soon", **values),
                _(
                    "Your balance is ¥%(balance)s. Power is cut off when the money is gone. Top up now: %(url)s",
                    **values,
                ),
            ),
            "trip": (
                _("Account %(account)s: power is cut off", **values),
                _(
                    "Your balance is ¥%(balance)s. Power comes back by itself within seconds of your payment: %(url)s",
                    **values,
                ),
            ),
            "reclose": (
                _("Account %(account)s: power is back", **values),
                _("Thank you. Your balance is ¥%(balance)s, power is on again.", **values),
            ),
        }
        return texts[kind]

    @api.model
    def _get_channels(self):
        """{channel: method(notice) -> None, raising what went wrong}"""
        return {"email": self._deliver_email}

    def _deliver_email(self, notice):
        """Handing over to the mail server is delivery for e-mail: it answers for the rest."""
        if not notice.partner_id.email:
            raise ValueError(self.env._("%s has no e-mail address", notice.partner_id.name))
        servers = self.env["ir.mail_server"]
        sender = notice.company_id.email_formatted or self.env["res.users"].browse(1).email_formatted
        message = servers._build_email__(
            email_from=sender,
            email_to=[notice.partner_id.email_formatted],
            subject=notice.subject,
            body=notice.text,
        )
        servers.send_email(message)

    @api.model
    def _cron_deliver(self):
        """Send what is queued; failures are tried again later, each on its own."""
        domain = [("state", "=", "queued"), ("next_try_at", "<=", fields.Datetime.now())]
        waiting = self.search(domain, order="id", limit=200)
        cron = self.env["ir.cron"]
        cron._commit_progress(remaining=len(waiting))
        for notice in waiting:
            is_delivered = notice._deliver()
            # What has left has left, whatever becomes of the decision about it.
            has_time = cron._commit_progress(1)
            if is_delivered:
                notice.contract_id.sudo()._try_evaluate_supply("notice")
                cron._commit_progress()
            if not has_time:
                break

    def _deliver(self):
        """True when it was delivered now."""
        self.ensure_one()
        if not self.try_lock_for_update():
            return False
        try:
            self._get_channels()[self.channel](self)
        except Exception as error:  # noqa: BLE001 - whatever a channel meets is kept on the notice and tried again
            self._note_failure(error)
            return False
        self.write(
            {
                "state": "delivered",
                "delivered_at": fields.Datetime.now(),
                "tries": self.tries + 1,
                "error": False,
            }
        )
        return True

    def _note_failure(self, error):
        _logger.info("notice %s was not delivered: %s", self.id, error)
        vals = {"tries": self.tries + 1, "error": str(error)[:500]}
        if self.tries < len(RETRY_MINUTES):
            vals["next_try_at"] = fields.Datetime.now() + timedelta(minutes=RETRY_MINUTES[self.tries])
        else:
            vals["state"] = "failed"
        self.write(vals)
