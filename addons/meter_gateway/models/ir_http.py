from odoo import models
from odoo.http import request

from .. import rpc_guard


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    @classmethod
    def _pre_dispatch(cls, rule, args):
        """A connector's user reaches one route: JSON-2 with a method of the face."""
        user = request.env.user if request.env.uid else None
        if user and user._is_connector():
            rpc_guard.check_route(rule.endpoint.routing, args)
        return super()._pre_dispatch(rule, args)
