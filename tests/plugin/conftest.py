"""The plugin's own test file runs in a process of its own (see test_plugin.py), not in ours:
importing the plugin would register its type for every test of Segue.
"""

collect_ignore = ["test_comeback.py"]
