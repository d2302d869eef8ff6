"""The provider `dp-azure`: what azure-native cannot do.

Data Factory triggers that are stopped, written and started again, because azure-native cannot start one and a started
one refuses every update; names of deleted key vaults that come free again, because azure-native does not purge; and
directories of a lake, which are not in Resource Manager at all.
"""
