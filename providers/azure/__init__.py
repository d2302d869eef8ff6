"""The provider `dp-azure`: what azure-native cannot do.

Data Factory triggers that are stopped, written and started again, because azure-native cannot start one and a started
one refuses every update; and names of deleted key vaults that come free again, because azure-native does not purge.
"""
