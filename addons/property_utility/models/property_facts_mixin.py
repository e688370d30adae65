from odoo import api, models
from odoo.exceptions import AccessError
from odoo.models import MAGIC_COLUMNS


class PropertyFactsMixin(models.AbstractModel):
    """Read-only fields are so on the server too: facts and states are written by the system alone.

    Odoo keeps ``readonly`` on screens only: over RPC whoever may write a record may write each of its columns, those
    that are computed, too. Here a user's ``create`` and ``write`` refuse what the model declares read-only. Methods that
    change a fact check the right first, then write as superuser.
    """

    _name = "property.facts.mixin"
    _description = "Facts are written by the system"

    @api.model
    def _is_fact(self, name):
        """Is this a stored field that no user writes?"""
        field = self._fields.get(name)
        return bool(
            field
            and field.store
            and field.readonly
            and (field.column_type or field.type == "many2many")
            and name not in MAGIC_COLUMNS
        )

    def _check_no_facts(self, names):
        """Raise AccessError, naming the fields, when a user brings facts."""
        facts = [] if self.env.su else sorted(name for name in names if self._is_fact(name))
        if facts:
            raise AccessError(
                self.env._(
                    "%(model)s: %(fields)s is written by the system, not by hand.",
                    model=self.env["ir.model"]._get(self._name).sudo().name,
                    fields=", ".join(self._fields[name]._description_string(self.env) for name in facts),
                )
            )

    @api.model
    def default_get(self, fields):
        """Facts begin as their field says: never as the caller's context or somebody's own defaults say, nor for code
        that runs as superuser on that caller's behalf."""
        facts = {name for name in fields if self._is_fact(name)}
        values = super().default_get([name for name in fields if name not in facts])
        for name in facts:
            field = self._fields[name]
            if field.default:
                values[name] = field.convert_to_write(field.default(self), self)
        return values

    @api.model_create_multi
    def create(self, vals_list):
        self._check_no_facts({name for vals in vals_list for name in vals})
        return super().create(vals_list)

    def write(self, vals):
        self._check_no_facts(vals)
        return super().write(vals)

    def copy_data(self, default=None):
        """A copy begins anew: the facts of the original stay with it."""
        given = set(default or ())
        return [
            vals and {name: value for name, value in vals.items() if name in given or not self._is_fact(name)}
            for vals in super().copy_data(default)
        ]
