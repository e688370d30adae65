from odoo.tests import HttpCase, tagged

from .common import EstateCase


@tagged("post_install", "-at_install")
class TestBoard(EstateCase, HttpCase):
    def test_the_board_shows_floors_as_rows_and_units_with_tenant_state_and_a_legend(self):
        self.move_in(self.unit_a1, self.tenancy_a)
        self.unit_a2.is_blocked = True
        user = self.user("property_manager", self.building_a)
        user.password = user.login
        self.browser_js(
            "/odoo/units-board",
            """
            const texts = (selector) => [...document.querySelectorAll(selector)].map((el) => el.textContent.trim());
            const expect = (what, found, wanted) => {
                if (JSON.stringify(found) !== JSON.stringify(wanted)) {
                    throw new Error(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
                }
            };
            expect("codes", texts(".o_unit_code"), ["A-101", "A-102"]);
            expect("let", texts(".o_unit_occupied .o_unit_tenant"), ["示例商户甲"]);
            expect("blocked", texts(".o_unit_tile.o_unit_blocked .o_unit_code"), ["A-102"]);
            expect("legend", texts(".o_unit_legend b"), ["1", "1"]);
            const [row] = document.querySelectorAll(".o_kanban_group");
            expect("one row per floor", document.querySelectorAll(".o_kanban_group").length, 1);
            const tops = [...row.querySelectorAll(".o_kanban_record")].map((el) => el.getBoundingClientRect().top);
            expect("tiles side by side", tops[0], tops[1]);
            console.log("test successful");
            """,
            ready="document.querySelectorAll('.o_unit_tile').length === 2",
            login=user.login,
        )
