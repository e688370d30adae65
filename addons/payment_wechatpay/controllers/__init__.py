from . import notify, oauth, pay
