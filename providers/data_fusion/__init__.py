"""The provider `dp-cdap`: what a Cloud Data Fusion instance holds, or any other CDAP, as resources.

No provider has them: Google's makes instances, and leaves them empty.
"""
