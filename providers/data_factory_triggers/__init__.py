"""The provider `dp-azure`: Data Factory triggers that are stopped, written and started again.

azure-native cannot start a trigger, and a started one refuses every update.
"""
