# A charging station on an ESP32-S3 with 8 MB of flash and no PSRAM: docs/production.md.
set(IDF_TARGET esp32s3)

# The configuration wants the table's path from the port's folder, or an absolute one.
set(TABLE ${CMAKE_BINARY_DIR}/sdkconfig.table)
file(WRITE ${TABLE} "CONFIG_PARTITION_TABLE_CUSTOM_FILENAME=\"${CMAKE_CURRENT_LIST_DIR}/partitions.csv\"\n")

set(SDKCONFIG_DEFAULTS
    boards/sdkconfig.base
    boards/sdkconfig.240mhz
    ${CMAKE_CURRENT_LIST_DIR}/sdkconfig.board
    ${TABLE}
)
