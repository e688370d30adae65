from odoo import http
from odoo.addons.portal.controllers.portal import CustomerPortal
from odoo.http import request

from .access import get_tenancies


class UtilityPortalHome(CustomerPortal):
    def _prepare_home_portal_values(self, counters):
        values = super()._prepare_home_portal_values(counters)
        if "utility_count" in counters:
            values["utility_count"] = len(get_tenancies())
        return values


class UtilityLanguage(http.Controller):
    @http.route("/my/utility/lang", type="http", auth="user", website=True, methods=["POST"], multilang=False)
    def utility_lang(self, lang="", next="", **_kwargs):  # noqa: A002  # name of the form's field
        """The tenant's own language, for these pages and for messages sent to them."""
        languages = request.env["res.lang"]._get_frontend()
        path = (
            next
            if next.startswith("/my/utility") and "//" not in next and "\\" not in next
            else "/my/utility"
        )
        if lang not in languages:
            return request.redirect(path)
        request.env.user.write({"lang": lang})
        response = request.redirect(request.env["ir.http"]._url_lang(path, lang))
        response.set_cookie("frontend_lang", lang)
        return response
