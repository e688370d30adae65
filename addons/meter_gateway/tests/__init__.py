from . import (
    test_batch,
    test_config,
    test_connector_isolation,
    test_definition,
    test_energy,
    test_event,
    test_ingest,
    test_order,
    test_partition,
    test_rights,
    test_switch,
)
