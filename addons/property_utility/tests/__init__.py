from . import test_audit, test_board, test_occupancy, test_pdf, test_rights, test_translations
