from odoo import models
from odoo.exceptions import AccessDenied

CONNECTOR_GROUP = "property_utility.property_utility_group_connector"


class ResUsers(models.Model):
    _inherit = "res.users"

    def _is_connector(self):
        """Is this the service user of a connector? Such a user may call the RPC face and nothing else."""
        return bool(self.id) and self.sudo().has_group(CONNECTOR_GROUP)  # membership is asked for any user

    def _rpc_api_keys_only(self):
        return super()._rpc_api_keys_only() or self._is_connector()

    def _check_credentials(self, credential, env):
        """No web session for a connector's user, whatever it knows."""
        if self.env.user._is_connector() and (env or {}).get("interactive", True):
            raise AccessDenied()
        return super()._check_credentials(credential, env)
