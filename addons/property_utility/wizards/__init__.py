from . import (
    audit_verify_wizard,
    property_move_in,
    property_move_out,
    property_password_wizard,
    property_rights_wizard,
    property_room_change,
)
