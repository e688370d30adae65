from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    property_utility_audit_mail_to = fields.Char(
        string="Audit Head Recipients",
        config_parameter="property_utility.audit_mail_to",
        help="E-mail addresses, separated by commas, outside the reach of whoever administers this server.",
    )
    property_utility_pdf_engine = fields.Selection(
        [("weasyprint", "WeasyPrint"), ("wkhtmltopdf", "wkhtmltopdf")],
        string="PDF Engine",
        default="weasyprint",
        config_parameter="property_utility.pdf_engine",
        help="WeasyPrint prints Chinese, headers, footers and page numbers. wkhtmltopdf must be installed apart.",
    )
