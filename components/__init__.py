"""Reusable components: one logical entity a file, each the owner of its identity, grants and key grants."""
