from odoo import api, models


class MeterSharedMixin(models.AbstractModel):
    """Something that many meters go by, hours or settings: who changes it changes all of them.

    So a change needs the right to every meter that has it, seen by the user or not, and is audited with what it was
    before. ``_get_shared()`` is the record that meters are tied to: a plan for its periods, a profile for its lines.
    """

    _name = "meter.shared.mixin"
    _description = "Shared by Many Meters"

    #: Fields whose records write their own audit line.
    _shared_parts = frozenset()

    def _get_shared(self):
        """The records that meters are tied to."""
        return self

    @api.model
    def _get_shared_of(self, vals_list):
        """Same for records that are about to be made; empty where these are the shared ones themselves."""
        return self.browse()

    def _get_shared_meters(self):
        """Meters that go by these shared records, archived ones too; as superuser."""
        raise NotImplementedError

    def _prepare_shared_audit(self):
        """What one shared record says, in words that do not depend on the user's language."""
        raise NotImplementedError

    def _check_shared_right(self):
        meters = self.exists().sudo().with_context(active_test=False)._get_shared_meters()
        self.env["meter.parameter"]._check_reach(meters.with_env(self.env))

    def _snap_shared(self):
        return {shared: shared._prepare_shared_audit() for shared in self.exists().sudo()}

    def _log_shared(self, before):
        after = self._snap_shared()
        for shared in before.keys() | after.keys():
            old, new = before.get(shared), after.get(shared)
            if old != new:
                record = shared.exists().with_env(self.env)
                self.env["audit.entry"]._log(f"{self._name}.change", record, before=old, after=new)

    @api.model_create_multi
    def create(self, vals_list):
        shared = self._get_shared_of(vals_list)
        shared._check_shared_right()
        before = shared._snap_shared()
        records = super().create(vals_list)
        after = records._get_shared()
        after._check_shared_right()
        after._log_shared(before)
        return records

    def write(self, vals):
        shared = self._get_shared()
        shared._check_shared_right()
        before = shared._snap_shared()
        result = super().write(vals)
        shared |= self._get_shared()
        shared._check_shared_right()
        if not vals.keys() <= self._shared_parts:
            shared._log_shared(before)
        return result

    def unlink(self):
        shared = self._get_shared()
        shared._check_shared_right()
        before = shared._snap_shared()
        result = super().unlink()
        shared._log_shared(before)
        return result
