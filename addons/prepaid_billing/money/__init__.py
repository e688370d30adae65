"""Money rules without Odoo: fen, amounts in words, proration. Facts in, exact numbers out."""
