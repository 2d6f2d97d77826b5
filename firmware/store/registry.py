"""All settings: one declaration each, of which OCPP keys, the portal's forms and backups are views.

Standard keys of OCPP 1.6 are in `keys_ocpp`, our own in `keys_station`; what a declaration says is in `declaration`.
"""

from firmware.store import keys_ocpp, keys_station

SETTINGS = keys_ocpp.SETTINGS + keys_station.SETTINGS

# Spellings that documents in the field print, by lower-case name.
ALIASES = {
    "metervaluessampleinterval": "MeterValueSampleInterval",
    "metervaues-sampleddatamaxlength": "MeterValuesSampledDataMaxLength",
    "metervaluesaligned-datamaxlength": "MeterValuesAlignedDataMaxLength",
    "metetrvaluessampleddata": "MeterValuesSampledData",
    "maxchargingprofileinstalled": "MaxChargingProfilesInstalled",
    "supportedfeaturesmaxlength": "SupportedFeatureProfilesMaxLength",
    "stoptransactiononevsiddisconnect": "StopTransactionOnEVSideDisconnect",
    "localauthorizationoffline": "LocalAuthorizeOffline",
    "authorizationremotetxrequests": "AuthorizeRemoteTxRequests",
}
