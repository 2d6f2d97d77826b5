# Runs first on every power-on. Everything the station does begins in main.py; here only the heap is prepared.
import gc

# Collect after every 32 KB instead of when the heap is full, until firmware/kernel/memory.py decides.
gc.threshold(32 * 1024)
