"""Who the station is: BootNotification.req (OCPP 1.6 §6.1)."""

# field -> (setting, longest text)
_FIELDS = {
    "chargePointVendor": ("ChargePointVendor", 20),
    "chargePointModel": ("ChargePointModel", 20),
    "chargePointSerialNumber": ("ChargePointSerialNumber", 25),
    "chargeBoxSerialNumber": ("ChargeBoxSerialNumber", 25),
    "firmwareVersion": ("FirmwareVersion", 50),
    "meterType": ("MeterType", 25),
    "meterSerialNumber": ("MeterSerialNumber", 25),
}
_REQUIRED = ("chargePointVendor", "chargePointModel")


def boot_notification(settings):
    """Returns the BootNotification.req; optional fields that are empty are left out."""
    payload = {}
    for field, (name, longest) in _FIELDS.items():
        text = settings.get(name)[:longest]
        if text or field in _REQUIRED:
            payload[field] = text
    return payload
