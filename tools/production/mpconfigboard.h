#define MICROPY_HW_BOARD_NAME "Charging station"
#define MICROPY_HW_MCU_NAME "ESP32S3"
