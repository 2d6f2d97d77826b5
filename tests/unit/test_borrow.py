"""kernel.borrow: code that is needed for a moment leaves nothing behind, and what it made goes on."""

import sys

from harness import raises

from firmware.kernel.borrow import borrowed, unload


def test_a_module_and_what_is_in_a_package_is_forgotten():
    import firmware.evse.cable
    import firmware.evse.limits

    cable = firmware.evse.cable.Cable()
    firmware.evse.cable.was_here = True
    unload("firmware.evse.cable")
    assert "firmware.evse.cable" not in sys.modules and not hasattr(firmware.evse, "cable")
    assert "firmware.evse.limits" in sys.modules
    assert cable.see(None, 0) is False  # what was made of it goes on
    from firmware.evse import cable as again

    assert not hasattr(again, "was_here")
    unload("firmware.evse")
    assert not [name for name in sys.modules if name.startswith("firmware.evse")]
    assert not hasattr(sys.modules["firmware"], "evse")


def test_what_is_not_loaded_need_not_be_unloaded():
    unload("firmware.evse.nothing", "firmware.nowhere.nothing", "nothing")


def test_a_borrowed_function_gets_all_arguments_and_goes_after_the_call():
    rating = borrowed("firmware.evse.cable", "rating_ma")
    assert (rating(220), rating(680)) == (32_000, 20_000)
    assert "firmware.evse.cable" not in sys.modules
    duty = borrowed("firmware.evse.limits", "duty_for", 6_000)
    assert duty() == 1_000


def test_a_borrowed_function_that_raises_goes_as_well():
    with raises(ValueError):
        borrowed("firmware.drivers.meter_models", "check")("MeterModel", "abacus")
    assert "firmware.drivers.meter_models" not in sys.modules
