from odoo import models
from odoo.exceptions import AccessDenied

CONNECTOR_GROUP = "property_utility.property_utility_group_connector"


class ResUsers(models.Model):
    _inherit = "res.users"

    def _is_connector(self):
        """Is this the service user of a connector? Such a user may call the RPC face and nothing else."""
        return bool(self.id) and self.sudo().has_group(CONNECTOR_GROUP)  # membership is asked for any user

    def _remove_keys(self):
        """Make every API key of these users worthless at once; returns how many there were."""
        # keys of somebody else: whoever calls has checked that this is right
        keys = self.env["res.users.apikeys"].sudo().search([("user_id", "in", self.ids)])
        count = len(keys)
        if keys:
            keys._remove()
            # a key that was right once is remembered per process (_check_uid_passwd); forget it everywhere
            self.env.registry.clear_cache()
        return count

    def _rpc_api_keys_only(self):
        return super()._rpc_api_keys_only() or self._is_connector()

    def _check_credentials(self, credential, env):
        """No web session for a connector's user, whatever it knows."""
        if self.env.user._is_connector() and (env or {}).get("interactive", True):
            raise AccessDenied()
        return super()._check_credentials(credential, env)
