"""BootNotification.req: vendor, model, serial numbers, firmware version (OCPP 1.6 §6.1)."""

# Setting -> maximum length. The field has the same name with a lower-case first letter.
_SETTINGS = {
    "ChargePointVendor": 20,
    "ChargePointModel": 20,
    "ChargePointSerialNumber": 25,
    "ChargeBoxSerialNumber": 25,
    "FirmwareVersion": 50,
    "MeterType": 25,
    "MeterSerialNumber": 25,
}
_REQUIRED = ("chargePointVendor", "chargePointModel")


def is_identity(name):
    """Returns True for a setting that is sent in BootNotification.req."""
    return name in _SETTINGS


def boot_notification(settings):
    """Returns the BootNotification.req without empty optional fields."""
    payload = {}
    for name, most in _SETTINGS.items():
        field = name[0].lower() + name[1:]
        text = settings.text(name)[:most]
        if text or field in _REQUIRED:
            payload[field] = text
    return payload
