from odoo import api, models


class MeterConfigMixin(models.AbstractModel):
    """Whatever changes what a connector must know raises that connector's ``config_version``."""

    _name = "meter.config.mixin"
    _description = "Part of a Connector's Configuration"

    def _get_config_fields(self):
        """Names of the fields that are part of the document ``api_config`` answers."""
        return frozenset()

    def _get_config_connectors(self):
        """Connectors whose document contains these records."""
        raise NotImplementedError

    @api.model_create_multi
    def create(self, vals_list):
        records = super().create(vals_list)
        records._get_config_connectors()._bump_config_version()
        return records

    def write(self, vals):
        if self._get_config_fields().isdisjoint(vals):
            return super().write(vals)
        connectors = self._get_config_connectors()
        result = super().write(vals)
        (connectors | self._get_config_connectors())._bump_config_version()
        return result

    def unlink(self):
        connectors = self._get_config_connectors()
        result = super().unlink()
        connectors.exists()._bump_config_version()
        return result
