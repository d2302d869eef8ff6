"""The tool: what a person wrote is checked, compiled, shown, and brought up; its command is `dp`."""

import sys

if sys.argv and sys.argv[0].rpartition("/")[2] == "dp":

    def _quiet(kind, error, at):  # type: ignore[no-untyped-def]  # types would be imports
        """Ctrl-C while `dp` still reads its modules: a line, no traceback. The interpreter then ends by that signal."""
        if issubclass(kind, KeyboardInterrupt):
            sys.stderr.write("error: stopped; nothing was changed\n")
        else:
            sys.__excepthook__(kind, error, at)

    sys.excepthook = _quiet
