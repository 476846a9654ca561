"""The object API: engines, stores, modules, instances and what they import and export."""
