from . import charges, money, portal_home, tenancy, topup, use
