"""kernel.borrow: code that is needed for a moment leaves nothing behind, and what it made goes on.

Tried on packages of the test's own: other tests of this process hold the classes of the firmware's.
"""

import os
import sys

from folder import fresh_folder
from harness import raises

from firmware.kernel.borrow import borrowed, unload

_CABLE = """
class Cable:
    def see(self):
        return "seen"


def rating(ohm):
    if ohm < 0:
        raise ValueError(ohm)
    return ohm * 2
"""


def parcel(name):
    """Makes the package `name` with the package `evse` in it, which has the modules cable and limits."""
    folder = fresh_folder()
    sys.path.insert(0, folder)
    for package in (name, name + "/evse"):
        os.mkdir(folder + "/" + package)
        with open(folder + "/" + package + "/__init__.py", "w") as file:
            file.write("")
    for module, code in (("cable", _CABLE), ("limits", "LEAST = 6\n")):
        with open("%s/%s/evse/%s.py" % (folder, name, module), "w") as file:
            file.write(code)
    return folder


def load(module):
    return __import__(module, None, None, ("*",))


def test_a_module_and_what_is_in_a_package_is_forgotten():
    folder = parcel("parcel_a")
    load("parcel_a.evse.limits")
    module = load("parcel_a.evse.cable")
    cable = module.Cable()
    module.was_here = True
    unload("parcel_a.evse.cable")
    evse = sys.modules["parcel_a.evse"]
    assert "parcel_a.evse.cable" not in sys.modules and not hasattr(evse, "cable")
    assert "parcel_a.evse.limits" in sys.modules
    assert cable.see() == "seen"  # what was made of it goes on
    assert not hasattr(load("parcel_a.evse.cable"), "was_here")
    unload("parcel_a.evse")
    assert not [name for name in sys.modules if name.startswith("parcel_a.evse")]
    assert not hasattr(sys.modules["parcel_a"], "evse")
    sys.path.remove(folder)


def test_what_is_not_loaded_need_not_be_unloaded():
    unload("firmware.evse.nothing", "firmware.nowhere.nothing", "nothing")


def test_a_borrowed_function_gets_all_arguments_and_goes_after_the_call():
    folder = parcel("parcel_b")
    rating = borrowed("parcel_b.evse.cable", "rating")
    assert (rating(220), rating(680)) == (440, 1360)
    assert "parcel_b.evse.cable" not in sys.modules
    assert borrowed("parcel_b.evse.cable", "rating", 5)() == 10
    sys.path.remove(folder)


def test_a_borrowed_function_that_raises_goes_as_well():
    folder = parcel("parcel_c")
    with raises(ValueError):
        borrowed("parcel_c.evse.cable", "rating")(-1)
    assert "parcel_c.evse.cable" not in sys.modules
    sys.path.remove(folder)
