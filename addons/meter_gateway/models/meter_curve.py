from odoo import models


class MeterMeter(models.Model):
    _inherit = "meter.meter"
